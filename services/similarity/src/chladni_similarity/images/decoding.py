"""Encoded images to pixels, safely: the bytes come from anyone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from chladni_contract.errors import InvalidInputError, MetadataValue, Reason

Pixels: TypeAlias = NDArray[np.uint8]
"""An image: RGB, 8 bits, of shape (3, H, W)."""

_WHITE: Final = (255, 255, 255, 255)


class ImageFormat(StrEnum):
    """Format of an encoded image; the value is Pillow's name."""

    PNG = "PNG"
    JPEG = "JPEG"
    WEBP = "WEBP"


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Limits of one encoded image.

    Attributes:
        max_bytes: Size of the file.
        max_side_pixels: Width and height each.
    """

    max_bytes: int = 10 * 1024 * 1024
    max_side_pixels: int = 4096


def recognise_format(content: bytes, *, field: str, max_bytes: int) -> ImageFormat:
    """Return the format of an encoded image by its first bytes only.

    Args:
        content: Bytes of the file.
        field: Path of the field that holds them, for error messages.
        max_bytes: Size of the file at most.

    Raises:
        InvalidInputError: There are no bytes (MISSING_FIELD), too many (FILE_TOO_LARGE), or they are of no
            supported format (INVALID_IMAGE).
    """
    if not content:
        raise InvalidInputError(
            Reason.MISSING_FIELD,
            f"{field} is empty; send the bytes of a PNG, JPEG or WebP file.",
            field=field,
        )
    if len(content) > max_bytes:
        raise InvalidInputError(
            Reason.FILE_TOO_LARGE,
            f"{field} has {len(content)} bytes; at most {max_bytes} are allowed. Send a smaller file.",
            field=field,
            metadata={"size_bytes": len(content), "max_bytes": max_bytes},
        )
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return ImageFormat.PNG
    if content.startswith(b"\xff\xd8\xff"):
        return ImageFormat.JPEG
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return ImageFormat.WEBP
    raise _invalid(field, "is no PNG, JPEG or WebP file.")


def decode_image(content: bytes, image_format: ImageFormat, *, field: str, max_side_pixels: int) -> Pixels:
    """Return the pixels of an encoded image as a person would see them.

    The orientation that the file notes is applied, transparency shows a white page, gray and palette
    images become RGB, 16 bits become 8. Of an animation this is the first image. Colour profiles are
    ignored.

    Args:
        content: Bytes of the file.
        image_format: Its format.
        field: Path of the field that holds them, for error messages.
        max_side_pixels: Width and height at most.

    Raises:
        InvalidInputError: It is too large in pixels, damaged or cut off (INVALID_IMAGE).
    """
    try:
        image = Image.open(BytesIO(content), formats=[image_format])
        size = image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _invalid(
            field,
            f"has far more than {max_side_pixels} pixels a side; scale it down.",
            max_side_pixels=max_side_pixels,
        ) from None
    except Exception as error:
        raise _invalid(field, f"is no whole {image_format} file: its header is damaged.") from error
    if max(size) > max_side_pixels:
        raise _invalid(
            field,
            f"is {size[0]} x {size[1]} pixels; at most {max_side_pixels} a side are allowed. Scale it down.",
            width_pixels=size[0],
            height_pixels=size[1],
            max_side_pixels=max_side_pixels,
        )
    try:
        image.verify()  # Checksums of a PNG to its very end; loading stops at the last pixel.
        image = Image.open(BytesIO(content), formats=[image_format])
        return _to_pixels(ImageOps.exif_transpose(image))
    except Exception as error:  # Pillow's decoders raise many kinds of exceptions at damaged files.
        raise _invalid(field, "is damaged or cut off; it cannot be decoded to its end.") from error


def _to_pixels(image: Image.Image) -> Pixels:
    """Return (3, H, W) RGB pixels of an image of any mode."""
    if image.mode.startswith("I"):  # 16-bit gray; Pillow itself would clip instead of scale
        high_bytes = np.right_shift(np.asarray(image), 8).astype(np.uint8)
        image = Image.fromarray(high_bytes)
    elif image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, _WHITE), layer)
    pixels: NDArray[Any] = np.asarray(image.convert("RGB"))
    return np.moveaxis(pixels, -1, 0)


def _invalid(field: str, description: str, **metadata: MetadataValue) -> InvalidInputError:
    return InvalidInputError(Reason.INVALID_IMAGE, f"{field} {description}", field=field, metadata=metadata)
