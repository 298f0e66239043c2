"""What writers of prompts are asked, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from chladni_image_generation.prompts.features import MusicFeatures


class PromptStyle(StrEnum):
    """Style of thinking that a prompt follows."""

    CONVERGENT = "convergent"
    DIVERGENT = "divergent"


DEFAULT_COUNTS: Final = {PromptStyle.CONVERGENT: 3, PromptStyle.DIVERGENT: 2}
DEFAULT_TEMPERATURES: Final = {PromptStyle.CONVERGENT: 0.4, PromptStyle.DIVERGENT: 0.8}


@dataclass(frozen=True, kw_only=True)
class PromptOrder:
    """Prompts of one style that are wanted.

    Attributes:
        features: The music.
        style: Style of thinking.
        count: How many.
        temperature: Sampling temperature, 0 to 2.
        seed: Seed, for writers that take one.
        time_course: The course of the mel spectrogram over time in words; empty if it is not to be told.
    """

    features: MusicFeatures
    style: PromptStyle
    count: int
    temperature: float
    seed: int
    time_course: str = ""


class PromptWriter(Protocol):
    """Writes prompts."""

    @property
    def name(self) -> str:
        """Name by which it is chosen, such as "grammar"."""
        ...

    @property
    def model(self) -> str:
        """Model that it uses."""
        ...

    @property
    def takes_seed(self) -> bool:
        """Whether the same seed gives the same prompts."""
        ...

    def write(self, order: PromptOrder, *, timeout_seconds: float) -> list[str]:
        """Return the prompts.

        Raises:
            ChladniError: It cannot be reached or used, or refuses.
        """
        ...
