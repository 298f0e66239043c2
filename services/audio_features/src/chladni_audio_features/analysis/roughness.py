"""Roughness: how harshly a sound's envelope flutters.

Modulations of the envelope between about 20 and 150 Hz are heard as roughness, most of all near
70 Hz (Zwicker & Fastl, "Psychoacoustics", ch. 11). As in Daniel & Weber (1997, Acustica 83), the
modulation depth is measured in bands, squared, and counts where neighbouring bands flutter in
step: amplitude modulation and beating partials do, noise does not. The unit is the asper: 1 asper
is the roughness of a 1 kHz tone modulated fully at 70 Hz. Unlike theirs, this measure ignores the
absolute level, and leaves out what lies below 250 Hz.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft

from chladni_audio_features.analysis.spectrogram import bin_frequencies, hann_window, power_of_windows

MAX_ROUGHNESS_ASPER = 5.0

_WINDOW_SAMPLES = 256
_HOP_SAMPLES = 64
_SEGMENT_FRAMES = 128
_SEGMENT_STEP_FRAMES = 64
_BLOCK_SEGMENTS = 16  # bounds memory
_LOWEST_BAND = 3  # 258 Hz; below, a steady tone flutters too, for windows are as short as its period
_ROUGHEST_HZ = 70.0
_MIN_SMOOTHING = 0.5
_SILENT_POWER = 1e-12
_ASPER_PER_DEPTH = 5.43


def measure_roughness(samples: npt.NDArray[np.float32], sample_rate_hz: int) -> float:
    """Measure the roughness of a sound in asper, from 0 to 5.

    Args:
        samples: (n,) float32, at least 0.1 s.
        sample_rate_hz: their rate.
    """
    window = hann_window(_WINDOW_SAMPLES)
    power = power_of_windows(samples, window=window, hop_length=_HOP_SAMPLES)
    envelopes = np.sqrt(power).T  # (bands, frames)
    segment_frames = min(_SEGMENT_FRAMES, envelopes.shape[1])
    segments = np.lib.stride_tricks.sliding_window_view(envelopes, segment_frames, axis=1)
    segments = segments[:, ::_SEGMENT_STEP_FRAMES]  # (bands, segments, frames)
    frames_per_second = sample_rate_hz / _HOP_SAMPLES
    amplitude = contribution = 0.0
    for start in range(0, segments.shape[1], _BLOCK_SEGMENTS):
        block = segments[:, start : start + _BLOCK_SEGMENTS]
        block_amplitude, block_contribution = _contribution(block, frames_per_second)
        amplitude += block_amplitude
        contribution += block_contribution
    if amplitude == 0.0:
        return 0.0
    return min(MAX_ROUGHNESS_ASPER, _ASPER_PER_DEPTH * contribution / amplitude)


def _contribution(segments: npt.NDArray[np.float32], frames_per_second: float) -> tuple[float, float]:
    """Return the summed amplitude of some segments, and it times their roughness."""
    wide = segments.astype(np.float64)
    means = wide.mean(axis=2)
    mean_squares = np.maximum(np.einsum("bsf,bsf->bs", wide, wide) / wide.shape[2], _SILENT_POWER)
    modulation = _weighted_modulation(wide, means, frames_per_second)
    parts = modulation.view(np.float64)  # real and imaginary ones in turn
    energies = np.einsum("bsk,bsk->bs", parts, parts)
    # A lone click modulates its band as deeply as can be, yet is not rough: the second factor,
    # the squared mean over the mean square, is small if the band is mostly silent.
    depth = energies / mean_squares * (np.square(means) / mean_squares)
    contributions = means * depth * _agreement(parts, energies)
    return float(means.sum()), float(contributions[_LOWEST_BAND:].sum())


def _weighted_modulation(
    segments: npt.NDArray[np.float64],
    means: npt.NDArray[np.float64],
    frames_per_second: float,
) -> npt.NDArray[np.complex128]:
    """Return the spectrum of each band's envelope, weighted by the ear's sensitivity to its frequencies.

    The short windows that made the envelopes smoothed them; that is compensated for.
    """
    count = segments.shape[2]
    window = hann_window(count)
    frequencies_hz = bin_frequencies(count, frames_per_second)
    relative_hz = frequencies_hz / _ROUGHEST_HZ
    sensitivity = relative_hz * np.exp(1.0 - relative_hz)
    sensitivity /= _smoothing(frequencies_hz / (frames_per_second * _HOP_SAMPLES))
    spectrum = fft.rfft((segments - means[:, :, None]) * window, axis=2)
    modulation: npt.NDArray[np.complex128] = spectrum * (sensitivity / window.sum())
    return modulation


def _smoothing(cycles_per_sample: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return how much of a modulation the Hann window of an envelope's frame leaves, at least a half."""
    bins = cycles_per_sample * _WINDOW_SAMPLES
    at_first_null = np.isclose(bins, 1.0)
    passed = np.sinc(bins) / np.where(at_first_null, 1.0, 1.0 - np.square(bins))
    return np.maximum(np.where(at_first_null, 0.5, passed), _MIN_SMOOTHING)


def _agreement(parts: npt.NDArray[np.float64], energies: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return how much each band flutters in step with its neighbours, in [0, 1].

    Args:
        parts: (bands, segments, 2 k) real and imaginary parts of the bands' modulation.
        energies: (bands, segments) their sums of squares.
    """
    products = np.einsum("bsk,bsk->bs", parts[:-1], parts[1:])
    norms = np.sqrt(energies[:-1] * energies[1:])
    cosines = np.clip(products / np.maximum(norms, _SILENT_POWER**2), 0.0, 1.0)
    edge = np.ones((1, *cosines.shape[1:]))
    agreement: npt.NDArray[np.float64] = np.concatenate([edge, cosines]) * np.concatenate([cosines, edge])
    return agreement
