"""Dynamic intensity: the level over time, and the course that it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from chladni_audio_features.audio.clip import ANALYSIS_SAMPLE_RATE_HZ

_HOP_SECONDS: Final = 0.1
_WINDOW_SECONDS: Final = 0.4
_FLOOR_DBFS: Final = -90.0
_RAMP_DB: Final = 5.0
_DOUBT_DB: Final = 1.6
# Where musicians' words lie between the softest and the loudest of mastered music, upper bounds in dBFS.
_MARKINGS: Final = ((-42.0, "pp"), (-34.0, "p"), (-27.0, "mp"), (-20.0, "mf"), (-13.0, "f"), (np.inf, "ff"))
_LOUD_MARKINGS: Final = frozenset({"f", "ff"})
_SOFT_MARKINGS: Final = frozenset({"pp", "p"})


@dataclass(frozen=True)
class Dynamics:
    """Level over time.

    Attributes:
        times_seconds: Every tenth of a second.
        levels_dbfs: Root mean square of 0.4 s around each time, -90 at least.
        course: "steady", "crescendo", "diminuendo", "swell" (rises, then falls) or "dip" (falls, then rises).
        marking: "pp", "p", "mp", "mf", "f" or "ff".
        range_db: From the 10th to the 95th percentile of the levels.
        confidence: Confidence in the course, in [0, 1].
    """

    times_seconds: tuple[float, ...]
    levels_dbfs: tuple[float, ...]
    course: str
    marking: str
    range_db: float
    confidence: float

    @property
    def intensity(self) -> str:
        """Course of the level; "loud" or "soft" if it is steady and so."""
        if self.course == "steady":
            if self.marking in _LOUD_MARKINGS:
                return "loud"
            if self.marking in _SOFT_MARKINGS:
                return "soft"
        return self.course


def measure_dynamics(samples: npt.NDArray[np.float32]) -> Dynamics:
    """Measure the level of a clip over time.

    Args:
        samples: (n,) float32 at 22050 Hz.
    """
    hop, radius = (
        round(seconds * ANALYSIS_SAMPLE_RATE_HZ) for seconds in (_HOP_SECONDS, _WINDOW_SECONDS / 2)
    )
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    centres = np.arange(0, len(samples), hop)
    first, until = np.maximum(centres - radius, 0), np.minimum(centres + radius, len(samples))
    power = np.maximum(energy[until] - energy[first], 0.0) / np.maximum(until - first, 1)
    levels = np.maximum(10.0 * np.log10(power + 1e-12), _FLOOR_DBFS)
    course, confidence = _course(levels)
    loud = float(np.percentile(levels, 75))
    return Dynamics(
        times_seconds=tuple((centres / ANALYSIS_SAMPLE_RATE_HZ).tolist()),
        levels_dbfs=tuple(levels.tolist()),
        course=course,
        marking=next(marking for bound, marking in _MARKINGS if loud < bound),
        range_db=float(np.percentile(levels, 95) - np.percentile(levels, 10)),
        confidence=confidence,
    )


def _course(levels: npt.NDArray[np.float64]) -> tuple[str, float]:
    """Compare the beginning, the middle and the end; silence around the music is no course."""
    audible = np.flatnonzero(levels > levels.max() - 40.0)
    levels = levels[audible[0] : audible[-1] + 1]
    fifth = max(1, len(levels) // 5)
    # The upper quartile leaves out the pauses between notes.
    begin, middle, end = (
        (
            float(np.percentile(part, 75))
            for part in (levels[:fifth], levels[2 * fifth : max(3 * fifth, 2 * fifth + 1)], levels[-fifth:])
            if len(part)
        )
        if len(levels) >= 3
        else (0.0, 0.0, 0.0)
    )
    rises, falls = middle - begin, middle - end
    slope = end - begin
    evidence = {
        "crescendo": slope,
        "diminuendo": -slope,
        "swell": min(rises, falls) + 0.5,
        "dip": -max(rises, falls) + 0.5,
    }
    course = max(evidence, key=lambda name: evidence[name])
    margin = (evidence[course] - _RAMP_DB) / _DOUBT_DB
    confidence = float(1.0 / (1.0 + np.exp(-abs(margin))))
    return (course, confidence) if margin > 0.0 else ("steady", confidence)
