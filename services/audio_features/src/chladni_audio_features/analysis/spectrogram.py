"""Log-mel spectrograms, equal to librosa's.

The numbers are those of `librosa.feature.melspectrogram` followed by
`librosa.power_to_db(ref=np.max)` with the settings below, in less time and without librosa's
imports: the filter bank is sparse, and windows pass through the transform and the filters in blocks
that stay within a processor's cache.

The mel scale and its filters are those of Slaney's Auditory Toolbox (1998): linear below 1 kHz and
logarithmic above; each triangular filter has unit area, so that white noise has the same level in
every band.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import sparse

from chladni_audio_features.audio.clip import ANALYSIS_SAMPLE_RATE_HZ

MIN_POWER = 1e-10
"""Powers below this count as this: -100 dB."""

DYNAMIC_RANGE_DB = 80.0

_BLOCK_SAMPLES = 64 * 2048  # of all the windows in a block together: 1 MB in double precision

_LINEAR_HZ_PER_MEL = 200.0 / 3.0
_LOG_START_HZ = 1000.0
_LOG_START_MEL = _LOG_START_HZ / _LINEAR_HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0


@dataclass(frozen=True, kw_only=True)
class MelSettings:
    """How a mel spectrogram is made.

    Attributes:
        sample_rate_hz: rate of the samples it is made from.
        fft_size: samples in a window and in its Fourier transform.
        hop_length: samples from one frame to the next.
        mel_bins: number of mel bands.
        min_frequency_hz: lower edge of the lowest band.
        max_frequency_hz: upper edge of the highest band; None for half the sample rate.
    """

    sample_rate_hz: int = ANALYSIS_SAMPLE_RATE_HZ
    fft_size: int = 2048
    hop_length: int = 512
    mel_bins: int = 128
    min_frequency_hz: float = 0.0
    max_frequency_hz: float | None = None

    @property
    def top_frequency_hz(self) -> float:
        """Upper edge of the highest band."""
        return self.sample_rate_hz / 2 if self.max_frequency_hz is None else self.max_frequency_hz

    def frame_count_of(self, seconds: float) -> int:
        """Return about how many frames a sound has."""
        return 1 + round(seconds * self.sample_rate_hz) // self.hop_length


@dataclass(frozen=True, eq=False)
class LogMelSpectrogram:
    """A mel spectrogram in decibels.

    Attributes:
        decibels: (mel_bins, frames) float32 in [-80, 0], relative to the loudest cell.
        scaled: (mel_bins, frames) float32 in [0, 1], where 0 is -80 dB and 1 is 0 dB. All zero for
            digital silence, whose loudest cell is as silent as the others.
    """

    decibels: npt.NDArray[np.float32]
    scaled: npt.NDArray[np.float32]


class MelTransform:
    """Turns samples into mel power.

    Holds the window and the filter bank; immutable, hence safe to share between threads.
    """

    def __init__(self, settings: MelSettings | None = None) -> None:
        """Compute window and filter bank for `settings`."""
        self.settings = settings or MelSettings()
        self._window = hann_window(self.settings.fft_size)
        self._filters = mel_filter_bank(
            sample_rate_hz=self.settings.sample_rate_hz,
            fft_size=self.settings.fft_size,
            mel_bins=self.settings.mel_bins,
            min_frequency_hz=self.settings.min_frequency_hz,
            max_frequency_hz=self.settings.top_frequency_hz,
        )

    def power_of_clip(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Compute the mel power of a whole sound.

        Args:
            samples: (n,) float32 at the settings' sample rate.

        Returns:
            (mel_bins, 1 + n // hop_length) float32, not negative.
        """
        return np.concatenate([self.mel_power(power) for power in self.spectra_of_clip(samples)], axis=1)

    def spectra_of_clip(self, samples: npt.NDArray[np.float32]) -> Iterator[npt.NDArray[np.float32]]:
        """Compute the power spectra of a whole sound, some frames at a time.

        Frame t is centred on sample t * hop_length; half a window of zeros on either side makes
        that possible at the ends.

        Yields:
            (k, fft_size // 2 + 1) float32, not negative; 1 + n // hop_length frames in all.
        """
        return power_blocks(
            np.pad(samples, self.settings.fft_size // 2),
            window=self._window,
            hop_length=self.settings.hop_length,
        )

    def power_of_windows(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Compute the mel power of every complete window in `samples`, without padding.

        Returns:
            (mel_bins, windows) float32; each column depends on its own window alone, to the bit.
        """
        if len(samples) < self.settings.fft_size:
            return np.zeros((self.settings.mel_bins, 0), dtype=np.float32)
        blocks = power_blocks(samples, window=self._window, hop_length=self.settings.hop_length)
        return np.concatenate([self.mel_power(power) for power in blocks], axis=1)

    def mel_power(self, power: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Sum power spectra, (frames, bins), into mel bands, (mel_bins, frames)."""
        mel_power: npt.NDArray[np.float32] = self._filters @ power.T
        return mel_power


def hz_to_mel(frequency_hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Convert frequencies in hertz to mels."""
    frequency = np.asarray(frequency_hz, dtype=np.float64)
    logarithmic = _LOG_START_MEL + (np.log(np.maximum(frequency, _LOG_START_HZ) / _LOG_START_HZ) / _LOG_STEP)
    return np.where(frequency < _LOG_START_HZ, frequency / _LINEAR_HZ_PER_MEL, logarithmic)


def mel_to_hz(mels: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Convert mels to frequencies in hertz."""
    mel = np.asarray(mels, dtype=np.float64)
    logarithmic = _LOG_START_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _LOG_START_MEL) - _LOG_START_MEL))
    return np.where(mel < _LOG_START_MEL, mel * _LINEAR_HZ_PER_MEL, logarithmic)


