"""Images of spectrograms."""

from __future__ import annotations

import io
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from chladni_contract.images.colormaps import GRAY, VIRIDIS, color_table

DEFAULT_QUALITY: Final = 90


class Colormap(Enum):
    """Colour maps by name."""

    VIRIDIS = VIRIDIS
    GRAY = GRAY

    def table(self) -> npt.NDArray[np.uint8]:
        """Return the colours of 256 equidistant values from 0 to 1: (256, 3) uint8, RGB."""
        return color_table(self.value)


class ImageFormat(Enum):
    """Formats of image files, by Pillow's names."""

    PNG = "PNG"
    JPEG = "JPEG"
    WEBP = "WEBP"


@dataclass(frozen=True)
class ImageEncoding:
    """How an image is encoded.

    Attributes:
        format: the file's format.
        quality: quality of JPEG and WebP, 1 to 100; has no meaning for PNG.
    """

    format: ImageFormat = ImageFormat.PNG
    quality: int = DEFAULT_QUALITY

    @property
    def options(self) -> dict[str, Any]:
        """Options of Pillow's encoder."""
        match self.format:
            case ImageFormat.PNG:
                return {"optimize": False}
            case ImageFormat.JPEG:
                # Colour at full resolution: the colour map tells levels apart by colour too.
                return {"quality": self.quality, "subsampling": 0}
            case ImageFormat.WEBP:
                return {"quality": self.quality}


PNG: Final = ImageEncoding()


def render_spectrogram(
    scaled: npt.NDArray[np.float32],
    *,
    width_pixels: int,
    height_pixels: int,
    colormap: Colormap = Colormap.VIRIDIS,
    encoding: ImageEncoding = PNG,
) -> bytes:
    """Draw a spectrogram: time runs to the right, frequency upwards.

    Args:
        scaled: (mel_bins, frames) float32 in [0, 1].
        width_pixels: width of the image, at least 1.
        height_pixels: height of the image, at least 1.
        colormap: colours.
        encoding: how to encode the image.

    Returns:
        The file: 8-bit RGB, the same bytes for the same spectrogram.
    """
    levels = Image.fromarray((np.flipud(scaled) * 255.0).round().astype(np.uint8))
    resized = levels.resize((width_pixels, height_pixels), Image.Resampling.BICUBIC)
    image = Image.fromarray(colormap.table()[np.asarray(resized)])
    file = io.BytesIO()
    image.save(file, format=encoding.format.value, **encoding.options)
    return file.getvalue()
