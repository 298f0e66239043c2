"""What audio may be, and the errors of audio that is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from chladni_audio_features.audio.clip import ClipPart
from chladni_audio_features.audio.containers.recognition import SUPPORTED_CONTAINERS
from chladni_audio_features.audio.errors import (
    AUDIO_FIELD,
    AudioTooLargeError,
    AudioTooLongError,
    AudioTooShortError,
    ChannelCountError,
    EmptyAudioError,
    PartError,
    SampleRateError,
    SampleValueError,
)

START_FIELD: Final = "audio.start"
END_FIELD: Final = "audio.end"


@dataclass(frozen=True, kw_only=True)
class DecodingLimits:
    """What a clip may be.

    Attributes:
        max_bytes: size of the file.
        min_duration_seconds: shortest audio; the analyses need a few windows.
        max_duration_seconds: longest audio, or part of it.
        max_source_bytes: size of a file of which a part is chosen.
        max_source_seconds: where a part may end at the latest.
        min_sample_rate_hz: lowest sample rate of the file.
        max_sample_rate_hz: highest sample rate of the file.
        max_channels: most channels of the file.
        max_amplitude: largest absolute sample value, full scale being 1. Generous enough for
            float files that hold 16-bit integers, small enough that no power overflows.
    """

    max_bytes: int = 10 * 1024 * 1024
    min_duration_seconds: float = 0.1
    max_duration_seconds: float = 30.0
    max_source_bytes: int = 200 * 1024 * 1024
    max_source_seconds: float = 3600.0
    min_sample_rate_hz: int = 8_000
    max_sample_rate_hz: int = 192_000
    max_channels: int = 8
    max_amplitude: float = 65_536.0


def check_size(
    data: bytes, *, limits: DecodingLimits, part: ClipPart | None = None, field: str = AUDIO_FIELD
) -> None:
    """Check how many bytes there are.

    Raises:
        EmptyAudioError: There are none.
        AudioTooLargeError: There are more than allowed.
    """
    if not data:
        raise EmptyAudioError(
            f"the audio is empty (0 bytes); send a file, one of {SUPPORTED_CONTAINERS}", field=field
        )
    max_bytes = limits.max_bytes if part is None else limits.max_source_bytes
    if len(data) > max_bytes:
        advice = "shorten it or use a compressed format"
        if part is None and len(data) <= limits.max_source_bytes:
            advice += ", or choose a part of it with start and end"
        raise AudioTooLargeError(
            f"the audio has {len(data)} bytes, the limit is {max_bytes}; {advice}",
            field=field,
            metadata={"size_bytes": len(data), "max_bytes": max_bytes},
        )


def check_part(part: ClipPart, *, limits: DecodingLimits) -> None:
    """Check where a part begins and ends.

    Raises:
        PartError: It begins before the audio, ends before it begins, or lies too late.
        AudioTooShortError: It is too short.
        AudioTooLongError: It is too long.
    """
    start, end = part.start_seconds, part.end_seconds
    latest = limits.max_source_seconds
    if not 0 <= start < latest:  # NaN as well
        raise PartError(
            f"the part begins at {start:g} s, it must begin at 0 s or later and before {latest:g} s",
            field=START_FIELD,
            metadata={"value": start, "minimum": 0, "maximum": latest},
        )
    if end is None:
        return
    if not start < end <= latest:
        raise PartError(
            f"the part ends at {end:g} s, it must end after its beginning at {start:g} s and by {latest:g} s",
            field=END_FIELD,
            metadata={"value": end, "minimum": start, "maximum": latest},
        )
    check_not_too_short(end - start, limits=limits, field=END_FIELD)
    if end - start > limits.max_duration_seconds + 1e-6:
        raise too_long(
            f"cut to a part of {end - start:g} s",
            limits=limits,
            field=END_FIELD,
            duration_seconds=end - start,
        )


def check_not_too_short(duration_seconds: float, *, limits: DecodingLimits, field: str = AUDIO_FIELD) -> None:
    """Check that a clip is as long as the analyses need.

    Raises:
        AudioTooShortError: It is shorter.
    """
    if duration_seconds < limits.min_duration_seconds - 1e-9:
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
        "cut it, or choose a part of it with start and end",
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


def part_after_end(part: ClipPart, duration_seconds: float) -> PartError:
    """Return the error that a part begins after the audio's end."""
    return PartError(
        f"the part begins at {part.start_seconds:g} s, and the audio ends at {duration_seconds:.2f} s; begin "
        f"earlier",
        field=START_FIELD,
        metadata={"value": part.start_seconds, "maximum": round(duration_seconds, 3)},
    )
