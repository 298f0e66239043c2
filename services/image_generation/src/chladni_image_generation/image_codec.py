"""Encoded images: those that callers send, the final PNG with its provenance, and small JPEG previews."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, PngImagePlugin

from chladni_contract.errors import InvalidInputError, MetadataValue, Reason
from chladni_contract.provenance import PNG_KEYWORD, Provenance
from chladni_image_generation.generation import Preview

# Level 6 takes three times as long as 3 and saves 3 % of the bytes of such images.
_PNG_COMPRESSION_LEVEL: Final = 3
_JPEG_QUALITY: Final = 80

_INITIAL_IMAGE_FORMATS: Final = ("PNG", "JPEG")
_MAX_PIXELS: Final = 4096 * 4096
_MIN_SIDE_PIXELS: Final = 8


def decode_initial_image(content: bytes, *, field: str) -> NDArray[np.uint8]:
    """Return the RGB pixels (height, width, 3) of a PNG or JPEG file, turned as its Exif data says.

    Args:
        content: The file's bytes.
        field: Path of the field that they come from, for errors.

    Raises:
        InvalidInputError: The file is none of these formats, is damaged, or is too large or too small.
    """
    try:
        with Image.open(io.BytesIO(content), formats=_INITIAL_IMAGE_FORMATS) as image:
            width, height = image.size
            if width * height > _MAX_PIXELS or min(width, height) < _MIN_SIDE_PIXELS:
                raise _refusal(
                    f"{field} is {width} x {height} pixels; sides have at least {_MIN_SIDE_PIXELS} and "
                    f"images at most {_MAX_PIXELS} pixels. Scale it.",
                    field,
                    width_pixels=width,
                    height_pixels=height,
                    min_side_pixels=_MIN_SIDE_PIXELS,
                    max_pixels=_MAX_PIXELS,
                )
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _refusal(f"{field} cannot be decoded; send a whole PNG or JPEG file.", field) from error


def encode_png(pixels: NDArray[np.uint8], provenance: Provenance) -> bytes:
    """Return RGB pixels (H, W, 3) as a PNG that carries its provenance.

    Equal arguments give equal bytes: the file holds no time.
    """
    text = PngImagePlugin.PngInfo()
    text.add_itxt(PNG_KEYWORD, provenance.to_json())
    output = io.BytesIO()
    Image.fromarray(pixels).save(output, format="PNG", pnginfo=text, compress_level=_PNG_COMPRESSION_LEVEL)
    return output.getvalue()


def encode_preview(pixels: NDArray[np.uint8], size_pixels: int) -> Preview:
    """Return RGB pixels (H, W, 3) as a JPEG whose longer side has `size_pixels`."""
    image = Image.fromarray(pixels)
    scale = size_pixels / max(image.size)
    if scale != 1:
        width, height = (max(1, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    output = io.BytesIO()
    image.save(output, format="JPEG", quality=_JPEG_QUALITY)
    return Preview(output.getvalue(), *image.size)


def _refusal(message: str, field: str, **metadata: MetadataValue) -> InvalidInputError:
    return InvalidInputError(Reason.INVALID_IMAGE, message, field=field, metadata=metadata)
