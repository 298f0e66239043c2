"""How alike images are, in words."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

_LOW_BELOW_PERCENT: Final = 30
_HIGH_ABOVE_PERCENT: Final = 70


class Level(StrEnum):
    """A score in one word."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


def percent_of(score: float) -> int:
    """Return a score, 0 to 1, in whole percent, as it is shown."""
    return round(score * 100)


def level_of(score: float) -> Level:
    """Return a score in one word, by its percentage as it is shown, so that the two never disagree.

    `LOW` below 30 %, `HIGH` above 70 %, and `MEDIUM` from 30 % to 70 %.
    """
    percent = percent_of(score)
    if percent < _LOW_BELOW_PERCENT:
        return Level.LOW
    return Level.HIGH if percent > _HIGH_ABOVE_PERCENT else Level.MEDIUM
