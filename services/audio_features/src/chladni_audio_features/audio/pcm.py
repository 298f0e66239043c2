"""Live PCM: raw interleaved samples to mono."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from chladni_audio_features.audio.clip import mix_channels
from chladni_audio_features.audio.decoding import DecodingLimits, check_layout, check_samples
from chladni_audio_features.audio.errors import CorruptAudioError

PCM_FIELD = "pcm"


class PcmEncoding(Enum):
    """Sample types, little-endian."""

    INT16 = "<i2"
    FLOAT32 = "<f4"


@dataclass(frozen=True)
class PcmFormat:
    """What the bytes of a live stream mean.

    Attributes:
        sample_rate_hz: sample rate.
        channels: number of interleaved channels.
        encoding: sample type.
    """

    sample_rate_hz: int
    channels: int
    encoding: PcmEncoding


class PcmReader:
    """Reads the chunks of one live stream."""

    def __init__(self, pcm_format: PcmFormat, *, limits: DecodingLimits) -> None:
        """Create a reader.

        Raises:
            ChannelCountError: no channels, or more than allowed.
            SampleRateError: the sample rate is out of range.
        """
        check_layout(
            sample_rate_hz=pcm_format.sample_rate_hz,
            channels=pcm_format.channels,
            limits=limits,
            rate_field="config.sample_rate_hz",
            channels_field="config.channel_count",
        )
        self._format = pcm_format
        self._max_amplitude = limits.max_amplitude
        self._dtype = np.dtype(pcm_format.encoding.value)

    @property
    def sample_rate_hz(self) -> int:
        """Sample rate of the stream."""
        return self._format.sample_rate_hz

    def read(self, chunk: bytes) -> npt.NDArray[np.float32]:
        """Convert a chunk to mono float samples, (n,) float32 with full scale 1.

        Raises:
            CorruptAudioError: the chunk ends within a sample frame.
            SampleValueError: a sample is NaN, infinite or too large.
        """
        frame_bytes = self._dtype.itemsize * self._format.channels
        if len(chunk) % frame_bytes:
            raise CorruptAudioError(
                f"the chunk has {len(chunk)} bytes, which is no multiple of {frame_bytes}, the size "
                "of a sample frame; send whole frames",
                field=PCM_FIELD,
                metadata={"size_bytes": len(chunk), "frame_bytes": frame_bytes},
            )
        samples = np.frombuffer(chunk, dtype=self._dtype).reshape(-1, self._format.channels)
        scale = 1.0 / 32768.0 if self._format.encoding is PcmEncoding.INT16 else 1.0
        scaled = samples.astype(np.float32) * np.float32(scale)
        check_samples(scaled, max_amplitude=self._max_amplitude, field=PCM_FIELD)
        return mix_channels(scaled)
