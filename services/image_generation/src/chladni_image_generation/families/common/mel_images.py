"""Images of the log-mel spectrograms that AudioLDM makes.

They look as the spectrogram images of audio clips do: time runs to the right, frequency upwards, the colours
are viridis, and 80 dB of loudness lie between the darkest and the brightest.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chladni_contract.images.colormaps import VIRIDIS, color_table

DYNAMIC_RANGE_DB: Final = 80.0

LEAST_AMPLITUDE: Final = 1e-5
"""To which AudioLDM raises smaller amplitudes before it takes their logarithm."""

_DECIBELS_PER_NEPER: Final = 20 / math.log(10)
_FLOOR_DB: Final = math.log(LEAST_AMPLITUDE) * _DECIBELS_PER_NEPER


def mel_levels(log_mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how bright each cell of a mel spectrogram is, in [0, 1].

    1 is the loudest cell and 0 is 80 dB less, as in images of clips. If the loudest cell is less
    than 80 dB above the model's floor of -100 dB, 0 is that floor instead: so silence is dark, and what the
    model leaves of its noise is not made bright.

    Args:
        log_mel: Natural logarithms of amplitudes, any shape.
    """
    decibels = log_mel.astype(np.float32) * np.float32(_DECIBELS_PER_NEPER)
    darkest = max(float(decibels.max()) - DYNAMIC_RANGE_DB, _FLOOR_DB)
    levels: NDArray[np.float32] = ((decibels - np.float32(darkest)) / np.float32(DYNAMIC_RANGE_DB)).clip(0, 1)
    return levels


def mel_image(log_mel: NDArray[np.float32], *, size_pixels: int) -> NDArray[np.uint8]:
    """Return RGB pixels (size, size, 3) of a mel spectrogram.

    Args:
        log_mel: (frames, mel bins), natural logarithms of amplitudes, low frequencies first.
        size_pixels: Length of the image's sides.
    """
    upright = np.flipud(mel_levels(log_mel).T)
    image = Image.fromarray((upright * 255).round().astype(np.uint8))
    resized = image.resize((size_pixels, size_pixels), Image.Resampling.BICUBIC)
    pixels: NDArray[np.uint8] = color_table(VIRIDIS)[np.asarray(resized)]
    return pixels
