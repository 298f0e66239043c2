"""PCM: interleaved samples without a file, live or as a whole clip, to mono."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
import numpy.typing as npt

from chladni_audio_features.audio.clip import AudioClip, SourceFormat, mix_channels
from chladni_audio_features.audio.decoding import (
    DecodingLimits,
    check_layout,
    check_not_too_short,
    check_samples,
    check_size,
    too_long,
)
from chladni_audio_features.audio.errors import CorruptAudioError


@dataclass(frozen=True)
class PcmFields:
    """Paths of the fields of a request that hold PCM and its format.

    Attributes:
        samples: Path of the samples.
        sample_rate: Path of the sample rate.
        channels: Path of the number of channels.
    """

    samples: str
    sample_rate: str
    channels: str


LIVE_FIELDS: Final = PcmFields("pcm", "config.sample_rate_hz", "config.channel_count")
CLIP_FIELDS: Final = PcmFields("audio.pcm.samples", "audio.pcm.sample_rate_hz", "audio.pcm.channel_count")


class PcmEncoding(Enum):
    """Sample types, little-endian."""

    INT16 = "<i2"
    FLOAT32 = "<f4"


@dataclass(frozen=True)
class PcmFormat:
    """What the bytes of PCM mean.

    Attributes:
        sample_rate_hz: sample rate.
        channels: number of interleaved channels.
        encoding: sample type.
    """

    sample_rate_hz: int
    channels: int
    encoding: PcmEncoding


@dataclass(frozen=True)
class PcmClip:
    """A clip that came as samples.

    Attributes:
        samples: the bytes, interleaved.
        format: what they mean.
    """

    samples: bytes
    format: PcmFormat


class PcmReader:
    """Reads the chunks of one live stream, or a clip."""

    def __init__(
        self, pcm_format: PcmFormat, *, limits: DecodingLimits, fields: PcmFields = LIVE_FIELDS
    ) -> None:
        """Create a reader.

        Raises:
            ChannelCountError: no channels, or more than allowed.
            SampleRateError: the sample rate is out of range.
        """
        check_layout(
            sample_rate_hz=pcm_format.sample_rate_hz,
            channels=pcm_format.channels,
            limits=limits,
            rate_field=fields.sample_rate,
            channels_field=fields.channels,
        )
        self._format = pcm_format
        self._field = fields.samples
        self._max_amplitude = limits.max_amplitude
        self._dtype = np.dtype(pcm_format.encoding.value)

    @property
    def sample_rate_hz(self) -> int:
        """Sample rate of the stream."""
        return self._format.sample_rate_hz

    @property
    def frame_bytes(self) -> int:
        """Size of a sample frame: a sample of each channel."""
        return self._dtype.itemsize * self._format.channels

    def read(self, chunk: bytes) -> npt.NDArray[np.float32]:
        """Convert a chunk to mono float samples, (n,) float32 with full scale 1.

        Raises:
            CorruptAudioError: the chunk ends within a sample frame.
            SampleValueError: a sample is NaN, infinite or too large.
        """
        if len(chunk) % self.frame_bytes:
            raise CorruptAudioError(
                f"the PCM has {len(chunk)} bytes, which is no multiple of {self.frame_bytes}, the size "
                "of a sample frame; send whole frames",
                field=self._field,
                metadata={"size_bytes": len(chunk), "frame_bytes": self.frame_bytes},
            )
        samples = np.frombuffer(chunk, dtype=self._dtype).reshape(-1, self._format.channels)
        scale = 1.0 / 32768.0 if self._format.encoding is PcmEncoding.INT16 else 1.0
        scaled = samples.astype(np.float32) * np.float32(scale)
        check_samples(scaled, max_amplitude=self._max_amplitude, field=self._field)
        return mix_channels(scaled)


def read_pcm_clip(clip: PcmClip, limits: DecodingLimits) -> AudioClip:
    """Return the sound of a clip in mono at the sample rate it has.

    Raises:
        AudioError: One of its subclasses, by the fault; see `chladni_audio_features.audio.errors`.
    """
    field = CLIP_FIELDS.samples
    reader = PcmReader(clip.format, limits=limits, fields=CLIP_FIELDS)
    check_size(clip.samples, limits=limits, field=field)
    rate_hz = clip.format.sample_rate_hz
    frame_count = len(clip.samples) // reader.frame_bytes
    duration_seconds = frame_count / rate_hz
    if frame_count > round(limits.max_duration_seconds * rate_hz):
        raise too_long(
            f"{duration_seconds:.2f} s long", limits=limits, field=field, duration_seconds=duration_seconds
        )
    samples = reader.read(clip.samples)
    check_not_too_short(duration_seconds, limits=limits, field=field)
    return AudioClip(
        samples=samples,
        sample_rate_hz=rate_hz,
        source=SourceFormat(
            container=None,
            codec=clip.format.encoding.name,
            sample_rate_hz=rate_hz,
            channels=clip.format.channels,
            duration_seconds=duration_seconds,
        ),
    )
