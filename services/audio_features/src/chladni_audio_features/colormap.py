"""Colour maps that images of spectrograms can have."""

from __future__ import annotations

from enum import Enum

import numpy as np
import numpy.typing as npt

from chladni_contract.colormaps import GRAY, VIRIDIS, color_table


class Colormap(Enum):
    """Colour maps by name."""

    VIRIDIS = VIRIDIS
    GRAY = GRAY

    def table(self) -> npt.NDArray[np.uint8]:
        """Return the colours of 256 equidistant values from 0 to 1: (256, 3) uint8, RGB."""
        return color_table(self.value)
