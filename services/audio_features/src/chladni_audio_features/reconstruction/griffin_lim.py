"""Samples of mel spectrograms: the power in the Fourier bins, and phases by Griffin-Lim.

Griffin and Lim (1984), "Signal estimation from modified short-time Fourier transform", with the momentum of
Perraudin, Balazs and Sondergaard (2013), "A fast Griffin-Lim algorithm". Given the same first phases, the
samples are those of `librosa.griffinlim`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import fft

from chladni_audio_features.analysis.spectrogram import MelSettings, hann_window, mel_filter_bank
from chladni_runtime.execution.cancellation import CancellationToken

ITERATIONS: Final = 32
MOMENTUM: Final = 0.99

_SPREADING_STEPS: Final = 30
_SEED: Final = 0

FloatArray = npt.NDArray[np.float32]
ComplexArray = npt.NDArray[np.complex64]


def samples_of_mel(
    power: FloatArray, settings: MelSettings, sample_count: int, *, token: CancellationToken | None = None
) -> FloatArray:
    """Return samples whose mel power is about this one.

    Args:
        power: (mel bins, frames), not negative.
        settings: How it was made.
        sample_count: Number of samples.
        token: Whether they are still wanted.

    Returns:
        (sample_count,) float32; the same samples for the same power.

    Raises:
        ChladniError: The token says that they are no longer wanted.
    """
    magnitudes = np.sqrt(power_of_bins(power, settings))
    generator = np.random.default_rng(_SEED)
    phases = generator.uniform(-np.pi, np.pi, magnitudes.shape)
    return griffin_lim(magnitudes, phases, settings.fft_size, settings.hop_length, sample_count, token=token)


def power_of_bins(power: FloatArray, settings: MelSettings) -> FloatArray:
    """Return power in the Fourier bins, not negative, that the filters sum to this mel power.

    Multiplicative steps (Lee and Seung 2001, "Algorithms for non-negative matrix factorization") make the
    squared error smaller and never leave what is not negative.

    Args:
        power: (mel bins, frames), not negative.
        settings: How it was made.

    Returns:
        (fft_size // 2 + 1, frames) float32.
    """
    filters = mel_filter_bank(
        sample_rate_hz=settings.sample_rate_hz,
        fft_size=settings.fft_size,
        mel_bins=settings.mel_bins,
        min_frequency_hz=settings.min_frequency_hz,
        max_frequency_hz=settings.top_frequency_hz,
    )
    spread = filters.T.tocsr()
    peak = max(float(power.max(initial=0.0)), float(np.finfo(np.float32).tiny))
    wanted = spread @ (power / peak)
    overlap = (spread @ filters).tocsr()
    bins = np.asarray(wanted / np.maximum(spread.sum(axis=1)[:, None], 1e-12), np.float32)
    for _ in range(_SPREADING_STEPS):
        bins *= wanted / np.maximum(overlap @ bins, np.float32(1e-20))
    return (bins * np.float32(peak)).astype(np.float32)


def griffin_lim(
    magnitudes: FloatArray,
    phases: npt.NDArray[np.float64],
    fft_size: int,
    hop_length: int,
    sample_count: int,
    iterations: int = ITERATIONS,
    *,
    token: CancellationToken | None = None,
) -> FloatArray:
    """Return samples whose short-time Fourier transform has about these magnitudes.

    Args:
        magnitudes: (fft_size // 2 + 1, frames).
        phases: The first ones, of the same shape, in radians.
        fft_size: Samples of a window.
        hop_length: Samples from one window to the next.
        sample_count: Number of samples.
        iterations: How often the phases are made consistent.
        token: Whether the samples are still wanted.

    Raises:
        ChladniError: The token says that they are no longer wanted.
    """
    transform = _Transform(fft_size, hop_length, magnitudes.shape[1])
    unit = np.exp(1j * phases).astype(np.complex64)
    previous = np.zeros_like(unit)
    tiny = np.float32(np.finfo(np.float32).tiny)
    step = np.float32(MOMENTUM / (1.0 + MOMENTUM))
    for _ in range(iterations):
        if token is not None:
            token.check("while the phases of a reconstruction were looked for")
        rebuilt = transform.forward(transform.inverse(magnitudes * unit))
        unit = rebuilt - step * previous
        unit /= np.abs(unit) + tiny
        previous = rebuilt
    samples = transform.inverse(magnitudes * unit)[fft_size // 2 :][:sample_count]
    return np.pad(samples, (0, sample_count - len(samples)))


class _Transform:
    """The short-time Fourier transform of samples with half a window of padding, and its inverse."""

    def __init__(self, fft_size: int, hop_length: int, frame_count: int) -> None:
        self._size = fft_size
        self._hop = hop_length
        self._window = hann_window(fft_size).astype(np.float32)
        weights = self._overlapped(np.tile(self._window**2, (frame_count, 1)))
        is_covered = weights > np.finfo(np.float32).tiny
        self._scale = np.float32(1.0) / np.where(is_covered, weights, np.float32(1.0))

    def forward(self, samples: FloatArray) -> ComplexArray:
        """Return (bins, frames) of what `inverse` gave; beyond the clip's ends it counts as zero."""
        clip = samples.copy()
        clip[: self._size // 2] = 0.0
        clip[len(clip) - self._size // 2 :] = 0.0
        windows = np.lib.stride_tricks.sliding_window_view(clip, self._size)[:: self._hop]
        spectrum: ComplexArray = fft.rfft(windows * self._window, axis=1).T
        return spectrum

    def inverse(self, spectrum: ComplexArray) -> FloatArray:
        """Return samples of (bins, frames), with half a window before and after those of the clip."""
        frames: FloatArray = fft.irfft(spectrum.T, self._size, axis=1)
        samples: FloatArray = (self._overlapped(frames * self._window) * self._scale).astype(np.float32)
        return samples

    def _overlapped(self, frames: FloatArray) -> FloatArray:
        total = np.zeros(self._size + self._hop * (len(frames) - 1), np.float32)
        for index, frame in enumerate(frames):
            start = index * self._hop
            total[start : start + self._size] += frame
        return total
