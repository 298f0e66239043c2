"""PCM: interleaved samples without a file, live or as a whole clip, to mono."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

import numpy as np
import numpy.typing as npt

from chladni_audio_features.audio.clip import AudioClip, ClipPart, SourceFormat
from chladni_audio_features.audio.errors import AUDIO_FIELD, CorruptAudioError
from chladni_audio_features.audio.limits import (
    DecodingLimits,
    check_layout,
    check_not_too_short,
    check_part,
    check_samples,
    check_size,
    part_after_end,
    too_long,
)
from chladni_audio_features.audio.mixing import mix_channels, mix_or_choose_channel, to_float


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


FILE_FIELDS: Final = PcmFields(AUDIO_FIELD, AUDIO_FIELD, AUDIO_FIELD)
LIVE_FIELDS: Final = PcmFields("pcm", "config.sample_rate_hz", "config.channel_count")
CLIP_FIELDS: Final = PcmFields("audio.pcm.samples", "audio.pcm.sample_rate_hz", "audio.pcm.channel_count")


class PcmEncoding(Enum):
    """Sample types, little-endian, by NumPy's names; of 24 bits there is none."""

    INT16 = "<i2"
    FLOAT32 = "<f4"
    UINT8 = "u1"
    INT24 = "V3"
    INT32 = "<i4"
    FLOAT64 = "<f8"


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

    @property
    def field(self) -> str:
        """Path of the field that holds the samples."""
        return self._field

    def check_whole(self, chunk: bytes | memoryview) -> None:
        """Check that a chunk ends with a sample frame.

        Raises:
            CorruptAudioError: It ends within one.
        """
        if len(chunk) % self.frame_bytes:
            raise CorruptAudioError(
                f"the PCM has {len(chunk)} bytes, which is no multiple of {self.frame_bytes}, the size "
                "of a sample frame; send whole frames",
                field=self._field,
                metadata={"size_bytes": len(chunk), "frame_bytes": self.frame_bytes},
            )

    def read(self, chunk: bytes) -> npt.NDArray[np.float32]:
        """Convert a chunk to mono float samples, (n,) float32 with full scale 1.

        Raises:
            CorruptAudioError: the chunk ends within a sample frame.
            SampleValueError: a sample is NaN, infinite or too large.
        """
        self.check_whole(chunk)
        return mix_channels(self.read_channels(chunk))

    def read_channels(self, chunk: bytes | memoryview) -> npt.NDArray[np.float32]:
        """Convert a chunk to float samples, (n, channels) float32 with full scale 1.

        Raises:
            SampleValueError: a sample is NaN, infinite or too large.
        """
        values = np.frombuffer(chunk, dtype=self._dtype).reshape(-1, self._format.channels)
        samples = to_float(_widened(values) if self._format.encoding is PcmEncoding.INT24 else values)
        check_samples(samples, max_amplitude=self._max_amplitude, field=self._field)
        return samples


def read_pcm_clip(clip: PcmClip, limits: DecodingLimits, part: ClipPart | None = None) -> AudioClip:
    """Return the audio of a clip, or of a part of it, in mono at the sample rate it has.

    Raises:
        AudioError: One of its subclasses, by the fault; see `chladni_audio_features.audio.errors`.
    """
    reader = PcmReader(clip.format, limits=limits, fields=CLIP_FIELDS)
    check_size(clip.samples, limits=limits, part=part, field=CLIP_FIELDS.samples)
    if part is not None:
        check_part(part, limits=limits)
    source = SourceFormat(
        None, clip.format.encoding.name, clip.format.sample_rate_hz, clip.format.channels, 0.0
    )
    return read_part(reader, clip.samples, source, limits=limits, part=part)


def read_part(
    reader: PcmReader,
    content: bytes | memoryview,
    source: SourceFormat,
    *,
    limits: DecodingLimits,
    part: ClipPart | None,
) -> AudioClip:
    """Return a part of samples in mono; one channel if the channels cancel each other.

    Args:
        reader: Converts them.
        content: The samples.
        source: Where they come from, without a duration.
        limits: What the part may be.
        part: Which part; `None` for all.

    Raises:
        AudioError: One of its subclasses, by the fault.
    """
    rate_hz = reader.sample_rate_hz
    reader.check_whole(content)
    frame_count = len(content) // reader.frame_bytes
    first, last = 0, frame_count
    if part is not None:
        first = round(part.start_seconds * rate_hz)
        last = (
            frame_count if part.end_seconds is None else min(frame_count, round(part.end_seconds * rate_hz))
        )
        if first >= frame_count:
            raise part_after_end(part, frame_count / rate_hz)
    duration_seconds = (last - first) / rate_hz
    if last - first > round(limits.max_duration_seconds * rate_hz):
        raise too_long(
            f"{duration_seconds:.2f} s long",
            limits=limits,
            field=reader.field,
            duration_seconds=duration_seconds,
        )
    samples = reader.read_channels(
        memoryview(content)[first * reader.frame_bytes : last * reader.frame_bytes]
    )
    check_not_too_short(duration_seconds, limits=limits, field=reader.field)
    mix, warnings = mix_or_choose_channel(samples)
    start_seconds = None if part is None else part.start_seconds
    source = replace(source, duration_seconds=duration_seconds, start_seconds=start_seconds)
    return AudioClip(samples=mix, sample_rate_hz=rate_hz, source=source, warnings=warnings)


def _widened(values: npt.NDArray[np.void]) -> npt.NDArray[np.int32]:
    """Return samples of 24 bits as ones of 32, by a byte of zeros below them."""
    wide = np.zeros((*values.shape, 4), np.uint8)
    wide[..., 1:] = values.view(np.uint8).reshape(*values.shape, 3)
    return wide.view("<i4")[..., 0]
