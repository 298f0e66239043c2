"""From the cosine of two vectors to a score that people understand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

_MAX_STEEPNESS: Final = 20.0
"""Largest slope x (1 - midpoint): beyond it cosines near 1 would round to the score 1, which is for equal
vectors alone."""


@dataclass(frozen=True, slots=True)
class ScoreCurve:
    """A map from cosines to scores, as `chladni.similarity.v1.ScoreCurve` defines it.

    It is the logistic curve 1 / (1 + exp(-slope (cosine - midpoint))), Platt's for turning outputs of a
    classifier into probabilities (Platt 1999, "Probabilistic outputs for support vector machines"), with each
    half stretched to end at a cosine of -1 in exactly 0 and at 1 in exactly 1. It rises strictly.

    Attributes:
        midpoint: Cosine of the score 0.5, between -1 and 1.
        slope: Steepness, above 0.

    Raises:
        ValueError: A number is not finite or out of its range; the message says which.
    """

    midpoint: float
    slope: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.midpoint) and math.isfinite(self.slope)):
            raise ValueError("midpoint and slope must be finite")
        if not -1 < self.midpoint < 1:
            raise ValueError(f"the midpoint is {self.midpoint:g}, must lie between -1 and 1")
        if not 0 < self.slope <= self.steepest(self.midpoint):
            limit = self.steepest(self.midpoint)
            raise ValueError(f"the slope is {self.slope:g}, must be above 0 and at most {limit:g}")

    @staticmethod
    def steepest(midpoint: float) -> float:
        """Return the largest slope with which every cosine but 1 scores below 1."""
        return _MAX_STEEPNESS / (1 - midpoint)

    def score_of(self, cosine: float) -> float:
        """Return the score of a cosine: 0 at -1, 0.5 at the midpoint, 1 at 1.

        Args:
            cosine: -1 to 1.
        """
        # Each half is written so that it is exact where it ends: 0 + something small, 1 - something small.
        if cosine < self.midpoint:
            return self._half(cosine - self.midpoint, -1 - self.midpoint)
        return 1 - self._half(self.midpoint - cosine, self.midpoint - 1)

    def _half(self, offset: float, end: float) -> float:
        """Return the curve below its middle at an offset from it: 0 at the offset `end`, 0.5 at 0."""
        bottom = _logistic(self.slope * end)
        return 0.5 * (_logistic(self.slope * offset) - bottom) / (0.5 - bottom)


def _logistic(value: float) -> float:
    """Return 1 / (1 + exp(-value)) of a value of at most 0, exact however small it is."""
    exponential = math.exp(value)
    return exponential / (1 + exponential)
