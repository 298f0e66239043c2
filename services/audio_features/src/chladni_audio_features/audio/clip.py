"""Decoded audio."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chladni_audio_features.audio.containers.recognition import Container
from chladni_contract.warnings import ServiceWarning

ANALYSIS_SAMPLE_RATE_HZ = 22050
"""Every analysis works at this rate, the customary one for speech and music features."""


@dataclass(frozen=True)
class ClipPart:
    """The part of audio that is meant.

    Attributes:
        start_seconds: Where it begins.
        end_seconds: Where it ends; `None` if at the audio's end.
    """

    start_seconds: float = 0.0
    end_seconds: float | None = None


@dataclass(frozen=True)
class SourceFormat:
    """How the audio was stored before it was decoded.

    Attributes:
        container: kind of file; None for samples that came without a file.
        codec: name of the sample coding, such as "PCM_16" or "VORBIS".
        sample_rate_hz: sample rate of the file.
        channels: channels before they were mixed.
        duration_seconds: length of the decoded audio, of the part if one was chosen.
        start_seconds: where the part begins; `None` if none was chosen.
    """

    container: Container | None
    codec: str
    sample_rate_hz: int
    channels: int
    duration_seconds: float
    start_seconds: float | None = None


@dataclass(frozen=True, eq=False)
class AudioClip:
    """Mono audio ready for analysis.

    Attributes:
        samples: (n,) float32, full scale is [-1, 1].
        sample_rate_hz: rate of `samples`, `ANALYSIS_SAMPLE_RATE_HZ` unless asked otherwise.
        source: the file it came from.
        warnings: what its sender should know about it.
    """

    samples: npt.NDArray[np.float32]
    sample_rate_hz: int
    source: SourceFormat
    warnings: tuple[ServiceWarning, ...] = ()

    @property
    def duration_seconds(self) -> float:
        """Length of `samples` in seconds."""
        return len(self.samples) / self.sample_rate_hz
