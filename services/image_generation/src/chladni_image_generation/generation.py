"""What a generation is asked for and what it reports."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A picture to generate, with every default already filled in: all that its bytes depend on.

    Attributes:
        audio_embedding: float32 (D,), in the model's embedding space.
        seed: Seed of the noise, 0 to ``MAX_SEED``.
        steps: Denoising steps, at least 1.
        guidance_scale: 1 for no guidance, more to follow the conditioning more closely.
        scheduler: Diffusers class name.
        width_pixels: Width of the picture.
        height_pixels: Height of the picture.
        exact: Whether the pixels must not depend on who shares the model.
        recipe: Name of the recipe, for the provenance; empty for none.
        audio_sha256: SHA-256 of the recording in hexadecimal, for the provenance; empty if unknown.
    """

    audio_embedding: NDArray[np.float32]
    seed: int
    steps: int
    guidance_scale: float
    scheduler: str
    width_pixels: int
    height_pixels: int
    exact: bool = True
    recipe: str = ""
    audio_sha256: str = ""

    @property
    def is_guided(self) -> bool:
        """Whether each step takes a second row, without the conditioning."""
        return self.guidance_scale != 1


@dataclass(frozen=True, slots=True)
class PreviewWish:
    """Which previews a caller wants.

    Attributes:
        interval_steps: Steps between previews; 0 for none.
        size_pixels: Length of the longer side in pixels.
    """

    interval_steps: int = 0
    size_pixels: int = 64

    def is_due(self, step: int) -> bool:
        """Whether one is wanted after so many steps."""
        return bool(self.interval_steps) and step % self.interval_steps == 0


@dataclass(frozen=True, slots=True)
class Preview:
    """What a picture looks like so far.

    Attributes:
        jpeg: The preview as a JPEG.
        width_pixels: Its width.
        height_pixels: Its height.
    """

    jpeg: bytes
    width_pixels: int
    height_pixels: int


@dataclass(frozen=True, slots=True)
class Provenance:
    """Everything that decides the pixels. Equal provenance and conditioning give equal pixels, where exact.

    Attributes are those of ``chladni.image.v1.Provenance``.
    """

    model: str
    model_digest: str
    recipe: str
    seed: int
    steps: int
    guidance_scale: float
    scheduler: str
    width_pixels: int
    height_pixels: int
    audio_sha256: str
    conditioning_sha256: str
    dtype: str
    device: str
    batch_size: int
    thread_count: int
    library_versions: Mapping[str, str]
    exact: bool
    device_capability: str
    decode_batch_size: int


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits, behind `position` others."""

    position: int


@dataclass(frozen=True, slots=True)
class Started:
    """The request got its turn."""

    request: GenerationRequest
    total_steps: int


@dataclass(frozen=True, slots=True)
class Progress:
    """A denoising step is done.

    Attributes:
        step: Steps done, from 1.
        total_steps: Steps in all.
        preview: The picture so far; `None` at most steps.
        elapsed_seconds: Time since the request started.
        remaining_seconds: Expected time to the end.
    """

    step: int
    total_steps: int
    preview: Preview | None
    elapsed_seconds: float
    remaining_seconds: float


@dataclass(frozen=True, slots=True)
class Completed:
    """The picture is done.

    Attributes:
        png: The picture with its provenance inside.
        provenance: How it was made.
        queue_seconds: Time before its first step.
        processing_seconds: Time from then on.
        is_reused: Whether an identical request gave the picture.
    """

    png: bytes
    provenance: Provenance
    queue_seconds: float
    processing_seconds: float
    is_reused: bool = False


GenerationEvent = Queued | Started | Progress | Completed
