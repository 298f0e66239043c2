"""Decoding of audio files: bytes in memory to mono samples at the analysis rate."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from chladni_audio_features.audio.clip import ANALYSIS_SAMPLE_RATE_HZ, AudioClip, SourceFormat, mix_channels
from chladni_audio_features.audio.containers import Container, StreamHeader, read_header, with_declared_length
from chladni_audio_features.audio.errors import (
    AUDIO_FIELD,
    AudioTooLargeError,
    AudioTooLongError,
    AudioTooShortError,
    ChannelCountError,
    EmptyAudioError,
    SampleRateError,
    SampleValueError,
    TruncatedAudioError,
)

_BLOCK_FRAMES = 65536
_RESAMPLING_QUALITY = "HQ"


@dataclass(frozen=True, kw_only=True)
class DecodingLimits:
    """What a clip may be.

    Attributes:
        max_bytes: size of the file.
        min_duration_seconds: shortest sound; the analyses need a few windows.
        max_duration_seconds: longest sound (an MP3 may exceed it by its encoder's padding).
        min_sample_rate_hz: lowest sample rate of the file.
        max_sample_rate_hz: highest sample rate of the file.
        max_channels: most channels of the file.
        max_amplitude: largest absolute sample value, full scale being 1. Generous enough for
            float files that hold 16-bit integers, small enough that no power overflows.
    """

    max_bytes: int = 10 * 1024 * 1024
    min_duration_seconds: float = 0.1
    max_duration_seconds: float = 30.0
    min_sample_rate_hz: int = 8_000
    max_sample_rate_hz: int = 192_000
    max_channels: int = 8
    max_amplitude: float = 65_536.0


class AudioDecoder:
    """Decodes WAV, MP3, FLAC and OGG within limits.

    Stateless after construction, hence safe to share between threads.
    """

    def __init__(self, limits: DecodingLimits, *, sample_rate_hz: int = ANALYSIS_SAMPLE_RATE_HZ) -> None:
        """Create a decoder that resamples to `sample_rate_hz`."""
        self._limits = limits
        self._sample_rate_hz = sample_rate_hz

    def decode(self, data: bytes) -> AudioClip:
        """Decode a file and resample it; see `read`.

        Returns:
            The sound in mono at the decoder's sample rate. Silence is a sound.

        Raises:
            AudioError: one of its subclasses, by the fault; see `chladni_audio_features.audio.errors`.
        """
        return resampled(self.read(data), self._sample_rate_hz)

    @property
    def limits(self) -> DecodingLimits:
        """What a clip may be."""
        return self._limits

    def read(self, data: bytes) -> AudioClip:
        """Decode a file at the sample rate it has.

        The limits are checked against the header before anything is decoded, and again block by
        block while decoding, because headers can lie: memory stays bounded by the longest allowed
        sound whatever the file contains. Channels are averaged.

        Args:
            data: the whole file; its kind is recognised by content.

        Returns:
            The sound in mono at the file's sample rate. Silence is a sound.

        Raises:
            AudioError: one of its subclasses, by the fault; see `chladni_audio_features.audio.errors`.
        """
        check_size(data, limits=self._limits)
        header = read_header(data)
        check_layout(sample_rate_hz=header.sample_rate_hz, channels=header.channels, limits=self._limits)
        self._check_declared_length(header)
        samples = self._read_mono(data, header)
        self._check_decoded_length(samples, header)
        return AudioClip(
            samples=samples,
            sample_rate_hz=header.sample_rate_hz,
            source=SourceFormat(
                container=header.container,
                codec=header.codec,
                sample_rate_hz=header.sample_rate_hz,
                channels=header.channels,
                duration_seconds=len(samples) / header.sample_rate_hz,
            ),
        )

    def _check_declared_length(self, header: StreamHeader) -> None:
        if header.frames == 0:
            raise EmptyAudioError(f"the {header.container.value} file holds no samples; record it again")
        duration_seconds = header.frames / header.sample_rate_hz
        if header.frames > self._max_frames(header):
            raise too_long(
                f"{duration_seconds:.2f} s long", limits=self._limits, duration_seconds=duration_seconds
            )
        check_not_too_short(duration_seconds, limits=self._limits)

    def _read_mono(self, data: bytes, header: StreamHeader) -> npt.NDArray[np.float32]:
        """Decode and mix, stopping as soon as the sound is longer than allowed."""
        max_frames = self._max_frames(header)
        blocks: list[npt.NDArray[np.float32]] = []
        decoded_frames = 0
        try:
            for block in _decoded_blocks(data, header):
                check_samples(block, max_amplitude=self._limits.max_amplitude)
                decoded_frames += len(block)
                if decoded_frames > max_frames:
                    raise too_long("longer than its header says", limits=self._limits)
                blocks.append(mix_channels(block))
        except soundfile.SoundFileError:
            # The decoder's own message may quote internals and helps nobody: say what is known.
            raise _truncated(header) from None
        return np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.float32)

    def _check_decoded_length(self, samples: npt.NDArray[np.float32], header: StreamHeader) -> None:
        if len(samples) < header.frames - header.padding_frames:
            raise _truncated(header)
        check_not_too_short(len(samples) / header.sample_rate_hz, limits=self._limits)

    def _max_frames(self, header: StreamHeader) -> int:
        allowed = self._limits.max_duration_seconds * header.sample_rate_hz
        return round(allowed) + header.padding_frames


def resampled(clip: AudioClip, sample_rate_hz: int) -> AudioClip:
    """Return the same sound at another sample rate."""
    if clip.sample_rate_hz == sample_rate_hz:
        return clip
    samples: npt.NDArray[np.float32] = soxr.resample(
        clip.samples, clip.sample_rate_hz, sample_rate_hz, quality=_RESAMPLING_QUALITY
    )
    return replace(clip, samples=samples, sample_rate_hz=sample_rate_hz)


def check_size(data: bytes, *, limits: DecodingLimits, field: str = AUDIO_FIELD) -> None:
    """Check how many bytes there are.

    Raises:
        EmptyAudioError: There are none.
        AudioTooLargeError: There are more than allowed.
    """
    if not data:
        raise EmptyAudioError("the audio is empty (0 bytes); send a WAV, MP3, FLAC or OGG file", field=field)
    if len(data) > limits.max_bytes:
        raise AudioTooLargeError(
            f"the audio has {len(data)} bytes, the limit is {limits.max_bytes}; "
            "shorten it or use a compressed format",
            field=field,
            metadata={"size_bytes": len(data), "max_bytes": limits.max_bytes},
        )


def check_not_too_short(duration_seconds: float, *, limits: DecodingLimits, field: str = AUDIO_FIELD) -> None:
    """Check that a clip is as long as the analyses need.

    Raises:
        AudioTooShortError: It is shorter.
    """
    if duration_seconds < limits.min_duration_seconds:
        raise AudioTooShortError(
            f"the audio is {duration_seconds:.3f} s long, "
            f"at least {limits.min_duration_seconds:g} s are needed; send more of it",
            field=field,
            metadata={
                "duration_seconds": round(duration_seconds, 3),
                "min_seconds": limits.min_duration_seconds,
            },
        )


def too_long(
    finding: str, *, limits: DecodingLimits, field: str = AUDIO_FIELD, **metadata: float
) -> AudioTooLongError:
    """Return the error that a clip is too long; `finding` says how long it is, `metadata` its numbers."""
    return AudioTooLongError(
        f"the audio is {finding}, the limit is {limits.max_duration_seconds:g} s; "
        "cut it or send a part of it",
        field=field,
        metadata={**metadata, "max_seconds": limits.max_duration_seconds},
    )


def check_layout(
    *,
    sample_rate_hz: int,
    channels: int,
    limits: DecodingLimits,
    rate_field: str = AUDIO_FIELD,
    channels_field: str = AUDIO_FIELD,
) -> None:
    """Check the sample rate and the number of channels that a header declares.

    Args:
        sample_rate_hz: declared sample rate.
        channels: declared number of channels.
        limits: what is allowed.
        rate_field: path of the request's field that holds the sample rate.
        channels_field: path of the request's field that holds the channels.

    Raises:
        ChannelCountError: no channels, or more than allowed.
        SampleRateError: the sample rate is out of range.
    """
    if channels < 1:
        raise ChannelCountError(
            "the audio has no channels (0); send at least 1",
            field=channels_field,
            metadata={"channels": channels, "max_channels": limits.max_channels},
        )
    if channels > limits.max_channels:
        raise ChannelCountError(
            f"the audio has {channels} channels, the limit is {limits.max_channels}; mix it down",
            field=channels_field,
            metadata={"channels": channels, "max_channels": limits.max_channels},
        )
    if not limits.min_sample_rate_hz <= sample_rate_hz <= limits.max_sample_rate_hz:
        raise SampleRateError(
            f"the sample rate is {sample_rate_hz} Hz, allowed are {limits.min_sample_rate_hz} "
            f"to {limits.max_sample_rate_hz} Hz; resample the audio",
            field=rate_field,
            metadata={
                "sample_rate_hz": sample_rate_hz,
                "min_sample_rate_hz": limits.min_sample_rate_hz,
                "max_sample_rate_hz": limits.max_sample_rate_hz,
            },
        )


def check_samples(
    samples: npt.NDArray[np.float32], *, max_amplitude: float, field: str = AUDIO_FIELD
) -> None:
    """Check that every sample is a usable number.

    Raises:
        SampleValueError: a sample is NaN, infinite or larger than `max_amplitude`.
    """
    peak = max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))
    if not np.isfinite(peak):
        count = int(np.count_nonzero(~np.isfinite(samples)))
        raise SampleValueError(
            f"the audio has {count} samples that are NaN or infinite; export it again",
            field=field,
            metadata={"count": count},
        )
    if peak > max_amplitude:
        raise SampleValueError(
            f"the audio has a sample of {peak:.3g}, the limit is {max_amplitude:g} "
            "(full scale is 1); normalise it",
            field=field,
            metadata={"value": peak, "maximum": max_amplitude},
        )


def _decoded_blocks(data: bytes, header: StreamHeader) -> Iterator[npt.NDArray[np.float32]]:
    content = with_declared_length(data) if header.container is Container.MP3 else data
    with soundfile.SoundFile(io.BytesIO(content)) as file:
        while True:
            block = file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)
            if not len(block):
                return
            yield block


def _truncated(header: StreamHeader) -> TruncatedAudioError:
    return TruncatedAudioError(
        f"the {header.container.value} file declares {header.frames} samples per channel and cannot "
        "be decoded that far; it is cut short or damaged: send the complete file",
        metadata={"declared": header.frames},
    )
