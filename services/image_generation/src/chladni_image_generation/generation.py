"""A generation: what it is made from, what is asked for, what it reports, and where its image comes from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from chladni_contract.provenance import Provenance

MAX_SEED: Final = 2**32 - 1


@dataclass(frozen=True, slots=True, eq=False)
class CourseWindow:
    """The part of a moving course that one frame shows, in place of a still image's sixteen segments.

    The segments stand fixed in time; the frame is a window over them, which ends now and is sixteen of them
    wide. So they glide over the image, and each looks the same wherever it stands.

    Attributes:
        centres: float32 (S,), increasing: where the centre of each segment stands, from 0 at the left edge to
            1 at the right one; some stand outside.
        numbers: int64 (S,), which segment each is, counted from the beginning of the audio.
        course: float32 (S, 8) in [0, 1], the features of each.
        means: float32 (8,) in [0, 1], what a feature is like on the whole; ridges show departures from it.
        growth: float32 (S,), factor on the size of what begins in each segment, 0 before it begins.
        drift: How many widths of the window the audio has moved on by since its beginning.
        level: How loud it is now, 0 to 1.
        flash: How strongly something begins just now, 0 to 1.
    """

    centres: NDArray[np.float32]
    numbers: NDArray[np.int64]
    course: NDArray[np.float32]
    means: NDArray[np.float32]
    growth: NDArray[np.float32]
    drift: float
    level: float
    flash: float

    def update_digest(self, digest: hashlib._Hash) -> None:
        """Add all values to a digest."""
        for name in ("centres", "numbers", "course", "means", "growth"):
            values = getattr(self, name)
            digest.update(f"window.{name} {values.shape}\n".encode())
            digest.update(_little_endian(values))
        digest.update(f"window {self.drift!r} {self.level!r} {self.flash!r}\n".encode())


@dataclass(frozen=True, slots=True, eq=False)
class Conditioning:
    """What an image is made from; every model takes some of these.

    Attributes:
        audio_embedding: float32 (D,), in the model's embedding space.
        prompt: Text to follow.
        negative_prompt: Text to avoid.
        initial_latents: float32 (C, H, W), to start from in place of noise, or with it.
        initial_latents_weight: How much of them, w in [0, 1]: x_T = sqrt(1 - w^2) noise + w latents.
        initial_image: uint8 RGB (height, width, 3), of any size, to start from.
        strength: How far to go from it, in (0, 1].
        course_window: The moving course that the embedding's own gives way to; `None` for a still image.
    """

    audio_embedding: NDArray[np.float32] | None = None
    prompt: str = ""
    negative_prompt: str = ""
    initial_latents: NDArray[np.float32] | None = None
    initial_latents_weight: float = 1.0
    initial_image: NDArray[np.uint8] | None = None
    strength: float = 0.7
    course_window: CourseWindow | None = None

    @property
    def required_audio_embedding(self) -> NDArray[np.float32]:
        """The embedding, for models that cannot do without.

        Raises:
            ValueError: There is none; requests for such models are refused before they come so far.
        """
        if self.audio_embedding is None:
            raise ValueError("this model needs an audio embedding")
        return self.audio_embedding

    def digest(self) -> str:
        """Return the SHA-256 over all values in hexadecimal."""
        digest = hashlib.sha256()
        for name, values in (
            ("audio_embedding", self.audio_embedding),
            ("initial_latents", self.initial_latents),
            ("initial_image", self.initial_image),
        ):
            if values is not None:
                digest.update(f"{name} {values.shape}\n".encode())
                digest.update(_little_endian(values))
        digest.update(f"{self.prompt!r} {self.negative_prompt!r}\n".encode())
        if self.initial_latents is not None:
            digest.update(f"weight {self.initial_latents_weight!r}\n".encode())
        if self.initial_image is not None:
            digest.update(f"strength {self.strength!r}\n".encode())
        if self.course_window is not None:
            self.course_window.update_digest(digest)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a conditioning came from, copied into the provenance and otherwise unused.

    Attributes:
        recipe: Name of the recipe; empty for none.
        audio_sha256: SHA-256 of the audio in hexadecimal; empty if unknown.
        part: Part of the recipe that the image is; empty for all of it.
        earlier: How the images that this one starts from were made, the first one first.
        fallback: Why another way than the recipe's own was taken; empty if it was not.
        options: Options of the recipe by name.
        audio_start_seconds: Where the part of the audio that was used begins; `None` if at the beginning.
        audio_end_seconds: Where that part ends; `None` if at the audio's end.
    """

    recipe: str = ""
    audio_sha256: str = ""
    part: str = ""
    earlier: tuple[Provenance, ...] = ()
    fallback: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    audio_start_seconds: float | None = None
    audio_end_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """An image to generate, with every default already filled in: all that its bytes depend on.

    Attributes:
        conditioning: What the image is made from.
        seed: Seed of the noise, 0 to ``MAX_SEED``.
        steps: Denoising steps, at least 1.
        guidance_scale: 1 for no guidance, more to follow the conditioning more closely.
        scheduler: Diffusers class name.
        width_pixels: Width of the image, before it is enlarged.
        height_pixels: Height of the image, before it is enlarged.
        upscale: Factor by which it is enlarged.
        refiner_start: Part of the steps after which the refiner takes over; `None` if there is none.
        look: Looks by name, with shares if there are several; empty for the model's first one.
        reproducible: Whether the pixels must not depend on who shares the model.
        origin: Where the conditioning came from, for the provenance.
    """

    conditioning: Conditioning
    seed: int
    steps: int
    guidance_scale: float
    scheduler: str
    width_pixels: int
    height_pixels: int
    upscale: int = 1
    refiner_start: float | None = None
    look: str = ""
    reproducible: bool = True
    origin: Origin = field(default_factory=Origin)

    @property
    def is_guided(self) -> bool:
        """Whether the image follows its conditioning more closely than the model would by itself."""
        return self.guidance_scale != 1


