"""Images, and how they came to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from chladni_client.files import ImageFile
from chladni_client.types.audio import AudioProperties, Descriptor, ServerWarning
from chladni_contract.provenance import Provenance


class Priority(StrEnum):
    """How urgent an image is; callers and priorities share the model, and none waits for ever."""

    INTERACTIVE = "interactive"
    """Someone waits for it."""
    BATCH = "batch"
    """It is one of many."""


class ImageFormat(StrEnum):
    """How an image is encoded; each format carries the provenance."""

    PNG = "png"
    """Lossless; what `reproduce_image` compares."""
    JPEG = "jpeg"
    WEBP = "webp"
    SVG = "svg"
    """Shapes, exact at any size; only of images of a plate alone (``look="plate"``), as is PDF."""
    PDF = "pdf"


@dataclass(frozen=True, slots=True)
class CreatedImage(ImageFile):
    """An image made from a sound.

    Attributes:
        image_id: Identifier at the server, for `get_image` and `compare_images` until it expires.
        content: The file of the image, which carries its provenance: a PNG unless another was asked for.
        width_pixels: Width.
        height_pixels: Height.
        provenance: How it was made.
        audio: What was found in the recording; `None` if it was made from initial latents alone.
        descriptors: Descriptors of the sound, which decide the image.
        processing_seconds: Time from the request's arrival at the server to the finished image.
        expires_at: When the server forgets it; `None` if it did not say.
        is_reused: Whether an identical request, answered before or in progress at the same time, gave it.
        warnings: What the caller should know about the image and its audio, such as text that the model did
            not read; usually empty.
    """

    image_id: str
    content: bytes = field(repr=False)
    width_pixels: int
    height_pixels: int
    provenance: Provenance
    audio: AudioProperties | None
    descriptors: tuple[Descriptor, ...] = field(repr=False)
    processing_seconds: float
    expires_at: datetime | None
    is_reused: bool = False
    warnings: tuple[ServerWarning, ...] = ()

    @property
    def seed(self) -> int:
        """Seed of the noise; with the same recording and parameters it gives the same image again."""
        return self.provenance.seed


@dataclass(frozen=True, slots=True)
class Image:
    """The description of an image that the server keeps. What only its owner may know is `None` or empty.

    Attributes:
        image_id: Identifier, for `get_image`, `compare_images` and the other calls.
        format: Format of its file: ``png``, ``jpeg`` or ``webp``.
        size_bytes: Length of its file.
        sha256: SHA-256 of its file, 64 hexadecimal digits.
        width_pixels: Width.
        height_pixels: Height.
        created_at: When it was made; `None` if the server did not say.
        expires_at: When the server removes it; `None` if it did not say.
        recipe: Recipe by which it was made.
        provenance: How it was made; `None` if the server did not say.
        audio: What was found in the audio.
        descriptors: Descriptors of the audio, which decided the image.
        display_name: Name of the audio for people.
        processing_seconds: Time from the request's arrival to the image's storage.
        is_reused: Whether an identical request gave it.
        warnings: As for `CreatedImage`.
        is_pinned: Whether its owner pinned it: neither limits nor time remove it then.
    """

    image_id: str
    format: str
    size_bytes: int
    sha256: str = field(repr=False)
    width_pixels: int
    height_pixels: int
    created_at: datetime | None
    expires_at: datetime | None
    recipe: str
    provenance: Provenance | None = field(repr=False)
    audio: AudioProperties | None = field(repr=False)
    descriptors: tuple[Descriptor, ...] = field(repr=False)
    display_name: str
    processing_seconds: float
    is_reused: bool
    warnings: tuple[ServerWarning, ...] = ()
    is_pinned: bool = False


@dataclass(frozen=True, slots=True)
class StoredImage(ImageFile):
    """An image that the server keeps, with its file.

    Attributes:
        content: The file of the image, which carries its provenance.
        description: What the server says of it.
    """

    content: bytes = field(repr=False)
    description: Image

    @property
    def image_id(self) -> str:
        """Identifier."""
        return self.description.image_id

    @property
    def created_at(self) -> datetime | None:
        """When it was made; `None` if the server did not say."""
        return self.description.created_at

    @property
    def expires_at(self) -> datetime | None:
        """When the server removes it; `None` if it did not say."""
        return self.description.expires_at
