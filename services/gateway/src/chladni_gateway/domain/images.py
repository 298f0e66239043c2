"""What is known about an image, and the identifiers by which callers name one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from chladni_contract.errors import InvalidInputError, Reason
from chladni_gateway.domain.stages import STAGE_KEY, Stage

_UUID_PATTERN: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


class ImageFormat(StrEnum):
    """Format of an encoded image."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"
    SVG = "svg"
    PDF = "pdf"

    @property
    def media_type(self) -> str:
        """Media type of its files."""
        match self:
            case ImageFormat.SVG:
                return "image/svg+xml"
            case ImageFormat.PDF:
                return "application/pdf"
            case _:
                return f"image/{self.value}"

    @property
    def is_vector(self) -> bool:
        """Whether it holds shapes, which have no resolution, and not pixels."""
        return self in (ImageFormat.SVG, ImageFormat.PDF)

    @property
    def has_quality(self) -> bool:
        """Whether it loses something, and how much can be chosen."""
        return self in (ImageFormat.JPEG, ImageFormat.WEBP)

    @property
    def suffix(self) -> str:
        """End of the names of its files."""
        return ".jpg" if self is ImageFormat.JPEG else f".{self.value}"


PIXEL_FORMATS: Final = tuple(form for form in ImageFormat if not form.is_vector)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageEncoding:
    """How an image is encoded.

    Attributes:
        format: Format.
        quality: Quality of JPEG and WebP, 1 to 100; `None` for the service's default.
    """

    format: ImageFormat = ImageFormat.PNG
    quality: int | None = None


PNG_ENCODING: Final = ImageEncoding()


@dataclass(frozen=True, slots=True)
class Image:
    """An encoded image.

    Attributes:
        content: The file's bytes.
        media_type: Such as ``image/png``; empty if only the bytes say.
        width_pixels: Width; 0 if it is not known.
        height_pixels: Height; 0 if it is not known.
    """

    content: bytes
    media_type: str = ""
    width_pixels: int = 0
    height_pixels: int = 0


def format_of(image: Image) -> ImageFormat:
    """Return the format of an image; PNG, which services answer with, if its media type does not say."""
    return next((form for form in ImageFormat if form.media_type == image.media_type), ImageFormat.PNG)


def parse_uuid(text: str, *, field: str, hint: str) -> UUID:
    """Return the UUID for the text that a caller wrote.

    Args:
        text: What the caller wrote.
        field: Name of the field, for the error.
        hint: What to send, for the error.

    Raises:
        InvalidInputError: It is not a UUID; `field` is named.
    """
    if _UUID_PATTERN.fullmatch(text):
        return UUID(text)
    raise InvalidInputError(
        Reason.INVALID_FIELD,
        f"{field} must be a UUID such as 123e4567-e89b-42d3-a456-426614174000; {hint}.",
        field=field,
        metadata={STAGE_KEY: Stage.VALIDATION.value},
    )
