"""Shape of the spectrum: brightness, bandwidth and flatness.

The values of single frames are librosa's (`spectral_centroid`, `spectral_bandwidth`,
`spectral_flatness`); a sound's value is their mean weighted by the frames' amplitude, so that
pauses do not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MIN_FLATNESS_DB = -80.0

_FLATNESS_FLOOR = 1e-8  # relative to the frame's strongest bin, so that gain changes nothing


@dataclass(frozen=True, kw_only=True)
class SpectralShape:
    """Shape of a sound's spectrum.

    Attributes:
        brightness_hz: mean spectral centroid.
        bandwidth_hz: mean spectral bandwidth.
        flatness_decibels: mean spectral flatness, from -80 to 0.
    """

    brightness_hz: float
    bandwidth_hz: float
    flatness_decibels: float


@dataclass(frozen=True, eq=False)
class SpectralShapeFrames:
    """Shape of the spectrum, frame by frame.

    Attributes:
        brightness_hz: (frames,) float64, spectral centroid; 0 for silent frames.
        bandwidth_hz: (frames,) float64, spectral bandwidth; 0 for silent frames.
        flatness_decibels: (frames,) float64, spectral flatness; -80 for silent frames.
        amplitudes: (frames,) float64, root of the frame's power; only their ratios mean something.
    """

    brightness_hz: npt.NDArray[np.float64]
    bandwidth_hz: npt.NDArray[np.float64]
    flatness_decibels: npt.NDArray[np.float64]
    amplitudes: npt.NDArray[np.float64]


class SpectralShapeMeter:
    """Measures the shape of one sound whose frames come in blocks."""

    def __init__(self, frequencies_hz: npt.NDArray[np.float64]) -> None:
        """Begin a sound whose spectra have bins of these centre frequencies, (bins,)."""
        self._frequencies_hz = frequencies_hz
        self._blocks: list[npt.NDArray[np.float64]] = []

    def add(self, power: npt.NDArray[np.float32]) -> None:
        """Take the power spectra of the next frames, (k, bins)."""
        magnitudes = np.sqrt(power)
        centroids_hz = spectral_centroids(magnitudes, self._frequencies_hz)
        bandwidths_hz = spectral_bandwidths(magnitudes, self._frequencies_hz, centroids_hz)
        amplitudes = np.sqrt(power.sum(axis=1, dtype=np.float64))
        flatness_decibels = spectral_flatness_decibels(power)
        self._blocks.append(np.stack([centroids_hz, bandwidths_hz, flatness_decibels, amplitudes]))

    def frames(self) -> SpectralShapeFrames:
        """Return the frames so far, at least one."""
        brightness_hz, bandwidth_hz, flatness_decibels, amplitudes = np.concatenate(self._blocks, axis=1)
        return SpectralShapeFrames(
            brightness_hz=brightness_hz,
            bandwidth_hz=bandwidth_hz,
            flatness_decibels=flatness_decibels,
            amplitudes=amplitudes,
        )


def summarise_spectral_shape(frames: SpectralShapeFrames) -> SpectralShape:
    """Return the mean over the frames, which must not all be silent."""
    values = np.stack([frames.brightness_hz, frames.bandwidth_hz, frames.flatness_decibels])
    means = (values * frames.amplitudes).sum(axis=1) / frames.amplitudes.sum()
    brightness_hz, bandwidth_hz, flatness_decibels = means.tolist()
    return SpectralShape(
        brightness_hz=brightness_hz, bandwidth_hz=bandwidth_hz, flatness_decibels=flatness_decibels
    )


def spectral_centroids(
    magnitudes: npt.NDArray[np.float32], frequencies_hz: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the mean frequency of each frame, weighted by magnitude.

    Args:
        magnitudes: (frames, bins), not negative.
        frequencies_hz: (bins,) centre frequency of each bin.

    Returns:
        (frames,) in hertz; 0 for silent frames.
    """
    totals = magnitudes.sum(axis=1, dtype=np.float64)
    moments = np.einsum("tf,f->t", magnitudes, frequencies_hz)
    return _divide(moments, totals)


def spectral_bandwidths(
    magnitudes: npt.NDArray[np.float32],
    frequencies_hz: npt.NDArray[np.float64],
    centroids_hz: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the standard deviation of frequency around the centroid of each frame, weighted by magnitude.

    Returns:
        (frames,) in hertz; 0 for silent frames.
    """
    totals = magnitudes.sum(axis=1, dtype=np.float64)
    deviations = frequencies_hz[None, :] - centroids_hz[:, None]
    return np.sqrt(_divide(np.einsum("tf,tf,tf->t", magnitudes, deviations, deviations), totals))


def spectral_flatness_decibels(power: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return the ratio of the geometric to the arithmetic mean of each frame's power, in dB.

    Bins count as at least -80 dB relative to the frame's strongest.

    Args:
        power: (frames, bins), not negative.

    Returns:
        (frames,) in [-80, 0]: 0 for an impulse, -2.5 on average for white noise; -80 for silence.
    """
    peaks = power.max(axis=1).astype(np.float64)
    relative = power * _divide(np.ones_like(peaks), peaks)[:, None]
    np.maximum(relative, _FLATNESS_FLOOR, out=relative)
    arithmetic = 10.0 * np.log10(relative.mean(axis=1))
    geometric = 10.0 * np.log10(relative, out=relative).mean(axis=1)
    flatness = np.maximum(geometric - arithmetic, MIN_FLATNESS_DB)
    return np.where(peaks > 0.0, flatness, MIN_FLATNESS_DB)


def _divide(
    numerator: npt.NDArray[np.float64], denominator: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    positive = denominator > 0.0
    quotient: npt.NDArray[np.float64] = np.where(positive, numerator, 0.0) / np.where(
        positive, denominator, 1.0
    )
    return quotient
