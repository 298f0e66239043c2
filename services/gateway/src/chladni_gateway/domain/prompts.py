"""Prompts for music: what is asked of those who write and score them, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from chladni_gateway.domain.audio import AudioClip, Embedding
from chladni_gateway.domain.request import MAX_SEED
from chladni_runtime.execution.deadlines import Deadline
from chladni_runtime.server.validation import RequestValidator

MAX_PROMPTS: Final = 16
"""Most prompts of a style."""
MAX_TEMPERATURE: Final = 2


@dataclass(frozen=True, slots=True)
class MusicDescription:
    """Music in a few words.

    Attributes:
        features: Its features, by the names that writers of prompts take.
        time_course: Its course over time; empty if it is not wanted.
    """

    features: Mapping[str, Any]
    time_course: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptQuery:
    """Prompts that are wanted; `None` and empty leave it to the service.

    Attributes:
        music: The music that they are for.
        convergent_count: Number of convergent prompts.
        divergent_count: Number of divergent ones.
        convergent_temperature: Sampling temperature of convergent prompts.
        divergent_temperature: Sampling temperature of divergent ones.
        seed: Seed, for writers that take one.
        writer: Name of the writer.
    """

    music: MusicDescription
    convergent_count: int | None = None
    divergent_count: int | None = None
    convergent_temperature: float | None = None
    divergent_temperature: float | None = None
    seed: int | None = None
    writer: str = ""


def check_prompt_query(query: PromptQuery) -> None:
    """Require that the numbers of a query lie in their ranges.

    Raises:
        InvalidFieldsError: One does not.
    """
    validator = RequestValidator()
    ranges = (
        ("convergent_count", query.convergent_count, MAX_PROMPTS),
        ("divergent_count", query.divergent_count, MAX_PROMPTS),
        ("convergent_temperature", query.convergent_temperature, MAX_TEMPERATURE),
        ("divergent_temperature", query.divergent_temperature, MAX_TEMPERATURE),
        ("seed", query.seed, MAX_SEED),
    )
    for name, value, maximum in ranges:
        if value is not None:
            validator.check_range(name, value, minimum=0, maximum=maximum)
    validator.raise_if_invalid()


@dataclass(frozen=True, slots=True)
class WrittenPrompt:
    """A prompt.

    Attributes:
        text: The prompt.
        style: ``convergent`` or ``divergent``.
        temperature: Temperature that it was written with.
    """

    text: str
    style: str
    temperature: float


@dataclass(frozen=True, slots=True)
class WrittenPrompts:
    """Prompts for one piece of music.

    Attributes:
        prompts: The prompts, convergent ones first.
        writer: Writer that was used.
        model: Model that the writer used.
        seed: Seed in use; `None` if the writer takes none.
        features: The features that they were written for.
        time_course: The course over time that the writer was told; empty for none.
        processing_seconds: Time that the writer took.
    """

    prompts: tuple[WrittenPrompt, ...]
    writer: str
    model: str
    seed: int | None
    features: Mapping[str, Any]
    time_course: str
    processing_seconds: float


@dataclass(frozen=True, slots=True)
class PromptScore:
    """Scores of one prompt, each in [0, 1].

    Attributes:
        originality: How unusual it is.
        elaboration: How much detail it gives.
        alignment: How well it fits the features; `None` without features.
        coherence: How well it hangs together.
    """

    originality: float
    elaboration: float
    alignment: float | None
    coherence: float


@dataclass(frozen=True, slots=True)
class PromptScores:
    """Scores of several prompts.

    Attributes:
        scores: One for each, in order.
        vendi_score: Number of different prompts in effect.
        similarity: What similarity was measured by.
    """

    scores: tuple[PromptScore, ...]
    vendi_score: float
    similarity: str


@dataclass(frozen=True, slots=True)
class EmbeddedPrompts:
    """Prompts as embeddings of sounds, for models that take no text.

    Attributes:
        embeddings: One for each prompt, in order.
        word_map: Map from words that was used.
        weight: Weight of the prompts against the sound.
    """

    embeddings: tuple[Embedding, ...]
    word_map: str
    weight: float


class MusicDescriber(Protocol):
    """Describes music for those who write prompts."""

    async def describe(
        self, clip: AudioClip, deadline: Deadline, *, with_time_course: bool = False
    ) -> MusicDescription:
        """Return the features of a clip, and its course over time if that is wanted."""
        ...


class PromptBackend(Protocol):
    """Writes and scores prompts."""

    async def write_prompts(self, query: PromptQuery, deadline: Deadline) -> WrittenPrompts:
        """Return prompts for music."""
        ...

    async def score_prompts(
        self,
        prompts: Sequence[str],
        deadline: Deadline,
        *,
        features: Mapping[str, Any] | None = None,
        references: Sequence[str] = (),
    ) -> PromptScores:
        """Return the scores of 1 to 64 prompts."""
        ...

    async def embed_prompts(
        self, prompts: Sequence[str], audio: Embedding, deadline: Deadline
    ) -> EmbeddedPrompts:
        """Return 1 to 64 prompts in the space of descriptors, blended with the embedding of a sound."""
        ...
