"""What the gateway needs of the services behind it, without a word on how they are reached.

Every method raises `ChladniError`: what the service answered with, or BACKEND_UNAVAILABLE where it cannot
be reached, or DEADLINE_EXCEEDED.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from chladni_contract.score_curve import ScoreCurve
from chladni_gateway.domain.audio import AudioClip, AudioFeatures, Embedding, InitialLatents, LatentBasis
from chladni_gateway.domain.events import GenerationEvent
from chladni_gateway.domain.generation import GenerationRequest
from chladni_gateway.domain.images import Image
from chladni_gateway.domain.live import LiveEvent
from chladni_gateway.domain.models import ModelSummary
from chladni_gateway.domain.scores import Vector
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
    """How well an image fits a sound.

    Attributes:
        score: 0 to 1; at 0.5 the sound is as likely the image's as another's.
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
class ImageVectors:
    """Vectors of images.

    Attributes:
        vectors: A vector each, all of one length, none of them zero.
        model: Model that made them.
        score_curve: How scores follow from their cosines; `None` where the score is the cosine, negative ones
            as 0.
    """

    vectors: tuple[Vector, ...]
    model: str
    score_curve: ScoreCurve | None = None


class Backend(Protocol):
    """A service behind the gateway."""

    @property
    def name(self) -> str:
        """Name of the service, such as ``audio-features``."""
        ...

    async def health(self, deadline: Deadline) -> HealthState:
        """Returns how the service is; never raises."""
        ...

    async def models(self, deadline: Deadline) -> tuple[ModelSummary, ...]:
        """Returns the models of the service."""
        ...


class AudioAnalyzer(Backend, Protocol):
    """Analyses recordings."""

    async def analyze(
        self, clip: AudioClip, deadline: Deadline, *, embedding_model: str = ""
    ) -> AudioFeatures:
        """Returns descriptors and embedding of a recording; the default model's where none is named."""
        ...

    async def embed(self, clip: AudioClip, model: str, deadline: Deadline) -> Embedding:
        """Returns the embedding of a recording by a model."""
        ...

    async def initial_latents(
        self, clip: AudioClip, shape: tuple[int, ...], basis: LatentBasis, deadline: Deadline
    ) -> InitialLatents:
        """Returns initial latents of the shape (C, H, W) made from a recording's mel spectrogram."""
        ...


class SpectrogramRenderer(Protocol):
    """Draws spectrograms."""

    async def render(self, clip: AudioClip, size: SpectrogramSize, deadline: Deadline) -> Image:
        """Returns the spectrogram of a recording, time to the right and frequency upwards."""
        ...


class LiveAnalyzer(Protocol):
    """Listens to live sound."""

    def stream(
        self, sample_rate_hz: int, chunks: AsyncIterator[bytes], deadline: Deadline
    ) -> AsyncGenerator[LiveEvent, None]:
        """Yields mel frames while sound comes, and a summary at its end; closing the generator stops it.

        Args:
            sample_rate_hz: Sample rate.
            chunks: The sound: mono, little-endian 16-bit integers, whole samples in each chunk.
            deadline: When it must have ended.
        """
        ...


class ImageSource(Protocol):
    """Generates images."""

    def generate(
        self, generation: GenerationRequest, deadline: Deadline
    ) -> AsyncGenerator[GenerationEvent, None]:
        """Yields what happens until the image is completed; closing the generator stops the work."""
        ...


class ImageGenerator(Backend, ImageSource, Protocol):
    """A service that generates images."""


class ImageComparer(Backend, Protocol):
    """Compares images."""

    async def compare(self, first: Image, second: Image, deadline: Deadline) -> ImageSimilarity:
        """Returns how alike two images are."""
        ...


class ImageEmbedder(Protocol):
    """Gives images a place in a space where like ones are near each other."""

    async def embed(self, images: Sequence[Image], deadline: Deadline) -> ImageVectors:
        """Returns the vectors of 1 to 64 images, in their order."""
        ...


class AlignmentScorer(Protocol):
    """Tells how well images fit sounds."""

    async def score_alignment(self, sound: Embedding, image: Image, deadline: Deadline) -> Alignment:
        """Returns how well an image fits a sound."""
        ...
