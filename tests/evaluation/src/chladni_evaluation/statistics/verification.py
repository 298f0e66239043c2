"""How well a score separates pairs that belong together from others: the ROC curve in two numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


@dataclass(frozen=True, slots=True)
class EqualError:
    """The point of the ROC curve where as many pairs of one kind err as of the other.

    Attributes:
        rate: Share of pairs that err there.
        threshold: Score from which a pair is taken for one that belongs together.
    """

    rate: float
    threshold: float


def area_under_curve(same: NDArray[np.floating], different: NDArray[np.floating]) -> float:
    """Return the chance that a pair that belongs together scores higher than one that does not.

    Ties count half (Hanley and McNeil 1982): 1 for perfect scores, 0.5 for useless ones.

    Args:
        same: Scores of pairs that belong together.
        different: Scores of the others.

    Raises:
        ValueError: There are none of one kind.
    """
    _check(same, different)
    ranks = rankdata(np.concatenate([same, different]))
    wins = ranks[: len(same)].sum() - len(same) * (len(same) + 1) / 2
    return float(wins / (len(same) * len(different)))


def equal_error(same: NDArray[np.floating], different: NDArray[np.floating]) -> EqualError:
    """Return where misses and false alarms are equally frequent, in proportion between two scores.

    Args:
        same: Scores of pairs that belong together.
        different: Scores of the others.

    Raises:
        ValueError: There are none of one kind.
    """
    _check(same, different)
    scores = np.unique(np.concatenate([same, different]).astype(np.float64))
    thresholds = np.append(scores, np.nextafter(scores[-1], np.inf))
    misses = np.searchsorted(np.sort(same), thresholds, side="left") / len(same)
    alarms = 1.0 - np.searchsorted(np.sort(different), thresholds, side="left") / len(different)
    # From -1, where all pass, to 1, where none does.
    excess = misses - alarms
    after = int(np.argmax(excess >= 0))
    before = after - 1
    share = -excess[before] / (excess[after] - excess[before])
    return EqualError(
        rate=float(misses[before] + share * (misses[after] - misses[before])),
        threshold=float(thresholds[before] + share * (thresholds[after] - thresholds[before])),
    )


def _check(same: NDArray[np.floating], different: NDArray[np.floating]) -> None:
    if not len(same) or not len(different):
        raise ValueError("pairs of both kinds are needed")
