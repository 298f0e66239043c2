"""Sheets of images, and the charts of a run."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from chladni_image_generation.training.diffusion.datasets import Images
from chladni_image_generation.training.diffusion.features import INCEPTION
from chladni_training.files import write_whole
from chladni_training.plots import draw_curves

_ENLARGEMENT: Final = 3
_GAP_PIXELS: Final = 4
_GREY: Final = 96


def write_sheet(path: Path, images: Images) -> None:
    """Write images (N, C, H, W), enlarged, on one sheet as nearly square as can be.

    Raises:
        StorageError: The file cannot be written.
    """
    count, channels, height, width = images.shape
    columns = math.ceil(math.sqrt(count))
    cells = [side * _ENLARGEMENT + _GAP_PIXELS for side in (height, width)]
    sheet = np.full(
        (math.ceil(count / columns) * cells[0] + _GAP_PIXELS, columns * cells[1] + _GAP_PIXELS, channels),
        _GREY,
        np.uint8,
    )
    for index, image in enumerate(images):
        top, left = (
            place * cell + _GAP_PIXELS for place, cell in zip(divmod(index, columns), cells, strict=True)
        )
        enlarged = image.transpose(1, 2, 0).repeat(_ENLARGEMENT, axis=0).repeat(_ENLARGEMENT, axis=1)
        sheet[top : top + enlarged.shape[0], left : left + enlarged.shape[1]] = enlarged
    buffer = io.BytesIO()
    Image.fromarray(sheet if channels == 3 else sheet[:, :, 0]).save(buffer, "PNG")
    write_whole(path, buffer.getvalue())


def draw_charts(folder: Path, epochs: Sequence[Mapping[str, float]], *, extractor: str) -> None:
    """Draw `training_loss.png`, and the Fréchet distance beside the loss as `metrics_comparison.png`.

    Args:
        folder: Where `training_loss.png` is written; the other one goes to `epoch_comparisons` in it.
        epochs: Rows of the run's log.
        extractor: Name of what the distances are measured by.

    Raises:
        StorageError: A file cannot be written.
    """
    loss = {row["epoch"]: row["loss"] for row in epochs}
    draw_curves(
        folder / "training_loss.png",
        [("mean square error of the noise", {"loss": loss})],
        title="Training loss",
        horizontal="epoch",
    )
    measured = [row for row in epochs if "frechet_distance" in row]
    if not measured:
        return
    kind = "FID" if extractor == INCEPTION else f"Fréchet distance ({extractor})"
    draw_curves(
        folder / "epoch_comparisons" / "metrics_comparison.png",
        [
            ("mean square error of the noise", {"loss": loss}),
            (kind, {"generated images": {row["epoch"]: row["frechet_distance"] for row in measured}}),
        ],
        title=f"{kind} and loss by epoch",
        horizontal="epoch",
        levels={"training set, as many images": measured[-1]["frechet_floor"]},
    )
