"""How rich an image is: in colours, in edges, in detail at all scales; and whose detail it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

SIDE_PIXELS: Final = 256
"""Side of the images that are compared; edges and slopes depend on it."""

_COLOUR_LEVELS: Final = 16
_EDGE_SLOPE: Final = 0.04
_HUE_BINS: Final = 24
_LEAST_CHROMA: Final = 0.08
_LEAST_SHARE: Final = 0.01
_LOWEST_FREQUENCY: Final = 4
_SMALLEST_LEVEL_PIXELS: Final = 8
_FAINTEST_POWER: Final = 1e-9
_LOWEST_CYCLES: Final = 32
_HIGHEST_CYCLES: Final = 128
_LUMINANCE_WEIGHTS: Final = np.array([0.2126, 0.7152, 0.0722])


@dataclass(frozen=True, slots=True)
class Richness:
    """Measures of an image.

    Attributes:
        colour_entropy_bits: Entropy of its colours in 16 x 16 x 16 cells of RGB: 0 for one colour, 12
            at most.
        distinct_hues: How many of 24 hues fill at least a hundredth of it, 0 if it is gray.
        edge_density: Share of pixels at which the luminance rises by 0.04 or more a pixel.
        spectrum_slope: Exponent of the power of its luminance over the spatial frequency: 0 for white noise,
            near -2 for photographs (Field 1987), steeper for blur.
        detail_scales: Over how many octaves of scale its detail is spread: 2 to the entropy of the energies
            of a Laplacian pyramid (Burt and Adelson 1983), 0 for one colour, 6 at most for 256 pixels.
    """

    colour_entropy_bits: float
    distinct_hues: float
    edge_density: float
    spectrum_slope: float
    detail_scales: float


def richness_of(image: NDArray[np.uint8]) -> Richness:
    """Measure an image.

    Args:
        image: (256, 256, 3) sRGB.

    Raises:
        ValueError: It has another shape.
    """
    if image.shape != (SIDE_PIXELS, SIDE_PIXELS, 3):
        raise ValueError(f"the image has the shape {image.shape}, not {(SIDE_PIXELS, SIDE_PIXELS, 3)}")
    values = image.astype(np.float64) / 255.0
    luminance = values @ _LUMINANCE_WEIGHTS
    return Richness(
        colour_entropy_bits=_colour_entropy_bits(image),
        distinct_hues=_distinct_hues(values),
        edge_density=_edge_density(luminance),
        spectrum_slope=_spectrum_slope(luminance),
        detail_scales=_detail_scales(luminance),
    )


def entropy_bits(weights: NDArray[np.floating]) -> float:
    """Return the entropy of weights that need not add up to 1; 0 if all are 0."""
    total = weights.sum()
    if not total > 0:
        return 0.0
    shares = weights[weights > 0] / total
    return float(-(shares * np.log2(shares)).sum())


def _colour_entropy_bits(image: NDArray[np.uint8]) -> float:
    red, green, blue = np.moveaxis(image.astype(np.int64) * _COLOUR_LEVELS // 256, 2, 0)
    cells = (red * _COLOUR_LEVELS + green) * _COLOUR_LEVELS + blue
    return entropy_bits(np.bincount(cells.ravel()).astype(np.float64))


def _distinct_hues(values: NDArray[np.float64]) -> float:
    red, green, blue = np.moveaxis(values, 2, 0)
    across, along = red - 0.5 * (green + blue), np.sqrt(0.75) * (green - blue)
    is_coloured = np.hypot(across, along) >= _LEAST_CHROMA
    turns = np.arctan2(along, across)[is_coloured] / (2.0 * np.pi) % 1.0
    counts = np.bincount((turns * _HUE_BINS).astype(np.int64) % _HUE_BINS, minlength=_HUE_BINS)
    return float((counts >= _LEAST_SHARE * is_coloured.size).sum())


def _edge_density(luminance: NDArray[np.float64]) -> float:
    rise_y, rise_x = np.gradient(luminance)
    return float((np.hypot(rise_y, rise_x) >= _EDGE_SLOPE).mean())


def _spectrum_slope(luminance: NDArray[np.float64]) -> float:
    side = len(luminance)
    window = np.hanning(side)
    spectrum = np.fft.fft2((luminance - luminance.mean()) * np.outer(window, window))
    power = np.square(np.abs(spectrum)) / side**2
    cycles = np.fft.fftfreq(side, 1.0 / side)
    rings = np.hypot(cycles[:, None], cycles[None, :]).round().astype(np.int64)
    sums = np.bincount(rings.ravel(), power.ravel())
    means = sums / np.bincount(rings.ravel())
    chosen = np.arange(_LOWEST_FREQUENCY, side // 4)
    slope, _ = np.polyfit(np.log(chosen), np.log(means[chosen] + _FAINTEST_POWER), deg=1)
    return float(slope)


def _detail_scales(luminance: NDArray[np.float64]) -> float:
    energies = []
    level = luminance
    while len(level) >= _SMALLEST_LEVEL_PIXELS:
        half = len(level) // 2
        coarser = level.reshape(half, 2, half, 2).mean(axis=(1, 3))
        energies.append(np.square(level - coarser.repeat(2, axis=0).repeat(2, axis=1)).mean())
        level = coarser
    # Rounding makes a little energy out of none.
    weights = np.array(energies)
    weights[weights < _FAINTEST_POWER] = 0.0
    return float(2.0 ** entropy_bits(weights)) if weights.any() else 0.0


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
    if image.shape != reference.shape or reference.shape != (side, side, 3) or side <= 2 * _HIGHEST_CYCLES:
        raise ValueError(f"images of {image.shape} and {reference.shape} cannot be compared")
    first, second = _windowed_spectrum(image), _windowed_spectrum(reference)
    cycles = np.fft.fftfreq(side, 1.0 / side)
    rings = np.hypot(cycles[:, None], cycles[None, :]).round().astype(np.int64).ravel()
    shared = np.bincount(rings, (first * second.conj()).real.ravel())
    power = np.bincount(rings, np.square(np.abs(second)).ravel())
    chosen = slice(_LOWEST_CYCLES, _HIGHEST_CYCLES + 1)
    return float(np.mean(shared[chosen] / (power[chosen] + _FAINTEST_POWER)))


def _windowed_spectrum(image: NDArray[np.uint8]) -> NDArray[np.complex128]:
    luminance = image.astype(np.float64) / 255.0 @ _LUMINANCE_WEIGHTS
    window = np.outer(np.hanning(len(image)), np.hanning(len(image)))
    return np.fft.fft2((luminance - luminance.mean()) * window)
