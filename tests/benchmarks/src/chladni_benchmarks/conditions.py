"""Under which conditions a section measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

ValueT = TypeVar("ValueT")


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a section is told.

    Attributes:
        folder: An empty folder of its own; it is deleted afterwards.
        is_quick: Whether to measure as little as shows that everything works. Such figures mean nothing.
        tell: Takes a few words on what is being measured now.
    """

    folder: Path
    is_quick: bool
    tell: Callable[[str], None]

    def choose(self, thorough: ValueT, quick: ValueT) -> ValueT:
        """Returns one of two amounts, by how thorough the measurement is to be."""
        return quick if self.is_quick else thorough


class NotMeasurableError(Exception):
    """This machine lacks what a section measures; the message says what."""
