"""How alike images are: from vectors to scores, and from scores to words."""

import math
from collections.abc import Sequence
from enum import StrEnum
from operator import mul
from typing import Final, TypeAlias

from chladni_contract.score_curve import ScoreCurve

Vector: TypeAlias = tuple[float, ...]
"""Where an image stands in a space in which like images are near each other."""

_LOW_BELOW_PERCENT: Final = 30
_HIGH_ABOVE_PERCENT: Final = 70


class Level(StrEnum):
    """A score in one word."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


def percent_of(score: float) -> int:
    """Returns a score, 0 to 1, in whole percent, as it is shown."""
    return round(score * 100)


def level_of(score: float) -> Level:
    """Returns a score in one word, by its percentage as it is shown, so that the two never disagree.

    `LOW` below 30 %, `HIGH` above 70 %, and `MEDIUM` from 30 % to 70 %.
    """
    percent = percent_of(score)
    if percent < _LOW_BELOW_PERCENT:
        return Level.LOW
    return Level.HIGH if percent > _HIGH_ABOVE_PERCENT else Level.MEDIUM


def unit_vector(vector: Vector) -> Vector:
    """Returns a vector of the same direction and of length 1.

    Args:
        vector: The vector, not zero.
    """
    length = math.hypot(*vector)
    return tuple(value / length for value in vector)


def scores_of(given: Vector, others: Sequence[Vector], curve: ScoreCurve | None) -> list[float]:
    """Returns how alike an image is to each of others, 0 to 1, as `CompareImages` scores it.

    Args:
        given: Its vector, of length 1.
        others: Their vectors, of length 1.
        curve: How scores follow from cosines; `None` where they are the cosines, with negative ones as 0.
    """
    cosines = (min(1.0, max(-1.0, sum(map(mul, given, other)))) for other in others)
    return [max(0.0, cosine) if curve is None else curve.score_of(cosine) for cosine in cosines]
