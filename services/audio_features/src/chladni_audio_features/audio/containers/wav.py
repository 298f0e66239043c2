"""Headers of WAV files (RIFF, RF64, BW64): what contradicts itself, or is cut short, has its own error.

FFmpeg reads the samples. It takes any header, and stops at the end of a cut file as at that of a whole one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from chladni_audio_features.audio.errors import (
    CorruptAudioError,
    TruncatedAudioError,
    UnsupportedFormatError,
)

_RIFF_HEADER_BYTES = 12
_CHUNK_HEADER_BYTES = 8
_FORMAT_CHUNK_MIN_BYTES = 16
_EXTENSIBLE = 0xFFFE
_EXTENSIBLE_CODE_OFFSET = 24

# Writers that stream to a pipe do not know the length: they declare the most the field can hold.
_OPEN_LENGTH_BYTES = 0x7FFFF000

# WAVE format code -> sample widths in bits that are read, and the name of the coding.
_CODECS = {
    0x0001: ({8, 16, 24, 32}, "PCM"),
    0x0003: ({32, 64}, "FLOAT"),
    0x0006: ({8}, "ALAW"),
    0x0007: ({8}, "ULAW"),
}
_FOREIGN_CODECS = {
    0x0002: "Microsoft ADPCM",
    0x0011: "IMA ADPCM",
    0x0031: "GSM 6.10",
    0x0050: "MPEG",
    0x0055: "MP3",
    0x00FF: "AAC",
}


@dataclass(frozen=True, slots=True)
class WavHeader:
    """What a WAV file declares.

    Attributes:
        codec: Name of the sample coding.
        sample_rate_hz: Sample rate, unchecked.
        channels: Number of channels, unchecked.
        frames: Number of samples per channel.
        start: Offset of the samples.
    """

    codec: str
    sample_rate_hz: int
    channels: int
    frames: int
    start: int


def read_wav_header(data: bytes) -> WavHeader:
    """Read the "fmt " and "data" chunks of a WAV file, and "ds64" for the sizes of an RF64 or BW64.

    Raises:
        UnsupportedFormatError: A coding other than PCM, float, A-law or u-law.
        TruncatedAudioError: A chunk is missing, or declares more bytes than the file has.
        CorruptAudioError: The format chunk contradicts itself.
    """
    header: tuple[int, int, int, int, int] | None = None
    large_bytes = 0
    for name, start, declared_bytes in _chunks(data):
        if name == b"ds64" and len(data) >= start + 16:
            (large_bytes,) = struct.unpack_from("<Q", data, start + 8)
        elif name == b"fmt ":
            header = _read_format(data[start : start + declared_bytes])
        elif name == b"data":
            if header is None:
                raise CorruptAudioError("the WAV file has its data chunk before its format chunk")
            code, channels, sample_rate_hz, block_bytes, sample_bits = header
            frames = _data_bytes(data, start, declared_bytes, large_bytes) // (block_bytes or 1)
            return WavHeader(_codec_name(code, sample_bits), sample_rate_hz, channels, frames, start)
    raise TruncatedAudioError("the WAV file ends before its sample data begins; send the complete file")


def _data_bytes(data: bytes, start: int, declared_bytes: int, large_bytes: int) -> int:
    """Return the bytes of the samples, which writers to a pipe could not declare."""
    available_bytes = len(data) - start
    if declared_bytes == 0 and not _is_empty(data, start):
        return available_bytes
    if declared_bytes >= _OPEN_LENGTH_BYTES:
        # An RF64 declares the length in its own chunk, or 0 there.
        declared_bytes = large_bytes or available_bytes
    if declared_bytes > available_bytes:
        raise TruncatedAudioError(
            f"the WAV file declares {declared_bytes} bytes of samples and holds "
            f"{available_bytes}; send the complete file",
            metadata={"declared": declared_bytes, "found": available_bytes},
        )
    return declared_bytes


def _is_empty(data: bytes, start: int) -> bool:
    """Return whether nothing but other chunks, up to the file's end, follows a data chunk of 0 bytes."""
    end = start
    for _, chunk_start, chunk_bytes in _chunks(data, start):
        end = chunk_start + chunk_bytes + chunk_bytes % 2
    return end in (len(data), len(data) + 1)


def _chunks(data: bytes, position: int = _RIFF_HEADER_BYTES) -> Iterator[tuple[bytes, int, int]]:
    """Yield (name, offset of the content, declared bytes) of each RIFF chunk."""
    while position + _CHUNK_HEADER_BYTES <= len(data):
        name, declared_bytes = struct.unpack_from("<4sI", data, position)
        start = position + _CHUNK_HEADER_BYTES
        yield name, start, declared_bytes
        position = start + declared_bytes + declared_bytes % 2  # chunks start at even offsets


def _read_format(chunk: bytes) -> tuple[int, int, int, int, int]:
    if len(chunk) < _FORMAT_CHUNK_MIN_BYTES:
        raise TruncatedAudioError("the WAV file's format chunk is cut short; send the whole file")
    code, channels, sample_rate_hz, _, block_bytes, sample_bits = struct.unpack_from("<HHIIHH", chunk)
    if code == _EXTENSIBLE and len(chunk) >= _EXTENSIBLE_CODE_OFFSET + 2:
        (code,) = struct.unpack_from("<H", chunk, _EXTENSIBLE_CODE_OFFSET)
    if code not in _CODECS or sample_bits not in _CODECS[code][0]:
        raise UnsupportedFormatError(
            f"the WAV file holds {_describe_coding(code, sample_bits)}; "
            "store it as PCM (8 to 32 bit) or float",
            metadata={"coding": code, "sample_bits": sample_bits},
        )
    # No channels at all is a fault of its own, which the caller of this module names.
    if channels and block_bytes != channels * sample_bits // 8:
        raise CorruptAudioError(
            f"the WAV header contradicts itself: {channels} channels of {sample_bits} bits in "
            f"blocks of {block_bytes} bytes; export the file again",
            metadata={"channels": channels, "sample_bits": sample_bits, "block_bytes": block_bytes},
        )
    return code, channels, sample_rate_hz, block_bytes, sample_bits


def _codec_name(code: int, sample_bits: int) -> str:
    name = _CODECS[code][1]
    return f"{name}_{sample_bits}" if name in ("PCM", "FLOAT") else name


def _describe_coding(code: int, sample_bits: int) -> str:
    if code in _CODECS:
        return f"{sample_bits}-bit {_CODECS[code][1]} samples"
    return f"{_FOREIGN_CODECS.get(code, f'coding 0x{code:04x}')} audio"
