"""Encoded images: those that callers send, final ones with their provenance, and small JPEG previews."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, PngImagePlugin

from chladni_contract.errors import InvalidInputError, MetadataValue, Reason
from chladni_contract.images.file_metadata import PNG_KEYWORD, exif_of
from chladni_contract.provenance import Provenance
from chladni_image_generation.generation import ImageEncoding, ImageFormat, Preview

# Level 6 takes three times as long as 3 and saves 3 % of the bytes of such images.
PNG_COMPRESSION_LEVEL: Final = 3
_PREVIEW_QUALITY: Final = 80

# From this quality on, a JPEG keeps the colour of every pixel; below, of every four.
_FULL_COLOR_QUALITY: Final = 90

_INITIAL_IMAGE_FORMATS: Final = ("PNG", "JPEG", "WEBP")
_EXIF_NAMES: Final = ("exif", "Raw profile type exif")
_MAX_PIXELS: Final = 4096 * 4096
_MIN_SIDE_PIXELS: Final = 8


def decode_initial_image(content: bytes, *, field: str) -> NDArray[np.uint8]:
    """Return the RGB pixels (height, width, 3) of a PNG, JPEG or WebP file, turned as its Exif data says.

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
            # Turning the image writes its Exif data again if they are there, which fails if they are odd.
            image.getexif()
            for name in _EXIF_NAMES:
                image.info.pop(name, None)
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _refusal(f"{field} cannot be decoded; send a whole PNG, JPEG or WebP file.", field) from error


def encode_image(
    pixels: NDArray[np.uint8],
    provenance: Provenance,
    encoding: ImageEncoding,
    png_compression_level: int = PNG_COMPRESSION_LEVEL,
) -> bytes:
    """Return RGB pixels (H, W, 3) as a file that carries its provenance.

    Equal arguments give equal bytes: the file holds no time.

    Args:
        pixels: The pixels.
        provenance: How they were made.
        encoding: Format of the file, and its quality.
        png_compression_level: Effort to make a PNG small, 0 to 9.

    Raises:
        ValueError: The format is JPEG and the provenance has more than `MAX_JPEG_TEXT_BYTES` bytes, or the
            format is one of shapes (`vector_codec`).
    """
    image, output, text = Image.fromarray(pixels), io.BytesIO(), provenance.to_json()
    match encoding.format:
        case ImageFormat.PNG:
            info = PngImagePlugin.PngInfo()
            info.add_itxt(PNG_KEYWORD, text)
            image.save(output, format="PNG", pnginfo=info, compress_level=png_compression_level)
        case ImageFormat.JPEG:
            keeps_colors = encoding.quality >= _FULL_COLOR_QUALITY
            image.save(
                output,
                format="JPEG",
                quality=encoding.quality,
                subsampling="4:4:4" if keeps_colors else "4:2:0",
                exif=exif_of(text),
            )
        case ImageFormat.WEBP:
            image.save(output, format="WEBP", quality=encoding.quality, exif=exif_of(text))
        case _:
            raise ValueError(f"{encoding.format} holds shapes, not pixels")
    return output.getvalue()


def transcode_png(png: bytes, provenance: Provenance, encoding: ImageEncoding) -> bytes:
    """Return the image of a PNG, of which only the pixels count, in another encoding."""
    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        return encode_image(np.asarray(image), provenance, encoding)


def encode_preview(pixels: NDArray[np.uint8], size_pixels: int) -> Preview:
    """Return RGB pixels (H, W, 3) as a JPEG whose longer side has `size_pixels`."""
    image = Image.fromarray(pixels)
    scale = size_pixels / max(image.size)
    if scale != 1:
        width, height = (max(1, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    output = io.BytesIO()
    image.save(output, format="JPEG", quality=_PREVIEW_QUALITY)
    return Preview(output.getvalue(), *image.size)


def _refusal(message: str, field: str, **metadata: MetadataValue) -> InvalidInputError:
    return InvalidInputError(Reason.INVALID_IMAGE, message, field=field, metadata=metadata)
