"""Images, how they came to be, and how alike they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from chladni_client.files import PngFile
from chladni_client.types.audio import AudioProperties, Descriptor
from chladni_contract.provenance import Provenance


class Priority(StrEnum):
    """How urgent an image is; callers and priorities share the model, and none waits for ever."""

    INTERACTIVE = "interactive"
    """Someone waits for it."""
    BATCH = "batch"
    """It is one of many."""


@dataclass(frozen=True, slots=True)
class CreatedImage(PngFile):
    """An image made from a sound.

    Attributes:
        image_id: Identifier at the server, for `get_image` and `compare_images` until it expires.
        png: The image, an encoded PNG that carries its provenance.
        width_pixels: Width.
        height_pixels: Height.
        provenance: How it was made.
        audio: What was found in the recording; `None` if the server did not say.
        descriptors: Descriptors of the sound, which decide the image.
        processing_seconds: Time from the request's arrival at the server to the finished image.
        expires_at: When the server forgets it; `None` if it did not say.
        is_reused: Whether an identical request, answered before or in progress at the same time, gave it.
    """

    image_id: str
    png: bytes = field(repr=False)
    width_pixels: int
    height_pixels: int
    provenance: Provenance
    audio: AudioProperties | None
    descriptors: tuple[Descriptor, ...] = field(repr=False)
    processing_seconds: float
    expires_at: datetime | None
    is_reused: bool = False

    @property
    def seed(self) -> int:
        """Seed of the noise; with the same recording and parameters it gives the same image again."""
        return self.provenance.seed


@dataclass(frozen=True, slots=True)
class StoredImage(PngFile):
    """An image that the server keeps.

    Attributes:
        image_id: Identifier.
        png: The image, an encoded PNG that carries its provenance.
        created_at: When it was made; `None` if the server did not say.
        expires_at: When the server forgets it; `None` if it did not say.
    """

    image_id: str
    png: bytes = field(repr=False)
    created_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How alike two images are.

    Attributes:
        score: 0 to 1; exactly 1 for equal images.
        cosine: Cosine of the two embeddings, -1 to 1.
        model: Model that was used.
    """

    score: float
    cosine: float
    model: str
