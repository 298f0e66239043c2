"""A small image of ROC curves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from chladni_similarity.training.cosine_calibration import RocCurve

_SIDE_PIXELS: Final = 420
_MARGIN_PIXELS: Final = 46
_SCALE: Final = 2
"""Drawn this much larger and then reduced, for smooth lines."""

_INK: Final = (40, 44, 52)
_GRID: Final = (222, 224, 228)
_COLOURS: Final = ((31, 97, 165), (196, 85, 30))


def write_roc_chart(path: Path, curves: Mapping[str, RocCurve]) -> None:
    """Write a PNG of one or two curves, with their names and areas.

    Args:
        path: Where to.
        curves: The curves by name.
    """
    side, margin = _SIDE_PIXELS * _SCALE, _MARGIN_PIXELS * _SCALE
    extent = side - 2 * margin
    image = Image.new("RGB", (side, side), "white")
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(11 * _SCALE)

    def place(false_rate: float, true_rate: float) -> tuple[float, float]:
        return margin + false_rate * extent, side - margin - true_rate * extent

    for tenth in range(0, 11, 2):
        share = tenth / 10
        pen.line([place(share, 0), place(share, 1)], fill=_GRID, width=_SCALE)
        pen.line([place(0, share), place(1, share)], fill=_GRID, width=_SCALE)
        x, y = place(share, 0)
        pen.text((x, y + 4 * _SCALE), f"{share:g}", fill=_INK, font=font, anchor="ma")
        x, y = place(0, share)
        pen.text((x - 5 * _SCALE, y), f"{share:g}", fill=_INK, font=font, anchor="rm")
    pen.line([place(0, 0), place(1, 1)], fill=_GRID, width=_SCALE)
    for number, (name, curve) in enumerate(curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = list(map(place, curve.false_positive_rates, curve.true_positive_rates))
        pen.line(points, fill=colour, width=2 * _SCALE, joint="curve")
        x, y = place(1, 0.06 + 0.07 * number)
        label = f"{name}: AUC {curve.auc:.4f}, EER {curve.equal_error()[1]:.1%}"
        pen.text((x - 6 * _SCALE, y), label, fill=colour, font=font, anchor="rm")
    x, y = place(0.5, 0)
    pen.text((x, y + 22 * _SCALE), "unlike pairs taken for alike", fill=_INK, font=font, anchor="ma")
    x, y = place(0, 1)
    pen.text((x, y - 8 * _SCALE), "like pairs taken for alike", fill=_INK, font=font, anchor="ls")
    reduced = image.resize((_SIDE_PIXELS, _SIDE_PIXELS), Image.Resampling.LANCZOS)
    reduced.quantize(64).save(path, optimize=True)
