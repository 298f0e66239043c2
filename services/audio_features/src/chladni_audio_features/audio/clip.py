"""Decoded sound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chladni_audio_features.audio.containers import Container

ANALYSIS_SAMPLE_RATE_HZ = 22050
"""Every analysis works at this rate, the customary one for speech and music features."""


@dataclass(frozen=True)
class SourceFormat:
    """How the sound was stored before it was decoded.

    Attributes:
        container: kind of file; None for samples that came without a file.
        codec: name of the sample coding, such as "PCM_16" or "VORBIS".
        sample_rate_hz: sample rate of the file.
        channels: channels before they were mixed.
        duration_seconds: length of the decoded sound.
    """

    container: Container | None
    codec: str
    sample_rate_hz: int
    channels: int
    duration_seconds: float


@dataclass(frozen=True, eq=False)
class AudioClip:
    """Mono sound ready for analysis.

    Attributes:
        samples: (n,) float32, full scale is [-1, 1].
        sample_rate_hz: rate of `samples`, `ANALYSIS_SAMPLE_RATE_HZ` unless asked otherwise.
        source: the file it came from.
    """

    samples: npt.NDArray[np.float32]
    sample_rate_hz: int
    source: SourceFormat

    @property
    def duration_seconds(self) -> float:
        """Length of `samples` in seconds."""
        return len(self.samples) / self.sample_rate_hz


def mix_channels(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Average the channels of (frames, channels): (frames,) float32.

    One channel after the other: NumPy's mean along so short an axis takes many times as long.
    """
    total = samples[:, 0].copy()
    for channel in range(1, samples.shape[1]):
        total += samples[:, channel]
    total /= np.float32(samples.shape[1])
    return total
