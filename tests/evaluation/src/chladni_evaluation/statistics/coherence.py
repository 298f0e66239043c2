"""How much of the fine detail of one image is in another, at the same places."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

LOWEST_CYCLES: Final = 32
HIGHEST_CYCLES: Final = 128
_LUMINANCE: Final = np.array([0.2126, 0.7152, 0.0722])
_FAINTEST_POWER: Final = 1e-9


def coherent_gain(image: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
    """Return the share of a reference's detail that an image has, mean over 32 to 128 cycles an image.

    At each spatial frequency it is the real part of the cross spectrum of the luminances over the power of
    the reference: 1 for the reference itself, 0 for blur, and for detail that stands elsewhere.

    Args:
        image: (S, S, 3) sRGB, S at least 257.
        reference: (S, S, 3) sRGB.

    Raises:
        ValueError: The shapes differ, or are too small.
    """
    side = len(reference)
    if image.shape != reference.shape or reference.shape != (side, side, 3) or side <= 2 * HIGHEST_CYCLES:
        raise ValueError(f"images of {image.shape} and {reference.shape} cannot be compared")
    first, second = _spectrum(image), _spectrum(reference)
    cycles = np.fft.fftfreq(side, 1.0 / side)
    rings = np.hypot(cycles[:, None], cycles[None, :]).round().astype(np.int64).ravel()
    shared = np.bincount(rings, (first * second.conj()).real.ravel())
    power = np.bincount(rings, np.square(np.abs(second)).ravel())
    chosen = slice(LOWEST_CYCLES, HIGHEST_CYCLES + 1)
    return float(np.mean(shared[chosen] / (power[chosen] + _FAINTEST_POWER)))


def _spectrum(image: NDArray[np.uint8]) -> NDArray[np.complex128]:
    luminance = image.astype(np.float64) / 255.0 @ _LUMINANCE
    window = np.outer(np.hanning(len(image)), np.hanning(len(image)))
    return np.fft.fft2((luminance - luminance.mean()) * window)
