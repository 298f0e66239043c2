"""How near a reconstructed spectrogram is to the original, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

FloatArray = npt.NDArray[np.float32]

_NSIM_WINDOW: Final = np.array([[0.0113, 0.0838, 0.0113], [0.0838, 0.6193, 0.0838], [0.0113, 0.0838, 0.0113]])
_LUMINANCE: Final = 0.01**2
_STRUCTURE: Final = 0.03**2 / 2


@dataclass(frozen=True, slots=True)
class ReconstructionFigures:
    """Figures between two spectrograms in [0, 1].

    Attributes:
        mean_squared_error: Mean square of the differences, 0 to 1.
        mean_absolute_error: Mean of their magnitudes, 0 to 1.
        cosine: Cosine of the angle between the two as vectors, 0 to 1.
        perceptual_similarity: NSIM, at most 1.
    """

    mean_squared_error: float
    mean_absolute_error: float
    cosine: float
    perceptual_similarity: float


def compare(original: FloatArray, reconstructed: FloatArray) -> ReconstructionFigures:
    """Return the figures between two spectrograms, (mel bins, frames) in [0, 1]."""
    difference = reconstructed.astype(np.float64) - original
    return ReconstructionFigures(
        mean_squared_error=float(np.square(difference).mean()),
        mean_absolute_error=float(np.abs(difference).mean()),
        cosine=_cosine(original, reconstructed),
        perceptual_similarity=nsim(original, reconstructed),
    )


def nsim(original: FloatArray, reconstructed: FloatArray) -> float:
    """Return the neurogram similarity index measure of two spectrograms in [0, 1].

    Hines and Harte (2012), "Speech intelligibility prediction using a Neurogram Similarity Index Measure":
    the means and the structure of small patches are compared, as SSIM does for images, but not their
    contrast. ViSQOL (Hines et al. 2015) compares spectrograms by it.

    Args:
        original: (mel bins, frames).
        reconstructed: The same shape.

    Returns:
        At most 1, for spectrograms that are equal.
    """
    reference, degraded = original.astype(np.float64), reconstructed.astype(np.float64)
    mean_reference, mean_degraded = _smoothed(reference), _smoothed(degraded)
    spread_reference = _smoothed(np.square(reference)) - np.square(mean_reference)
    spread_degraded = _smoothed(np.square(degraded)) - np.square(mean_degraded)
    covariance = _smoothed(reference * degraded) - mean_reference * mean_degraded
    luminance = (2.0 * mean_reference * mean_degraded + _LUMINANCE) / (
        np.square(mean_reference) + np.square(mean_degraded) + _LUMINANCE
    )
    deviations = np.sqrt(np.maximum(spread_reference, 0.0) * np.maximum(spread_degraded, 0.0))
    return float((luminance * (covariance + _STRUCTURE) / (deviations + _STRUCTURE)).mean())


def _smoothed(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    smoothed: npt.NDArray[np.float64] = ndimage.correlate(values, _NSIM_WINDOW, mode="nearest")
    return smoothed


def _cosine(original: FloatArray, reconstructed: FloatArray) -> float:
    first, second = original.ravel().astype(np.float64), reconstructed.ravel().astype(np.float64)
    norms = float(np.linalg.norm(first) * np.linalg.norm(second))
    if norms == 0.0:
        return float(not first.any() and not second.any())
    return min(1.0, float(first @ second) / norms)
