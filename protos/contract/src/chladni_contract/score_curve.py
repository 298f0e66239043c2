"""From the cosine of two vectors to a score that people understand."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

_MAX_STEEPNESS: Final = 20.0
"""Largest slope x (1 - midpoint): beyond it cosines near 1 would round to the score 1, which is for equal
vectors alone."""

_EXPONENT: Final = 2
"""Of the public scale: it moves the middle of either kind of pair away from 0.5."""

_LOWEST: Final = 0.01
"""Score of opposite vectors. No score reads 0 %, for no two images have nothing in common."""

_STRAIGHT_SHARE: Final = 0.01
"""Share of a half that rises with the cosine itself: the curve rises strictly where no pair was seen, too."""

_LARGEST_ALIKENESS: Final = 64.0


def alikeness_of(cosine: float) -> float:
    """Return a(c) = -ln(1 - c) of a cosine from -1 to 1: from -ln 2 upwards; for 1 itself, 64."""
    return -math.log(1 - cosine) if cosine < 1 else _LARGEST_ALIKENESS


@dataclass(frozen=True, slots=True)
class AlikenessDistribution:
    """How a(c) = -ln(1 - c) is distributed among pairs of one kind: normally, or as a table says.

    Attributes:
        mean: Mean of a(c).
        deviation: Standard deviation of a(c), above 0.
        quantiles: Quantiles of a(c) at evenly spaced shares from 0 to 1, at least two and never falling; they
            count instead of the normal distribution. Empty if that one fits.

    Raises:
        ValueError: A number is not finite or out of its range; the message says which.
    """

    mean: float
    deviation: float
    quantiles: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.mean, self.deviation, *self.quantiles))):
            raise ValueError("mean, deviation and quantiles must be finite")
        if self.deviation <= 0:
            raise ValueError(f"the deviation is {self.deviation:g}, must be above 0")
        if len(self.quantiles) == 1 or list(self.quantiles) != sorted(self.quantiles):
            raise ValueError("quantiles must be at least two and must not fall")

    def share_below(self, alikeness: float) -> float:
        """Return the share of pairs that are less alike, 0 to 1."""
        if not self.quantiles:
            return 0.5 * math.erfc((self.mean - alikeness) / (self.deviation * math.sqrt(2)))
        if alikeness <= self.quantiles[0]:
            return 0.0
        if alikeness >= self.quantiles[-1]:
            return 1.0
        after = bisect_right(self.quantiles, alikeness)
        low, high = self.quantiles[after - 1], self.quantiles[after]
        return (after - 1 + (alikeness - low) / (high - low)) / (len(self.quantiles) - 1)

    def share_above(self, alikeness: float) -> float:
        """Return the share of pairs that are more alike, 0 to 1, exact however small it is."""
        if self.quantiles:
            return 1 - self.share_below(alikeness)
        return 0.5 * math.erfc((alikeness - self.mean) / (self.deviation * math.sqrt(2)))


@dataclass(frozen=True, slots=True)
class ScoreCurve:
    """A map from cosines to scores, as `chladni.model.v1.ScoreCurve` defines it.

    It has two halves, each a rank: below the midpoint that among unlike pairs, above it that among like ones.
    With the share u of the unlike pairs that are less alike, of those below the midpoint, the score is about
    0.5 u^2; with the share l of the like pairs that are more alike, of those above it, about 1 - 0.5 l^2. A
    hundredth of each half rises with the cosine itself, and opposite vectors score 0.01. So it rises
    strictly, is 0.5 at the midpoint, and 1 for equal vectors alone.

    Without distributions it is the logistic curve 1 / (1 + exp(-slope (cosine - midpoint))) with which
    earlier services answered, each half stretched to end at a cosine of -1 in exactly 0 and at 1 in
    exactly 1.

    Attributes:
        midpoint: Cosine of the score 0.5, between -1 and 1.
        slope: Steepness of the logistic curve, above 0.
        unlike: Distribution of pairs that do not belong together; `None` for the logistic curve.
        like: Distribution of pairs that belong together; `None` for the logistic curve.

    Raises:
        ValueError: A number is not finite or out of its range, only one of the distributions is given, or
            one of them has no pairs on its side of the midpoint; the message says which.
    """

    midpoint: float
    slope: float
    unlike: AlikenessDistribution | None = None
    like: AlikenessDistribution | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.midpoint) and math.isfinite(self.slope)):
            raise ValueError("midpoint and slope must be finite")
        if not -1 < self.midpoint < 1:
            raise ValueError(f"the midpoint is {self.midpoint:g}, must lie between -1 and 1")
        if not 0 < self.slope <= self.steepest(self.midpoint):
            limit = self.steepest(self.midpoint)
            raise ValueError(f"the slope is {self.slope:g}, must be above 0 and at most {limit:g}")
        if (self.unlike is None) != (self.like is None):
            raise ValueError("a curve has the distributions of both kinds of pairs, or of neither")
        middle = alikeness_of(self.midpoint)
        if self.unlike and self.like:
            if not self.unlike.share_below(middle) > self.unlike.share_below(alikeness_of(-1)):
                raise ValueError("no unlike pairs lie below the midpoint")
            if not self.like.share_above(middle) > 0:
                raise ValueError("no like pairs lie above the midpoint")

    @staticmethod
    def steepest(midpoint: float) -> float:
        """Return the largest slope with which every cosine but 1 scores below 1."""
        return _MAX_STEEPNESS / (1 - midpoint)

    def score_of(self, cosine: float) -> float:
        """Return the score of a cosine: 0.5 at the midpoint, 1 at 1, strictly rising.

        Args:
            cosine: -1 to 1.
        """
        if self.unlike is not None and self.like is not None:
            return self._rank(cosine, self.unlike, self.like)
        # Each half is written so that it is exact where it ends: 0 + something small, 1 - something small.
        if cosine < self.midpoint:
            return self._half(cosine - self.midpoint, -1 - self.midpoint)
        return 1 - self._half(self.midpoint - cosine, self.midpoint - 1)

    def _rank(self, cosine: float, unlike: AlikenessDistribution, like: AlikenessDistribution) -> float:
        alikeness, middle = alikeness_of(cosine), alikeness_of(self.midpoint)
        if cosine < self.midpoint:
            none = unlike.share_below(alikeness_of(-1))
            share = (unlike.share_below(alikeness) - none) / (unlike.share_below(middle) - none)
            return 0.5 - (0.5 - _LOWEST) * (1 - _bent(share, (1 + cosine) / (1 + self.midpoint)))
        share = like.share_above(alikeness) / like.share_above(middle)
        return 1 - 0.5 * _bent(share, (1 - cosine) / (1 - self.midpoint))

    def _half(self, offset: float, end: float) -> float:
        """Return the curve below its middle at an offset from it: 0 at the offset `end`, 0.5 at 0."""
        bottom = _logistic(self.slope * end)
        return 0.5 * (_logistic(self.slope * offset) - bottom) / (0.5 - bottom)


def _bent(share: float, straight: float) -> float:
    """Return a rank on the public scale, with the part that rises with the cosine: 0 at 0, 1 at 1."""
    return (1 - _STRAIGHT_SHARE) * share**_EXPONENT + _STRAIGHT_SHARE * straight


def _logistic(value: float) -> float:
    """Return 1 / (1 + exp(-value)) of a value of at most 0, exact however small it is."""
    exponential = math.exp(value)
    return exponential / (1 + exponential)
