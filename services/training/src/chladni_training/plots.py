"""Charts of a run's figures, drawn by matplotlib without a display."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from chladni_training.files import write_whole

Points = Mapping[float, float]
"""Values of a curve by their position."""


def draw_curves(
    path: Path,
    panels: Sequence[tuple[str, Mapping[str, Points]]],
    *,
    title: str,
    horizontal: str,
    levels: Mapping[str, float] | None = None,
) -> None:
    """Write a chart of panels side by side.

    Args:
        path: The PNG to write.
        panels: Label of the vertical axis and curves by name, for each panel.
        title: What the chart shows.
        horizontal: Label of the horizontal axis.
        levels: Horizontal lines in the last panel, by name.

    Raises:
        StorageError: The file cannot be written.
    """
    figure = Figure(figsize=(5.5 * len(panels), 4), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    axes_of_panels = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (label, curves) in zip(axes_of_panels, panels, strict=True):
        for name, points in curves.items():
            marker = "o" if len(points) <= 40 else ""
            axes.plot(list(points), list(points.values()), marker=marker, markersize=4, label=name)
        axes.set_xlabel(horizontal)
        axes.set_ylabel(label)
        axes.grid(visible=True, alpha=0.3)
    for name, value in (levels or {}).items():
        axes_of_panels[-1].axhline(value, color="grey", linestyle="--", label=name)
    for axes in axes_of_panels:
        if axes.get_legend_handles_labels()[1]:
            axes.legend()
    save_figure(path, figure)


def save_figure(path: Path, figure: Figure) -> None:
    """Write a figure as PNG, whole or not at all, without the date and versions that would change its bytes.

    Raises:
        StorageError: The file cannot be written.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    write_whole(path, buffer.getvalue())
