"""Images as files and as arrays."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chladni_benchmarks.services.image_requests import pixels_of


def encoded_png(pixels: NDArray[np.uint8]) -> bytes:
    """Return (H, W, 3) pixels as a PNG."""
    output = io.BytesIO()
    Image.fromarray(pixels).save(output, "PNG", compress_level=1)
    return output.getvalue()


def reduced(image: bytes, side_pixels: int) -> NDArray[np.uint8]:
    """Return an encoded image at another size, each pixel the mean of those it stands for: (S, S, 3)."""
    whole = Image.fromarray(pixels_of(image))
    return np.asarray(whole.resize((side_pixels, side_pixels), Image.Resampling.BOX))
