"""The charts of a run, and spectrograms beside their reconstructions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from chladni_training.plots import draw_curves, save_figure

FloatArray = npt.NDArray[np.float32]


def draw_training_curves(path: Path, epochs: Sequence[Mapping[str, float]]) -> None:
    """Draw loss and figures by epoch.

    Raises:
        StorageError: The file cannot be written.
    """

    def curve(name: str) -> dict[float, float]:
        return {row["epoch"]: row[name] for row in epochs if name in row}

    draw_curves(
        path,
        [
            ("loss", {"training": curve("loss")}),
            ("error of held-out clips", {"MSE": curve("mse"), "MAE": curve("mae")}),
            (
                "similarity of held-out clips",
                {"cosine": curve("cosine"), "perceptual (NSIM)": curve("perceptual_similarity")},
            ),
        ],
        title="Training of the audio autoencoder",
        horizontal="epoch",
    )


def draw_comparison(path: Path, pairs: Sequence[tuple[str, FloatArray, FloatArray]], *, title: str) -> None:
    """Draw spectrograms, their reconstructions and the differences, one clip a row.

    Args:
        path: The PNG to write.
        pairs: Name, original and reconstruction, (mel bins, frames) in [0, 1], of each clip.
        title: What it shows.

    Raises:
        StorageError: The file cannot be written.
    """
    figure = Figure(figsize=(13, 2.6 * len(pairs) + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    rows = figure.subplots(len(pairs), 3, squeeze=False)
    for axes_of_row, (name, original, reconstructed) in zip(rows, pairs, strict=True):
        shown = (
            (f"original: {name}", original, "viridis", (0.0, 1.0)),
            ("reconstructed", reconstructed, "viridis", (0.0, 1.0)),
            ("difference", reconstructed - original, "coolwarm", (-0.5, 0.5)),
        )
        for axes, (label, cells, colormap, (low, high)) in zip(axes_of_row, shown, strict=True):
            drawn = axes.imshow(
                cells,
                origin="lower",
                aspect="auto",
                cmap=colormap,
                vmin=low,
                vmax=high,
                interpolation="nearest",
            )
            axes.set_title(label, fontsize=9)
            axes.set_xlabel("frame", fontsize=8)
            axes.set_ylabel("mel band", fontsize=8)
            figure.colorbar(drawn, ax=axes)
    save_figure(path, figure)
