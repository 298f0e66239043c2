"""The conditions under which a section measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

ValueT = TypeVar("ValueT")


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of a section.

    Attributes:
        folder: An empty folder for the section; it is deleted afterwards.
        is_quick: Whether to measure only to see that everything works. Such figures mean nothing.
        report: Takes a short description of what is being measured now.
    """

    folder: Path
    is_quick: bool
    report: Callable[[str], None]

    def choose(self, thorough: ValueT, quick: ValueT) -> ValueT:
        """Return one of two amounts, depending on how thorough the measurement should be."""
        return quick if self.is_quick else thorough


class NotMeasurableError(Exception):
    """This machine lacks what a section measures; the message says what."""
