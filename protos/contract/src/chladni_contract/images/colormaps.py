"""Colour maps: from [0, 1] to RGB."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

# Twenty equidistant colours of viridis (Smith & van der Walt 2015, CC0), which is perceptually
# uniform; linear interpolation between them differs from the full table by one level in 255.
VIRIDIS: Final = (
    "440154 481568 482677 453781 3f4788 39558c 32648e 2d718e 287d8e 238a8d "
    "1f968b 20a386 29af7f 3cbc75 56c667 74d055 94d840 b8de29 dce318 fde725"
)
GRAY: Final = "000000 ffffff"


def color_table(anchors: str) -> NDArray[np.uint8]:
    """Return the colours of 256 equidistant values from 0 to 1: (256, 3) uint8, RGB.

    Args:
        anchors: Colours of equidistant values from 0 to 1, in hexadecimal, separated by spaces: at least one.
    """
    colors = np.array([list(bytes.fromhex(color)) for color in anchors.split()])
    positions = np.linspace(0.0, len(colors) - 1.0, 256)
    channels = [np.interp(positions, np.arange(len(colors)), channel) for channel in colors.T]
    return np.stack(channels, axis=1).round().astype(np.uint8)
