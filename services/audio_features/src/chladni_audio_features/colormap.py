"""Colour maps: from [0, 1] to RGB."""

from __future__ import annotations

from enum import Enum

import numpy as np
import numpy.typing as npt

# Twenty equidistant colours of viridis (Smith & van der Walt 2015, CC0), which is perceptually
# uniform; linear interpolation between them differs from the full table by one level in 255.
_VIRIDIS = (
    "440154 481568 482677 453781 3f4788 39558c 32648e 2d718e 287d8e 238a8d "
    "1f968b 20a386 29af7f 3cbc75 56c667 74d055 94d840 b8de29 dce318 fde725"
)
_GRAY = "000000 ffffff"


class Colormap(Enum):
    """Colour maps by name."""

    VIRIDIS = _VIRIDIS
    GRAY = _GRAY

    def table(self) -> npt.NDArray[np.uint8]:
        """Return the colours of 256 equidistant values from 0 to 1: (256, 3) uint8, RGB."""
        anchors = np.array([list(bytes.fromhex(colour)) for colour in self.value.split()])
        positions = np.linspace(0.0, len(anchors) - 1.0, 256)
        channels = [np.interp(positions, np.arange(len(anchors)), anchor) for anchor in anchors.T]
        return np.stack(channels, axis=1).round().astype(np.uint8)
