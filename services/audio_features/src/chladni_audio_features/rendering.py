"""Images of spectrograms."""

from __future__ import annotations

import io
from enum import Enum

import numpy as np
import numpy.typing as npt
from PIL import Image

from chladni_contract.colormaps import GRAY, VIRIDIS, color_table


class Colormap(Enum):
    """Colour maps by name."""

    VIRIDIS = VIRIDIS
    GRAY = GRAY

    def table(self) -> npt.NDArray[np.uint8]:
        """Return the colours of 256 equidistant values from 0 to 1: (256, 3) uint8, RGB."""
        return color_table(self.value)


def render_spectrogram(
    scaled: npt.NDArray[np.float32],
    *,
    width_pixels: int,
    height_pixels: int,
    colormap: Colormap = Colormap.VIRIDIS,
) -> bytes:
    """Draw a spectrogram as a PNG: time runs to the right, frequency upwards.

    Args:
        scaled: (mel_bins, frames) float32 in [0, 1].
        width_pixels: width of the image, at least 1.
        height_pixels: height of the image, at least 1.
        colormap: colours.

    Returns:
        The file: 8-bit RGB, the same bytes for the same spectrogram.
    """
    levels = Image.fromarray((np.flipud(scaled) * 255.0).round().astype(np.uint8))
    resized = levels.resize((width_pixels, height_pixels), Image.Resampling.BICUBIC)
    image = Image.fromarray(colormap.table()[np.asarray(resized)])
    file = io.BytesIO()
    image.save(file, format="PNG", optimize=False)
    return file.getvalue()
