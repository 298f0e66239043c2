"""Mel spectrograms in windows, as the autoencoder takes them, and back to power.

A window has 256 frames, which are 5 s. Each has a scale of its own: 1 is its loudest cell and 0 is 80 dB or
more below that, so that a quiet passage is as well described as a loud one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from chladni_audio_features.analysis.spectrogram import (
    DYNAMIC_RANGE_DB,
    MIN_POWER,
    MelSettings,
    MelTransform,
    log_mel_spectrogram,
)

WINDOW_FRAMES: Final = 256
SAMPLE_RATE_HZ: Final = 16_000
WINDOW_SECONDS: Final = 5.0
WINDOW_SAMPLES: Final = round(WINDOW_SECONDS * SAMPLE_RATE_HZ)
DEFAULT_MEL_BINS: Final = 128

_FFT_SIZE: Final = 1024
_HOP_LENGTH: Final = 313
"""1 + 80000 // 313 frames of 5 s are those of one window."""


@dataclass(frozen=True, eq=False)
class MelWindows:
    """The spectrogram of a clip in windows.

    Attributes:
        scaled: (W, mel bins, 256) float32 in [0, 1].
        peak_power: (W,) power of each window's loudest cell.
        frame_count: Frames of the clip; those after them in the last window are silent.
    """

    scaled: npt.NDArray[np.float32]
    peak_power: npt.NDArray[np.float32]
    frame_count: int

    @property
    def is_silent(self) -> npt.NDArray[np.bool_]:
        """Which windows are digital silence, (W,)."""
        silent: npt.NDArray[np.bool_] = self.peak_power <= MIN_POWER
        return silent

    def frames_in_runs(self, length: int) -> npt.NDArray[np.int64]:
        """Return how many frames of the clip each run of frames has; only the last one may be shorter.

        Args:
            length: Frames of the other runs.
        """
        counts = np.full(-(-self.frame_count // length), length, np.int64)
        counts[-1] = self.frame_count - (len(counts) - 1) * length
        return counts

    def cells(self, scaled: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the clip's cells, (mel bins, frames), of windows such as these."""
        return _joined(scaled)[:, : self.frame_count]

    def power(self, scaled: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the mel power of the clip, (mel bins, frames); cells at the bottom of the scale have none.

        Args:
            scaled: Windows in the scales of these ones.
        """
        decibels = (scaled - 1.0) * DYNAMIC_RANGE_DB
        power = self.peak_power[:, None, None] * 10.0 ** (decibels / 10.0)
        return self.cells(np.where(scaled > 0.0, power, 0.0).astype(np.float32))

    def levels(self, scaled: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the clip's spectrogram, (mel bins, frames) in [0, 1], where 1 is its loudest cell.

        Args:
            scaled: Windows in the scales of these ones.
        """
        floor = max(float(self.peak_power.max()), MIN_POWER)
        decibels = 10.0 * np.log10(np.maximum(self.power(scaled), np.float32(MIN_POWER * floor)) / floor)
        return np.clip(1.0 + decibels / DYNAMIC_RANGE_DB, 0.0, 1.0).astype(np.float32)


@lru_cache(maxsize=4)
def transform_of(mel_bins: int = DEFAULT_MEL_BINS) -> MelTransform:
    """Return the transform that makes the spectrograms."""
    settings = MelSettings(
        sample_rate_hz=SAMPLE_RATE_HZ, fft_size=_FFT_SIZE, hop_length=_HOP_LENGTH, mel_bins=mel_bins
    )
    return MelTransform(settings)


def mel_windows(samples: npt.NDArray[np.float32], mel_bins: int = DEFAULT_MEL_BINS) -> MelWindows:
    """Return the spectrogram of a clip in windows.

    Args:
        samples: (n,) float32 at 16 kHz.
        mel_bins: Number of mel bands.
    """
    power = transform_of(mel_bins).power_of_clip(samples)
    frame_count = power.shape[1]
    window_count = -(-frame_count // WINDOW_FRAMES)
    padded = np.pad(power, ((0, 0), (0, window_count * WINDOW_FRAMES - frame_count)))
    windows = padded.reshape(mel_bins, window_count, WINDOW_FRAMES).transpose(1, 0, 2)
    return MelWindows(
        scaled=np.stack([log_mel_spectrogram(window).scaled for window in windows]),
        peak_power=windows.max(axis=(1, 2)),
        frame_count=frame_count,
    )


def _joined(windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return (W, mel bins, 256) as (mel bins, W * 256)."""
    return windows.transpose(1, 0, 2).reshape(windows.shape[1], -1)