def mel_filter_bank(
    *,
    sample_rate_hz: int,
    fft_size: int,
    mel_bins: int,
    min_frequency_hz: float,
    max_frequency_hz: float,
) -> sparse.csr_array:
    """Build the triangular filters between two frequencies.

    Returns:
        (mel_bins, fft_size // 2 + 1) float32, sparse: about 2 % of the weights are not zero.
    """
    edges_hz = mel_to_hz(np.linspace(hz_to_mel(min_frequency_hz), hz_to_mel(max_frequency_hz), mel_bins + 2))
    bins_hz = np.fft.rfftfreq(fft_size, 1.0 / sample_rate_hz)
    widths_hz = np.diff(edges_hz)[:, None]
    ramps = edges_hz[:, None] - bins_hz[None, :]
    rising = -ramps[:-2] / widths_hz[:-1]
    falling = ramps[2:] / widths_hz[1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    unit_area = 2.0 / (edges_hz[2:] - edges_hz[:-2])
    return sparse.csr_array((triangles * unit_area[:, None]).astype(np.float32))


def hann_window(size: int) -> npt.NDArray[np.float64]:
    """Return the periodic Hann window, the one for spectral analysis."""
    window: npt.NDArray[np.float64] = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(size) / size)
    return window


def bin_frequencies(fft_size: int, sample_rate_hz: float) -> npt.NDArray[np.float64]:
    """Return the centre frequency in hertz of each bin of a real transform, (fft_size // 2 + 1,)."""
    return np.linspace(0.0, sample_rate_hz / 2, fft_size // 2 + 1)


def power_blocks(
    samples: npt.NDArray[np.float32], *, window: npt.NDArray[np.float64], hop_length: int
) -> Iterator[npt.NDArray[np.float32]]:
    """Compute the power spectrum of every complete window, some windows at a time.

    Args:
        samples: (n,) float32, at least one window long.
        window: (w,) weights, float64: the rounding of a single-precision transform would show as
            errors of 1e-3 dB next to a loud tone.
        hop_length: samples from one window to the next.

    Yields:
        (k, w // 2 + 1) float32; 1 + (n - w) // hop_length rows in all. A row depends on its own
        window alone, to the bit.
    """
    size = len(window)
    windows = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop_length]
    block_windows = min(len(windows), max(1, _BLOCK_SAMPLES // size))
    # Reused by every block: fresh memory of this size costs as much time as the transform.
    weighted = np.empty((block_windows, size))
    spectrum = np.empty((block_windows, size // 2 + 1), dtype=np.complex128)
    for start in range(0, len(windows), block_windows):
        block = windows[start : start + block_windows]
        count = len(block)
        np.multiply(block, window, out=weighted[:count])
        np.fft.rfft(weighted[:count], axis=1, out=spectrum[:count])
        squares = spectrum[:count].view(np.float64)
        np.square(squares, out=squares)
        yield (squares[:, ::2] + squares[:, 1::2]).astype(np.float32)


def power_of_windows(
    samples: npt.NDArray[np.float32], *, window: npt.NDArray[np.float64], hop_length: int
) -> npt.NDArray[np.float32]:
    """Compute the power spectrum of every complete window; see `power_blocks`.

    Returns:
        (1 + (n - w) // hop_length, w // 2 + 1) float32.
    """
    return np.concatenate(list(power_blocks(samples, window=window, hop_length=hop_length)))


def power_to_decibels(power: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Convert power to dB relative to a power of 1, -100 dB at least."""
    decibels: npt.NDArray[np.float32] = np.log10(np.maximum(power, np.float32(MIN_POWER)))
    return decibels * np.float32(10.0)


def log_mel_spectrogram(power: npt.NDArray[np.float32]) -> LogMelSpectrogram:
    """Express mel power relative to its maximum.

    Args:
        power: (mel_bins, frames) float32 from `MelTransform`, at least one frame.
    """
    decibels = power_to_decibels(power)
    decibels -= decibels.max()
    np.maximum(decibels, np.float32(-DYNAMIC_RANGE_DB), out=decibels)
    is_silent = power.max() <= MIN_POWER
    scaled = np.zeros_like(decibels) if is_silent else 1.0 + decibels / DYNAMIC_RANGE_DB
    return LogMelSpectrogram(decibels=decibels, scaled=scaled)


def resample_frames(scaled: npt.NDArray[np.float32], frame_count: int) -> npt.NDArray[np.float32]:
    """Return a spectrogram with another number of frames.

    Frames between others are interpolated linearly; if there are fewer than before, each is the mean of those
    that it stands for, weighted by a triangle, so that nothing aliases.

    Args:
        scaled: (mel_bins, frames) float32 in [0, 1].
        frame_count: Frames of the result, at least 1.
    """
    cells = np.ascontiguousarray(scaled, dtype=np.float32)
    resized = Image.fromarray(cells).resize((frame_count, len(scaled)), Image.Resampling.BILINEAR)
    return np.clip(np.asarray(resized, dtype=np.float32), 0.0, 1.0)