@dataclass(frozen=True, slots=True)
class PreviewOptions:
    """Which previews a caller wants.

    Attributes:
        interval_steps: Steps between previews; 0 for none.
        size_pixels: Length of the longer side in pixels.
    """

    interval_steps: int = 0
    size_pixels: int = 64

    def is_due(self, step: int) -> bool:
        """Return whether one is wanted after so many steps."""
        return bool(self.interval_steps) and step % self.interval_steps == 0


class ImageFormat(StrEnum):
    """Formats of finished images; those of pixels by their names in Pillow."""

    PNG = "PNG"
    JPEG = "JPEG"
    WEBP = "WEBP"
    SVG = "SVG"
    PDF = "PDF"

    @property
    def is_vector(self) -> bool:
        """Whether it holds shapes, which have no resolution, and not pixels."""
        return self in (ImageFormat.SVG, ImageFormat.PDF)

    @property
    def has_quality(self) -> bool:
        """Whether it loses something, and how much can be chosen."""
        return self in (ImageFormat.JPEG, ImageFormat.WEBP)


@dataclass(frozen=True, slots=True)
class ImageEncoding:
    """How a caller wants an image encoded.

    Attributes:
        format: Format of the file.
        quality: Quality of JPEG and WebP, 1 to 100; without meaning for the others, which lose nothing.
    """

    format: ImageFormat = ImageFormat.PNG
    quality: int = 90


PNG: Final = ImageEncoding()
"""The lossless encoding, from which every other one can be made."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What an image looks like so far.

    Attributes:
        jpeg: The preview as a JPEG.
        width_pixels: Its width.
        height_pixels: Its height.
    """

    jpeg: bytes
    width_pixels: int
    height_pixels: int


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits, behind `position` others."""

    position: int


@dataclass(frozen=True, slots=True)
class Started:
    """The request has been started."""

    request: GenerationRequest
    total_steps: int


@dataclass(frozen=True, slots=True)
class Progress:
    """A denoising step is done.

    Attributes:
        step: Steps done, from 1.
        total_steps: Steps in all.
        preview: The image so far; `None` at most steps.
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
    """The image is done.

    Attributes:
        content: The image's file with its provenance inside.
        provenance: How it was made.
        queue_seconds: Time before its first step.
        processing_seconds: Time from then on.
        is_reused: Whether an identical request gave the image.
        encoding: How it is encoded.
    """

    content: bytes
    provenance: Provenance
    queue_seconds: float
    processing_seconds: float
    is_reused: bool = False
    encoding: ImageEncoding = PNG


GenerationEvent = Queued | Started | Progress | Completed


def _little_endian(values: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes()
