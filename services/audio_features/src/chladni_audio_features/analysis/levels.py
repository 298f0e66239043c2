"""Levels in decibels relative to full scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MIN_LEVEL_DBFS = -120.0
"""Level of silence: lower than the noise floor of 16-bit sound."""


@dataclass(frozen=True)
class Level:
    """How loud a stretch of sound is.

    Attributes:
        rms_dbfs: root mean square in dB relative to full scale, at least -120.
        peak_dbfs: largest magnitude in dB relative to full scale, at least -120.
    """

    rms_dbfs: float
    peak_dbfs: float


def measure_level(samples: npt.NDArray[np.float32]) -> Level:
    """Measure a stretch of mono sound; nothing at all is as loud as silence."""
    if not len(samples):
        return Level(MIN_LEVEL_DBFS, MIN_LEVEL_DBFS)
    wide = samples.astype(np.float64)
    return Level(
        rms_dbfs=_to_dbfs(float(np.sqrt(np.mean(np.square(wide))))),
        peak_dbfs=_to_dbfs(float(np.abs(wide).max())),
    )


def _to_dbfs(amplitude: float) -> float:
    floor = 10.0 ** (MIN_LEVEL_DBFS / 20.0)
    return 20.0 * float(np.log10(max(amplitude, floor)))
