"""The pixels of two images, compared value by value."""

from __future__ import annotations

import io
import math
import struct
import zlib
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageChops

from chladni_client.errors import InvalidInputError
from chladni_contract.images.file_format import PNG_SIGNATURE

_MAX_PIXELS: Final = 8192 * 8192
_HEADER: Final = struct.Struct(">8s8xIIBB")
_EIGHT_BITS: Final = 8
_TRUE_COLOUR: Final = 2
_BRIGHTEST: Final = 255
_CHANNEL_COUNT: Final = 3


@dataclass(frozen=True, slots=True)
class PixelComparison:
    """How the pixels of two images of one size differ.

    Attributes:
        width_pixels: Width of both.
        height_pixels: Height of both.
        differing_pixel_count: Pixels with at least one channel that differs.
        largest_difference: Largest difference of a channel, 0 to 255.
        psnr_decibels: Peak signal-to-noise ratio over all channels; infinite for equal pixels.
    """

    width_pixels: int
    height_pixels: int
    differing_pixel_count: int
    largest_difference: int
    psnr_decibels: float

    @property
    def pixel_count(self) -> int:
        """Pixels compared."""
        return self.width_pixels * self.height_pixels

    @property
    def is_identical(self) -> bool:
        """Whether every bit of every pixel is the same."""
        return self.differing_pixel_count == 0


def read_pixels(png: bytes, name: str) -> Image.Image:
    """Return the pixels of a PNG as Chladni writes it: RGB with 8 bits.

    Args:
        png: The file.
        name: Its name, for messages.

    Raises:
        InvalidInputError: It is damaged, too large, or of another kind.
    """
    try:
        _check_header(png, name)
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            image.load()
            return image.copy()
    except (OSError, SyntaxError, ValueError, struct.error, zlib.error) as error:
        raise _unusable(f"{name} is damaged: its pixels cannot be read.") from error


def compare_pixels(first: Image.Image, second: Image.Image) -> PixelComparison:
    """Return how the pixels of two RGB images differ.

    Raises:
        InvalidInputError: Their sizes differ.
    """
    difference = _difference(first, second)
    squares = sum(count * (value % 256) ** 2 for value, count in enumerate(difference.histogram()))
    red, green, blue = difference.split()
    strongest = ImageChops.lighter(ImageChops.lighter(red, green), blue).histogram()
    pixel_count = first.width * first.height
    return PixelComparison(
        width_pixels=first.width,
        height_pixels=first.height,
        differing_pixel_count=pixel_count - strongest[0],
        largest_difference=max(value for value, count in enumerate(strongest) if count),
        psnr_decibels=math.inf
        if squares == 0
        else 10 * math.log10(_BRIGHTEST**2 * _CHANNEL_COUNT * pixel_count / squares),
    )


def draw_difference(first_png: bytes, second_png: bytes) -> bytes:
    """Return a PNG of how two PNG files differ, amplified.

    Each channel shows its difference, stretched so that the largest one of the image becomes 255. Equal
    files give a black image.

    Raises:
        InvalidInputError: One of them cannot be read, or their sizes differ.
    """
    first, second = read_pixels(first_png, "The first image"), read_pixels(second_png, "The second image")
    largest = max(1, compare_pixels(first, second).largest_difference)
    amplified = [min(_BRIGHTEST, value * _BRIGHTEST // largest) for value in range(_BRIGHTEST + 1)]
    output = io.BytesIO()
    _difference(first, second).point(amplified * _CHANNEL_COUNT).save(output, format="PNG")
    return output.getvalue()


def _check_header(png: bytes, name: str) -> None:
    signature, width, height, depth, colour = _HEADER.unpack_from(png)
    if signature != PNG_SIGNATURE:
        raise ValueError("the file is no PNG")
    if (depth, colour) != (_EIGHT_BITS, _TRUE_COLOUR):
        raise _unusable(
            f"{name} is not RGB with 8 bits, as Chladni writes it: another program has rewritten it."
        )
    if width * height > _MAX_PIXELS:
        raise _unusable(f"{name} has {width} x {height} pixels; at most {_MAX_PIXELS} can be compared.")


def _difference(first: Image.Image, second: Image.Image) -> Image.Image:
    if first.size != second.size:
        raise _unusable(
            f"The images have {first.width} x {first.height} and {second.width} x {second.height} pixels; "
            "only images of one size can be compared pixel by pixel."
        )
    return ImageChops.difference(first, second)


def _unusable(message: str) -> InvalidInputError:
    return InvalidInputError(message, reason="INVALID_IMAGE")
