"""Images of spectrograms."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from chladni_audio_features.colormap import Colormap


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
