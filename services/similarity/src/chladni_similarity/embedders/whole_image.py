"""Images as models take them that see the whole of one, at one size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chladni_similarity.images.decoding import Pixels


@dataclass(frozen=True, slots=True)
class WholeImage:
    """Resizes images to a square with a bicubic, antialiased filter.

    Attributes:
        side_pixels: Length of its sides.
    """

    side_pixels: int

    def is_ready(self, pixels: Pixels) -> bool:
        """Return whether an image has the size already."""
        return pixels.shape == (3, self.side_pixels, self.side_pixels)

    def resized(self, pixels: Pixels) -> NDArray[np.uint8]:
        """Return the image as (3, side, side), 8 bits; without copying if it is so already."""
        if self.is_ready(pixels):
            return np.ascontiguousarray(pixels)
        image = Image.fromarray(np.ascontiguousarray(np.moveaxis(pixels, 0, -1)))
        resized = image.resize((self.side_pixels, self.side_pixels), Image.Resampling.BICUBIC)
        return np.ascontiguousarray(np.moveaxis(np.asarray(resized), -1, 0))
