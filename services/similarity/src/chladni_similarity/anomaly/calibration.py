"""From distances to scores that mean the same for every machine: 9 is where normal operation ends.

The Mahalanobis distance of normal audio in 128 dimensions is about the square root of 128, so the cut-points
9 and 15 alone would call healthy machines ill. Distances are scaled so that 99 of 100 normal clips, not seen
while fitting, stay below 9.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

NEEDS_MAINTENANCE_SCORE: Final = 9.0
SEVERE_ANOMALY_SCORE: Final = 15.0

_NORMAL_PERCENTILE: Final = 99.0
_QUANTILE_OF_NORMAL: Final = 2.326
_KNOWN_COUNT: Final = 200
"""So many distances show their 99th percentile; of fewer it is at least that of a normal distribution."""
_QUANTILE_COUNT: Final = 101


class AnomalyLabel(StrEnum):
    """Condition of a machine, in the words of the original."""

    NORMAL = "NORMAL"
    NEEDS_MAINTENANCE = "NEEDS MAINTENANCE"
    SEVERE_ANOMALY = "SEVERE ANOMALY"


def label_of(score: float) -> AnomalyLabel:
    """Return the label of a score."""
    if score < NEEDS_MAINTENANCE_SCORE:
        return AnomalyLabel.NORMAL
    return AnomalyLabel.NEEDS_MAINTENANCE if score < SEVERE_ANOMALY_SCORE else AnomalyLabel.SEVERE_ANOMALY


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Turns distances into scores and percentiles.

    Attributes:
        origin: Distance with the score 0; smaller ones have it too.
        limit: Distance with the score 9: the 99th percentile of held-out normal audio.
        quantiles: (101,) distances of held-out normal audio, rising: a percent each.
    """

    origin: float
    limit: float
    quantiles: NDArray[np.float64]

    @classmethod
    def of(cls, held_out: NDArray[np.float64], *, origin: float = 0.0) -> Self:
        """Return the calibration by distances of held-out normal audio.

        Args:
            held_out: (N,), N at least 2.
            origin: Distance that is to have the score 0.
        """
        limit = float(np.percentile(held_out, _NORMAL_PERCENTILE))
        count = len(held_out)
        if count < _KNOWN_COUNT:
            spread = float(held_out.std(ddof=1)) * (1.0 + 1.0 / count) ** 0.5 * (1.0 + 2.0 / count)
            limit = max(limit, float(held_out.mean()) + _QUANTILE_OF_NORMAL * spread)
        limit = max(limit, origin + 1e-9)
        quantiles = np.quantile(held_out, np.linspace(0.0, 1.0, _QUANTILE_COUNT))
        return cls(origin, limit, quantiles)

    def score_of(self, distance: float) -> float:
        """Return the score of a distance, 0 or more."""
        relative = (distance - self.origin) / (self.limit - self.origin)
        return max(0.0, NEEDS_MAINTENANCE_SCORE * relative)

    def percentile_of(self, distance: float) -> float:
        """Return how many percent of held-out normal audio are nearer, 0 to 100."""
        below = np.interp(distance, self.quantiles, np.linspace(0.0, 100.0, _QUANTILE_COUNT))
        if distance < self.quantiles[0]:
            return 0.0
        return 100.0 if distance > self.quantiles[-1] else float(below)
