"""Where pictures are kept: the interface, and what is kept with each picture."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from chladni_gateway.pictures import Provenance
from chladni_gateway.recordings import AudioProperties, Descriptor
from chladni_gateway.stages import STAGE_KEY, Stage
from chladni_runtime.errors import InvalidInputError, NotFoundError, Reason

_UUID_PATTERN: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """What is kept with a picture.

    Attributes:
        image_id: Identifier of the picture.
        created_at: When it was made.
        expires_at: When it expires.
        sha256: SHA-256 of the PNG, in hexadecimal digits.
        width_pixels: Width.
        height_pixels: Height.
        source_name: Name of the recording, for people; empty where it had none.
        recipe: Name of the recipe.
        processing_seconds: Time that it took to make.
        audio: What was found in the recording.
        descriptors: Descriptors of the sound.
        provenance: How it was made.
        is_reused: Whether an identical request, answered before or in progress at the same time, gave it.
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
    audio: AudioProperties
    descriptors: tuple[Descriptor, ...]
    provenance: Provenance
    is_reused: bool = False


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A picture from the store.

    Attributes:
        record: What is kept with it.
        content: The PNG's bytes.
    """

    record: ImageRecord
    content: bytes


class ImageStore(Protocol):
    """Keeps a bounded number of pictures for a bounded time.

    Identifiers are `UUID` objects, so nothing that a caller wrote can become part of a path or a key. All
    methods raise `UnavailableError` (STORAGE_UNAVAILABLE) where the storage fails.
    """

    @property
    def retention(self) -> timedelta:
        """Time after which a picture expires."""
        ...

    async def put(self, content: bytes, record: ImageRecord) -> None:
        """Keeps a picture, whole or not at all; the oldest ones make room for it."""

    async def get(self, image_id: UUID) -> StoredImage:
        """Returns a picture.

        Raises:
            NotFoundError: There is none of this identifier, or it has expired.
        """
        ...

    async def sweep(self) -> int:
        """Removes what has expired; returns how many pictures that were."""
        ...


def parse_image_id(text: str, *, field: str) -> UUID:
    """Returns the identifier that a caller wrote.

    Raises:
        InvalidInputError: It is not a UUID; `field` is named.
    """
    if _UUID_PATTERN.fullmatch(text):
        return UUID(text)
    raise InvalidInputError(
        Reason.INVALID_FIELD,
        f"{field} must be a UUID such as 123e4567-e89b-42d3-a456-426614174000; "
        "send the identifier that the creation of the image returned.",
        field=field,
        metadata={STAGE_KEY: Stage.VALIDATION.value},
    )


def unknown_image(image_id: UUID) -> NotFoundError:
    """Returns the error for an identifier that the store does not hold."""
    return NotFoundError(
        Reason.UNKNOWN_IMAGE, f"No image has the identifier {image_id}, or it has expired. Create it again."
    )
