"""Where images are kept: the interface, and what is kept with each image."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Protocol
from uuid import UUID

from pydantic import AliasChoices, Field

from chladni_contract.errors import NotFoundError, Reason
from chladni_contract.provenance import Provenance
from chladni_contract.warnings import ServiceWarning
from chladni_gateway.domain.audio import AudioProperties, Descriptor, Embedding
from chladni_gateway.domain.images import Image, ImageFormat, parse_uuid


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """What is kept with an image.

    Attributes:
        image_id: Identifier of the image.
        created_at: When it was made.
        expires_at: When it expires.
        sha256: SHA-256 of the file, in hexadecimal digits.
        width_pixels: Width.
        height_pixels: Height.
        format: Format of the file.
        size_bytes: Length of the file; 0 for records of earlier versions.
        source_name: Name of the recording, for people; empty if it had none.
        recipe: Name of the recipe.
        processing_seconds: Time that it took to make.
        audio: What was found in the recording; `None` if it was made without one.
        descriptors: Descriptors of the sound.
        provenance: How it was made.
        is_reused: Whether an identical request, answered before or in progress at the same time, gave it.
        owner: Whose image it is: the one who may list and delete it. Empty if it is nobody's.
        warnings: What its owner should know about it and its sound.
        audio_embedding: Embedding of the sound, without component names; `None` for records of earlier
            versions, which have none, or call it `sound`.
        is_pinned: Whether its owner wants it kept: neither limits nor time remove it.
    """

    image_id: UUID
    created_at: datetime
    expires_at: datetime
    sha256: str
    width_pixels: int
    height_pixels: int
    source_name: str
    recipe: str
    processing_seconds: float
    audio: AudioProperties | None
    descriptors: tuple[Descriptor, ...]
    provenance: Provenance
    format: ImageFormat = ImageFormat.PNG
    size_bytes: int = 0
    is_reused: bool = False
    owner: str = ""
    warnings: tuple[ServiceWarning, ...] = ()
    audio_embedding: Annotated[
        Embedding | None, Field(validation_alias=AliasChoices("audio_embedding", "sound"))
    ] = None
    is_pinned: bool = False

    def is_expired(self, now: datetime) -> bool:
        """Return whether the image is gone at a time; a pinned one stays."""
        return self.expires_at <= now and not self.is_pinned


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image from the store.

    Attributes:
        record: What is kept with it.
        content: The file's bytes.
    """

    record: ImageRecord
    content: bytes

    @property
    def image(self) -> Image:
        """The image with what is known about its file."""
        record = self.record
        return Image(self.content, record.format.media_type, record.width_pixels, record.height_pixels)


class ImageStore(Protocol):
    """Keeps a bounded number of images for a bounded time.

    Identifiers are `UUID` objects, so nothing that a caller wrote can become part of a path or a key. All
    methods raise `UnavailableError` (STORAGE_UNAVAILABLE) if the storage fails.
    """

    @property
    def retention(self) -> timedelta:
        """Time after which an image expires."""
        ...

    @property
    def max_images_per_owner(self) -> int:
        """Images that are kept of one owner."""
        ...

    async def put(self, content: bytes, record: ImageRecord) -> ImageRecord:
        """Keep an image, whole or not at all; return its record, whose warnings say what was removed for it.

        If its owner has as many as are kept of one, the owner's oldest makes room. If all owners together
        have as many as are kept, the one with the most gives its oldest. Pinned images stay.
        """
        ...

    async def count_owned(self, owner: str) -> int:
        """Return how many images of an owner are kept."""
        ...

    async def get(self, image_id: UUID) -> StoredImage:
        """Return an image.

        Raises:
            NotFoundError: There is none of this identifier, or it has expired.
        """
        ...

    async def describe(self, image_id: UUID) -> ImageRecord:
        """Return what is kept with an image, without the image.

        Raises:
            NotFoundError: There is none of this identifier, or it has expired.
        """
        ...

    async def list_owned(
        self, owner: str, *, limit: int, before: UUID | None = None
    ) -> tuple[ImageRecord, ...]:
        """Return what is kept with the images of an owner, the newest first.

        Args:
            owner: The owner; no image is an empty owner's.
            limit: Images at most.
            before: Only images older than this one of the same owner.

        Raises:
            NotFoundError: `before` is no image of the owner.
        """
        ...

    async def delete(self, image_id: UUID, *, owner: str) -> None:
        """Remove an image.

        Raises:
            NotFoundError: The owner has none of this identifier.
        """

    async def pin(self, image_id: UUID, *, owner: str, is_pinned: bool) -> ImageRecord:
        """Keep an image from being removed by limits or time, or no longer; return its record.

        Half of the images that are kept, of one owner and of all, can be pinned, so that there is always room
        for a new one. An image that is unpinned after its time has come expires at once.

        Raises:
            NotFoundError: The owner has none of this identifier.
            ChladniError: As many images as may be are pinned (COLLECTION_FULL).
        """
        ...

    async def sweep(self) -> int:
        """Remove what has expired; return how many images that were."""
        ...


async def describe_owned(store: ImageStore, image_id: UUID, *, owner: str) -> ImageRecord:
    """Return what is kept with an image of an owner.

    Raises:
        NotFoundError: The owner has none of this identifier, or it has expired.
    """
    record = await store.describe(image_id)
    if not owner or record.owner != owner:
        raise unknown_image(image_id)
    return record


def parse_image_id(text: str, *, field: str) -> UUID:
    """Return the identifier that a caller wrote.

    Raises:
        InvalidInputError: It is not a UUID; `field` is named.
    """
    return parse_uuid(text, field=field, hint="send the identifier that the creation of the image returned")


def unknown_image(image_id: UUID) -> NotFoundError:
    """Return the error for an identifier that the store does not hold."""
    return NotFoundError(
        Reason.UNKNOWN_IMAGE,
        f"No image has the identifier {image_id}, or it has expired. Create it again.",
        metadata={"image_id": str(image_id)},
    )
