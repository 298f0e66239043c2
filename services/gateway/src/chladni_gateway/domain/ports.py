"""What the gateway needs of the services behind it, however they are reached.

Every method raises `ChladniError`: what the service answered with, or BACKEND_UNAVAILABLE if it cannot
be reached, or DEADLINE_EXCEEDED.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias
from uuid import UUID

from chladni_gateway.domain.audio import (
    DEFAULT_FEATURES,
    AudioClip,
    AudioFeatures,
    AudioReconstruction,
    Embedding,
    FeatureSelection,
    ReconstructionOptions,
)
from chladni_gateway.domain.events import GenerationEvent
from chladni_gateway.domain.generation import GenerationRequest
from chladni_gateway.domain.images import PNG_ENCODING, Image, ImageEncoding
from chladni_gateway.domain.live import LiveChunk, LiveEvent, LiveImageEvent, LiveImageRequest
from chladni_gateway.domain.models import ModelSummary
from chladni_runtime.client.health import HealthState
from chladni_runtime.execution.deadlines import Deadline


@dataclass(frozen=True, slots=True)
class ImageSimilarity:
    """How alike two images are.

    Attributes:
        score: 0 to 1; exactly 1 for equal images.
        cosine: Cosine of the two embeddings, -1 to 1.
        model: Model that was used.
    """

    score: float
    cosine: float
    model: str


@dataclass(frozen=True, slots=True)
class Alignment:
    """How well an image fits audio.

    Attributes:
        score: 0 to 1; at 0.5 the audio is as likely the image's as another's.
        cosine: Cosine of the two embeddings, -1 to 1.
        model: Model that was used.
    """

    score: float
    cosine: float
    model: str


@dataclass(frozen=True, slots=True)
class SpectrogramSize:
    """Size of a spectrogram; `None` leaves it to the service."""

    width_pixels: int | None = None
    height_pixels: int | None = None


@dataclass(frozen=True, slots=True)
class SimilarityMatrix:
    """How alike several images are.

    Attributes:
        scores: Row i, column j: how alike image i of the rows and image j of the columns are, 0 to 1.
        model: Model that was used.
    """

    scores: tuple[tuple[float, ...], ...]
    model: str


@dataclass(frozen=True, slots=True)
class CollectionMatches:
    """What a search in a collection found.

    Attributes:
        scores: How alike the found images are, 0 to 1, by identifier; those most alike first.
        absent_ids: Candidates that the collection does not hold.
    """

    scores: Mapping[UUID, float]
    absent_ids: tuple[UUID, ...] = ()


class Backend(Protocol):
    """A service behind the gateway."""

    @property
    def name(self) -> str:
        """Name of the service, such as ``audio-features``."""
        ...

    async def health(self, deadline: Deadline) -> HealthState:
        """Return how the service is; never raises."""
        ...

    async def models(self, deadline: Deadline) -> tuple[ModelSummary, ...]:
        """Return the models of the service."""
        ...


class AudioAnalyzer(Backend, Protocol):
    """Analyses recordings."""

    async def analyze(
        self, clip: AudioClip, deadline: Deadline, *, selection: FeatureSelection = DEFAULT_FEATURES
    ) -> AudioFeatures:
        """Return the descriptors of a clip and what is selected; the clip is sent and decoded once.

        A model that fails makes the whole analysis fail.
        """
        ...


Cut: TypeAlias = Callable[[AsyncIterator[bytes]], Awaitable[AudioClip]]
"""Takes the pieces of a file and returns the part of it that was chosen."""


class AudioCutter(Protocol):
    """Cuts parts out of files that are larger than a message."""

    def cutting(self, clip: AudioClip, deadline: Deadline) -> AbstractAsyncContextManager[Cut]:
        """Yield, once the service is ready, what takes a file in pieces and returns the part of it.

        Args:
            clip: Says which part it is; without content.
            deadline: When it must be done.
        """
        ...


class SpectrogramRenderer(Protocol):
    """Draws spectrograms."""

    async def render(
        self,
        clip: AudioClip,
        size: SpectrogramSize,
        deadline: Deadline,
        *,
        encoding: ImageEncoding = PNG_ENCODING,
    ) -> Image:
        """Return the spectrogram of a recording, time to the right and frequency upwards."""
        ...


class MusicAnalyzer(Protocol):
    """Analyses music."""

    async def analyze_music(self, clip: AudioClip, deadline: Deadline) -> dict[str, Any]:
        """Return what is heard in the music of a clip, as JSON with times in seconds.

        `features` has its features by the names that writers of prompts take.
        """
        ...


class AudioReconstructor(Protocol):
    """Passes audio through an autoencoder."""

    async def reconstruct(
        self, clip: AudioClip, options: ReconstructionOptions, deadline: Deadline
    ) -> AudioReconstruction:
        """Return a clip after the autoencoder, with what the options ask for."""
        ...


class LiveAnalyzer(Protocol):
    """Analyses live sound."""

    def stream(
        self, sample_rate_hz: int, chunks: AsyncIterator[LiveChunk], deadline: Deadline
    ) -> AsyncGenerator[LiveEvent, None]:
        """Yield mel frames while sound comes, and a summary at its end; closing the generator stops it.

        Args:
            sample_rate_hz: Sample rate.
            chunks: The sound: mono, little-endian 16-bit integers, whole samples in each chunk; and flushes.
            deadline: When it must have ended.
        """
        ...


class LiveImageSource(Protocol):
    """Draws images of live audio."""

    def stream(
        self, wanted: LiveImageRequest, chunks: AsyncIterator[bytes], deadline: Deadline
    ) -> AsyncGenerator[LiveImageEvent, None]:
        """Yield the newest image whenever the caller asks for one; closing the generator stops it.

        Args:
            wanted: What to draw.
            chunks: The audio: mono, little-endian 16-bit integers, whole samples in each chunk.
            deadline: When it must have ended.
        """
        ...


class ImageSource(Protocol):
    """Generates images."""

    def generate(
        self, generation: GenerationRequest, deadline: Deadline
    ) -> AsyncGenerator[GenerationEvent, None]:
        """Yield what happens until the image is completed; closing the generator stops the work."""
        ...


class ImageGenerator(Backend, ImageSource, Protocol):
    """A service that generates images."""


class ImageComparer(Backend, Protocol):
    """Compares images."""

    async def compare(self, first: Image, second: Image, deadline: Deadline) -> ImageSimilarity:
        """Return how alike two images are."""
        ...


class MatrixComparer(Protocol):
    """Compares several images at once."""

    async def compare_matrix(
        self, rows: Sequence[Image], columns: Sequence[Image], deadline: Deadline
    ) -> SimilarityMatrix:
        """Return how alike images are to others, 64 in all at most; without columns, to each other."""
        ...


class ImageCollection(Protocol):
    """A collection of images that are found by their likeness; it may lose images, or all of them."""

    async def add(self, images: Mapping[UUID, Image], deadline: Deadline) -> None:
        """Add 1 to 64 images."""
        ...

    async def search(
        self, image: Image, candidate_ids: Sequence[UUID], limit: int, deadline: Deadline
    ) -> CollectionMatches:
        """Return those of 1 to 1000 candidates that are most like an image, at most `limit`."""
        ...

    async def remove(self, image_ids: Sequence[UUID], deadline: Deadline) -> None:
        """Remove 1 to 1000 images; one that the collection does not hold is ignored."""
        ...


class AlignmentScorer(Protocol):
    """Scores how well images fit audio."""

    async def score_alignment(self, audio: Embedding, image: Image, deadline: Deadline) -> Alignment:
        """Return how well an image fits audio."""
        ...
