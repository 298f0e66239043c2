"""Fits the map from cosines to scores to pairs that are known to be alike and to pairs that are not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import auc, roc_curve

from chladni_contract.score_curve import AlikenessDistribution, ScoreCurve, alikeness_of
from chladni_similarity.models.calibration import Calibration, CalibrationError

_LOWEST_SLOPE: Final = 0.1
_BISECTIONS: Final = 60
_END_MARGIN: Final = 1e-6
_ROUNDING: Final = 1e-12  # of rates, which differ by far more if they differ at all
_LARGEST_MISFIT: Final = 0.05
"""Of a normal distribution: the largest difference of shares below a value (Kolmogorov's distance)."""
_QUANTILES: Final = 33
_LEAST_DEVIATION: Final = 1e-3
_DECIMALS: Final = 4

Cosines = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RocCurve:
    """How many unlike pairs pass for alike, and how many like ones do, at every threshold.

    The receiver operating characteristic, as Fawcett 2006, "An introduction to ROC analysis", defines it.

    Attributes:
        thresholds: Cosines at and above which a pair passes; falling.
        false_positive_rates: Shares of the unlike pairs that pass, rising from 0 to 1.
        true_positive_rates: Shares of the like pairs that pass, rising from 0 to 1.
    """

    thresholds: Cosines
    false_positive_rates: Cosines
    true_positive_rates: Cosines

    @classmethod
    def of(cls, like: Cosines, unlike: Cosines) -> RocCurve:
        """Return the curve of pairs."""
        is_like = np.repeat([True, False], [len(like), len(unlike)])
        false_positive_rates, true_positive_rates, thresholds = roc_curve(
            is_like, np.concatenate([like, unlike]), drop_intermediate=False
        )
        return cls(thresholds, false_positive_rates, true_positive_rates)

    @property
    def auc(self) -> float:
        """Area under the curve: how often a like pair has the greater cosine, ties counted half."""
        return float(auc(self.false_positive_rates, self.true_positive_rates))

    def equal_error(self) -> tuple[float, float]:
        """Return the cosine at which both kinds of pairs are mistaken equally often, and how often.

        Lowering the threshold past a pair lets the one rate jump up or the other down. If they are equal
        between two pairs, the cosine lies halfway between the two; if they pass each other at a pair, it is
        that pair's, and the rate is interpolated.
        """
        false_rates, misses = self.false_positive_rates, 1 - self.true_positive_rates
        after = int(np.argmax(false_rates >= misses - _ROUNDING))
        if abs(false_rates[after] - misses[after]) <= _ROUNDING:
            cosine = (self.thresholds[after] + self.thresholds[after + 1]) / 2
            return float(cosine), float(false_rates[after])
        lead, lag = misses[after - 1] - false_rates[after - 1], false_rates[after] - misses[after]
        share = lead / (lead + lag)
        rate = false_rates[after - 1] + share * (false_rates[after] - false_rates[after - 1])
        return float(self.thresholds[after]), float(rate)


def calibrate(like: Sequence[float], unlike: Sequence[float], *, data: str) -> Calibration:
    """Return the calibration that pairs call for.

    Args:
        like: Cosines of pairs that belong together, at least two.
        unlike: Cosines of pairs that do not, at least two.
        data: What the pairs were, for people.

    Raises:
        CalibrationError: There are too few, some is no cosine, or the two kinds cannot be separated.
    """
    likes, unlikes = (np.asarray(values, np.float64) for values in (like, unlike))
    for name, values in (("like", likes), ("unlike", unlikes)):
        if values.ndim != 1 or len(values) < 2:
            raise CalibrationError(f"there must be at least two {name} pairs")
        if not (np.abs(values) <= 1).all():  # which NaN is not either
            raise CalibrationError(f"{name} pairs hold values that are no cosines")
    curve = RocCurve.of(likes, unlikes)
    if curve.auc <= 0.5:
        raise CalibrationError(f"like pairs are no nearer than unlike ones: the AUC is {curve.auc:.3f}")
    threshold, rate = curve.equal_error()
    midpoint = min(max(threshold, -1 + _END_MARGIN), 1 - _END_MARGIN)
    return Calibration(
        midpoint=round(midpoint, 6),
        slope=round(_slope(likes, unlikes, midpoint), 6),
        auc=round(curve.auc, 6),
        eer=round(rate, 6),
        like_pairs=len(likes),
        unlike_pairs=len(unlikes),
        data=data,
        unlike=fit_distribution(unlikes),
        like=fit_distribution(likes),
    )


def fit_distribution(cosines: Cosines) -> AlikenessDistribution:
    """Return how alike pairs are: a normal distribution of -ln(1 - c), and a table where it does not fit.

    Args:
        cosines: (N,) of pairs of one kind, -1 to 1.
    """
    values = np.sort([alikeness_of(cosine) for cosine in cosines])
    mean, deviation = float(values.mean()), max(float(values.std()), _LEAST_DEVIATION)
    normal = AlikenessDistribution(round(mean, _DECIMALS), round(deviation, _DECIMALS))
    shares = np.array([normal.share_below(value) for value in values])
    places = np.arange(len(values))
    misfit = np.maximum(shares - places / len(values), (places + 1) / len(values) - shares).max()
    if misfit <= _LARGEST_MISFIT:
        return normal
    quantiles = np.quantile(values, np.linspace(0, 1, _QUANTILES)).round(_DECIMALS)
    return AlikenessDistribution(normal.mean, normal.deviation, tuple(quantiles.tolist()))


def _slope(likes: Cosines, unlikes: Cosines, midpoint: float) -> float:
    """Return the slope of the logistic regression through the midpoint; both kinds of pairs weigh equally.

    The targets are Platt's, 1 - 1 / (n + 2) and 1 / (n + 2) for n pairs of a kind instead of 1 and 0, which
    keeps the slope finite if the two kinds do not overlap. The loss is convex in the slope, so its
    derivative is bisected.
    """
    offsets = np.concatenate([likes, unlikes]) - midpoint
    weights = np.repeat([1 / len(likes), 1 / len(unlikes)], [len(likes), len(unlikes)])
    targets = np.repeat([1 - 1 / (len(likes) + 2), 1 / (len(unlikes) + 2)], [len(likes), len(unlikes)])

    def derivative(slope: float) -> float:
        chances = 0.5 * (1 + np.tanh(0.5 * slope * offsets))
        return float(np.sum(weights * (chances - targets) * offsets))

    low, high = math.log(_LOWEST_SLOPE), math.log(0.999 * ScoreCurve.steepest(midpoint))
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if derivative(math.exp(middle)) < 0 else (low, middle)
    return math.exp(low)
