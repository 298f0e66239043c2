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
from chladni_contract.images.file_format import image_format_of
from chladni_similarity.images.containers import (
    count_scans,
    name_other_format,
    without_large_metadata,
)

Pixels: TypeAlias = NDArray[np.uint8]
"""An image: RGB, 8 bits, of shape (3, H, W)."""

_MAX_SCANS: Final = 100
_MAX_SCANNED_PIXELS: Final = 200_000_000
"""Pixels of all scans of a JPEG: 11 scans of the largest image, as programs write them."""
_EXIF_NAMES: Final = ("exif", "Raw profile type exif")
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
    if image_format := image_format_of(content):
        return ImageFormat(image_format.upper())
    other = name_other_format(content)
    what = f"{other}, which this service does not read" if other else "no PNG, JPEG or WebP file"
    raise invalid_image(field, f"is {what}. Save it as PNG, JPEG or WebP." if other else f"is {what}.")


def check_image(content: bytes, image_format: ImageFormat, *, field: str, max_side_pixels: int) -> int:
    """Return how many pixels a decoder works on, over all passes, as the header of an image says.

    Args:
        content: Bytes of the file.
        image_format: Its format.
        field: Path of the field that holds them, for error messages.
        max_side_pixels: Width and height at most.

    Raises:
        InvalidInputError: It is too large in pixels, takes too many passes, or its header is damaged
            (INVALID_IMAGE).
    """
    width, height = _open(content, image_format, field=field, max_side_pixels=max_side_pixels).size
    max_scans = min(_MAX_SCANS, max(1, _MAX_SCANNED_PIXELS // (width * height)))
    scan_count = count_scans(content, limit=max_scans + 1) if image_format is ImageFormat.JPEG else 1
    if scan_count > max_scans:
        raise invalid_image(
            field,
            f"has more than {max_scans} scans, the limit for a JPEG of {width} x {height} pixels. "
            "Save it again.",
        )
    return max(1, scan_count) * width * height


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
    check_image(content, image_format, field=field, max_side_pixels=max_side_pixels)
    return decode_checked_image(content, image_format, field=field)


def decode_checked_image(content: bytes, image_format: ImageFormat, *, field: str) -> Pixels:
    """Return the pixels of an encoded image that `check_image` has passed.

    Raises:
        InvalidInputError: It is damaged or cut off (INVALID_IMAGE).
    """
    if image_format is ImageFormat.PNG:
        content = without_large_metadata(content)
    try:
        image = Image.open(BytesIO(content), formats=[image_format])
        image.verify()  # Checksums of a PNG to its very end; loading stops at the last pixel.
        image = Image.open(BytesIO(content), formats=[image_format])
        # Turning the image writes its Exif data again if they are there, which fails if they are odd.
        image.getexif()
        for name in _EXIF_NAMES:
            image.info.pop(name, None)
        return _to_pixels(ImageOps.exif_transpose(image))
    except Exception as error:  # Pillow's decoders raise many kinds of exceptions at damaged files.
        raise invalid_image(field, "is damaged or cut off; it cannot be decoded to its end.") from error


def _open(content: bytes, image_format: ImageFormat, *, field: str, max_side_pixels: int) -> Image.Image:
    """Return an image whose header was read, and its pixels not.

    Raises:
        InvalidInputError: It is too large in pixels, or its header is damaged (INVALID_IMAGE).
    """
    if image_format is ImageFormat.PNG:
        content = without_large_metadata(content)
    try:
        image = Image.open(BytesIO(content), formats=[image_format])
        size = image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise invalid_image(
            field,
            f"has far more than {max_side_pixels} pixels a side; scale it down.",
            max_side_pixels=max_side_pixels,
        ) from None
    except Exception as error:
        raise invalid_image(field, f"is no whole {image_format} file: its header is damaged.") from error
    if max(size) > max_side_pixels:
        raise invalid_image(
            field,
            f"is {size[0]} x {size[1]} pixels; at most {max_side_pixels} a side are allowed. Scale it down.",
            width_pixels=size[0],
            height_pixels=size[1],
            max_side_pixels=max_side_pixels,
        )
    return image


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


def invalid_image(field: str, description: str, **metadata: MetadataValue) -> InvalidInputError:
    """Return the error for a field that holds no usable image."""
    return InvalidInputError(Reason.INVALID_IMAGE, f"{field} {description}", field=field, metadata=metadata)
