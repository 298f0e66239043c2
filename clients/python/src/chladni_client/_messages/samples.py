"""Arrays of samples as WAV files in memory, so that they travel like any other recording."""

from __future__ import annotations

import operator
import struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from chladni_client.errors import InvalidInputError
from chladni_client.files import FileSource
from chladni_client.types.audio import AudioInput, SupportsArray
from chladni_contract.errors import FieldViolation

_PCM: Final = 1
_FLOAT: Final = 3
_MAX_CHANNELS: Final = 8
_MAX_SAMPLE_RATE_HZ: Final = 2**31 - 1
_INTEGERS: Final = (np.dtype("u1"), np.dtype("<i2"), np.dtype("<i4"))


def to_file(audio: AudioInput, sample_rate_hz: int | None) -> FileSource:
    """Return audio as a file: an array of samples as a WAV file, a file as it is.

    Args:
        audio: A file, or an array of shape (n,) or (n, channels).
        sample_rate_hz: Sample rate of an array; absent for a file.

    Raises:
        TypeError: An array has no sample rate, or a file has one.
        InvalidInputError: The array is not one of samples.
    """
    if not isinstance(audio, SupportsArray):
        if sample_rate_hz is not None:
            raise TypeError("sample_rate_hz is for an array of samples; a file has its own")
        return audio
    if sample_rate_hz is None:
        raise TypeError("an array of samples needs its sample rate: sample_rate_hz=...")
    return to_wav(np.asarray(audio), operator.index(sample_rate_hz))


def to_wav(samples: NDArray[Any], sample_rate_hz: int) -> bytes:
    """Return a WAV file of samples: float32 for floats, PCM of 8, 16 or 32 bits for integers.

    Args:
        samples: Shape (n,) or (n, channels); floats in [-1, 1], or uint8, int16 or int32.
        sample_rate_hz: Sample rate.

    Raises:
        InvalidInputError: The shape, the type, a value or the rate is none of audio.
    """
    if not 0 < sample_rate_hz <= _MAX_SAMPLE_RATE_HZ:
        raise _invalid("INVALID_FIELD", "sample_rate_hz", f"is {sample_rate_hz}, must be at least 1.")
    frames = _plain(_in_frames(samples))
    coding = _FLOAT if frames.dtype.kind == "f" else _PCM
    channel_count, sample_bytes = frames.shape[1], frames.dtype.itemsize
    frame_bytes = channel_count * sample_bytes
    content = frames.tobytes()
    rates = struct.pack("<IIHH", sample_rate_hz, sample_rate_hz * frame_bytes, frame_bytes, 8 * sample_bytes)
    chunks = _chunk(b"fmt ", struct.pack("<HH", coding, channel_count) + rates)
    if coding == _FLOAT:
        chunks += _chunk(b"fact", struct.pack("<I", len(frames)))
    return _chunk(b"RIFF", b"WAVE" + chunks + _chunk(b"data", content))


def _in_frames(samples: NDArray[Any]) -> NDArray[Any]:
    """Return samples as (n, channels)."""
    shape = samples.shape
    frames = samples[:, np.newaxis] if samples.ndim == 1 else samples
    if frames.ndim != 2:
        raise _invalid(
            "UNSUPPORTED_AUDIO_LAYOUT", "audio", f"has shape {shape}, must be (n,) or (n, channels)."
        )
    if not frames.size:
        raise _invalid("EMPTY_AUDIO", "audio", f"has shape {shape}: there are no samples.")
    if frames.shape[1] > _MAX_CHANNELS:
        hint = "; if the channels come first, pass samples.T" if frames.shape[0] <= _MAX_CHANNELS else ""
        count = f"that is {frames.shape[1]} channels, at most {_MAX_CHANNELS} are allowed"
        description = f"has shape {shape}, {count}{hint}."
        raise _invalid("UNSUPPORTED_AUDIO_LAYOUT", "audio", description)
    return frames


def _plain(frames: NDArray[Any]) -> NDArray[Any]:
    """Return samples in a type that WAV files have, little-endian."""
    if frames.dtype.kind == "f":
        with np.errstate(over="ignore"):
            frames = frames.astype("<f4", copy=False)
        if not np.isfinite(frames).all():
            raise _invalid("NON_FINITE_AUDIO", "audio", "holds NaN or infinite values; pass finite ones.")
        return frames
    frames = frames.astype(frames.dtype.newbyteorder("<"), copy=False)
    if frames.dtype not in _INTEGERS:
        description = f"has the type {frames.dtype}; pass floats in [-1, 1], or uint8, int16 or int32."
        raise _invalid("UNSUPPORTED_AUDIO_FORMAT", "audio", description)
    return frames


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _invalid(reason: str, field: str, description: str) -> InvalidInputError:
    violations = [FieldViolation(field, description)]
    return InvalidInputError(f"{field} {description}", reason=reason, violations=violations)
