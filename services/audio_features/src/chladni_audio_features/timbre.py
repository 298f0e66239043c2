"""Shape of the spectrum: brightness, bandwidth and flatness.

The values of single frames are librosa's (`spectral_centroid`, `spectral_bandwidth`,
`spectral_flatness`); a sound's value is their mean weighted by the frames' amplitude, so that
pauses do not count.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MIN_FLATNESS_DB = -80.0

_FLATNESS_FLOOR = 1e-8  # relative to the frame's strongest bin, so that gain changes nothing


def spectral_centroids(
    magnitudes: npt.NDArray[np.float32], frequencies_hz: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Mean frequency of each frame, weighted by magnitude.

    Args:
        magnitudes: (frames, bins), not negative.
        frequencies_hz: (bins,) centre frequency of each bin.

    Returns:
        (frames,) in hertz; 0 for silent frames.
    """
    totals = magnitudes.sum(axis=1, dtype=np.float64)
    moments = (magnitudes * frequencies_hz).sum(axis=1)
    return _divide(moments, totals)


def spectral_bandwidths(
    magnitudes: npt.NDArray[np.float32],
    frequencies_hz: npt.NDArray[np.float64],
    centroids_hz: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Standard deviation of frequency around the centroid of each frame, weighted by magnitude.

    Returns:
        (frames,) in hertz; 0 for silent frames.
    """
    totals = magnitudes.sum(axis=1, dtype=np.float64)
    deviations = np.square(frequencies_hz[None, :] - centroids_hz[:, None])
    return np.sqrt(_divide((magnitudes * deviations).sum(axis=1), totals))


def spectral_flatness_decibels(power: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Ratio of the geometric to the arithmetic mean of each frame's power, in dB.

    Bins count as at least -80 dB relative to the frame's strongest.

    Args:
        power: (frames, bins), not negative.

    Returns:
        (frames,) in [-80, 0]: 0 for an impulse, -2.5 on average for white noise; -80 for silence.
    """
    peaks = power.max(axis=1, keepdims=True).astype(np.float64)
    relative = np.maximum(_divide(power.astype(np.float64), peaks), _FLATNESS_FLOOR)
    geometric = 10.0 * np.log10(relative).mean(axis=1)
    arithmetic = 10.0 * np.log10(relative.mean(axis=1))
    flatness = np.maximum(geometric - arithmetic, MIN_FLATNESS_DB)
    return np.where(peaks[:, 0] > 0.0, flatness, MIN_FLATNESS_DB)


def amplitude_weighted_mean(values: npt.NDArray[np.float64], amplitudes: npt.NDArray[np.float64]) -> float:
    """Mean of per-frame values weighted by the frames' amplitudes, which must not all be 0."""
    return float((values * amplitudes).sum() / amplitudes.sum())


def _divide(
    numerator: npt.NDArray[np.float64], denominator: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    positive = denominator > 0.0
    quotient: npt.NDArray[np.float64] = np.where(positive, numerator, 0.0) / np.where(
        positive, denominator, 1.0
    )
    return quotient
