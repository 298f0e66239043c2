"""What changed: attributes that left their normal range, in words, and where in time and frequency."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chladni_similarity.anomaly.attributes import DEFINITIONS, Attributes
from chladni_similarity.anomaly.normal_model import NormalModel, NormalRange

MIN_Z_SCORE: Final = 3.0

_WITH_RATE: Final = ("periodicity", "off_order")
_MAX_SHOWN_Z: Final = 999.0
_SEEN_Z: Final = 2.0
_FULL_Z: Final = 6.0
_MIN_LEVEL_DEVIATION: Final = 0.02
_SMOOTHED_PIXELS: Final = 5
_HOT: Final = np.array([255.0, 48.0, 16.0])


@dataclass(frozen=True, slots=True)
class DeviatingAttribute:
    """A quantity that left its normal range.

    Attributes:
        name: Its name.
        z_score: Distance from the normal mean in standard deviations.
        value: What was measured, in `unit`.
        normal_mean: Mean in normal operation.
        normal_deviation: Standard deviation in normal operation.
        unit: Unit, "1" for a plain number.
        description: What that means, one sentence for people.
    """

    name: str
    z_score: float
    value: float
    normal_mean: float
    normal_deviation: float
    unit: str
    description: str


def deviating_attributes(
    ranges: Mapping[str, NormalRange], windows: Sequence[Attributes]
) -> tuple[DeviatingAttribute, ...]:
    """Return the attributes that left their normal range, the farthest first.

    Args:
        ranges: Normal ranges by name.
        windows: Attributes of a clip's windows; their means are compared.
    """
    deviating = []
    for definition in DEFINITIONS:
        values = [item.values[definition.name] for item in windows if definition.name in item.values]
        normal = ranges.get(definition.name)
        if not values or normal is None:
            continue
        value = float(np.mean(values))
        z_score = float(np.clip((value - normal.mean) / normal.deviation, -_MAX_SHOWN_Z, _MAX_SHOWN_Z))
        if abs(z_score) < MIN_Z_SCORE:
            continue
        words = definition.higher if z_score > 0 else definition.lower
        rate = _impact_rate(windows) if definition.name in _WITH_RATE and z_score > 0 else ""
        title = definition.name.replace("_", " ")
        unit = "" if definition.unit == "1" else f" {definition.unit}"
        deviating.append(
            DeviatingAttribute(
                definition.name,
                z_score,
                value,
                normal.mean,
                normal.deviation,
                definition.unit,
                f"{words[0].upper()}{words[1:]}{rate}: {title} is {value:.4g}{unit}, "
                f"normally {normal.mean:.4g} ± {normal.deviation:.2g}{unit}.",
            )
        )
    return tuple(sorted(deviating, key=lambda item: -abs(item.z_score)))


def error_map(model: NormalModel, image: NDArray[np.float32]) -> bytes:
    """Return the spectrogram in gray, with red where it differs from normal, as a PNG.

    Args:
        model: The model of normal operation.
        image: (224, 224) in [0, 1], the window.
    """
    deviations = np.maximum(model.row_deviations, _MIN_LEVEL_DEVIATION)
    z_scores = _smoothed((image - model.row_means[:, None]) / deviations[:, None])
    heat = np.clip((np.abs(z_scores) - _SEEN_Z) / (_FULL_Z - _SEEN_Z), 0.0, 1.0)[..., None]
    gray = np.repeat(image[..., None] * 255.0, 3, axis=2)
    pixels = (gray * (1.0 - 0.8 * heat) + _HOT * 0.8 * heat).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG", optimize=False)
    return file.getvalue()


def _smoothed(z_scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over a few columns: what recurs stays, what flickers fades."""
    kernel = np.ones(_SMOOTHED_PIXELS) / _SMOOTHED_PIXELS
    padded = np.pad(z_scores, ((0, 0), (_SMOOTHED_PIXELS // 2, _SMOOTHED_PIXELS // 2)), mode="edge")
    return np.apply_along_axis(np.convolve, 1, padded, kernel, mode="valid")


def _impact_rate(windows: Sequence[Attributes]) -> str:
    rates = [item.impact_hz for item in windows if item.impact_hz]
    return f", {np.median(rates):.1f} times a second" if rates else ""
