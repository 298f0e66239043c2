"""Headers of FLAC files."""

from __future__ import annotations

import struct

from chladni_audio_features.audio.containers.mp3 import id3v2_length
from chladni_audio_features.audio.containers.stream_header import Container, StreamHeader
from chladni_audio_features.audio.errors import CorruptAudioError, TruncatedAudioError, UnsupportedFormatError

_MARKER_BYTES = 4
_BLOCK_HEADER_BYTES = 4
_STREAM_INFO = 0
_STREAM_INFO_BYTES = 34
_PACKED_OFFSET = 10  # sample rate, channels, sample width and length share 64 bits


def read_flac_header(data: bytes) -> StreamHeader:
    """Read the STREAMINFO block, which the format requires to come first.

    Raises:
        TruncatedAudioError: the file ends within the block.
        CorruptAudioError: the first block is another one.
        UnsupportedFormatError: the length is not declared, without which the decoder cannot end.
    """
    start = id3v2_length(data) + _MARKER_BYTES
    block = data[start : start + _BLOCK_HEADER_BYTES + _STREAM_INFO_BYTES]
    if len(block) < _BLOCK_HEADER_BYTES + _STREAM_INFO_BYTES:
        raise TruncatedAudioError("the FLAC file ends within its header; send the complete file")
    if block[0] & 0x7F != _STREAM_INFO:
        raise CorruptAudioError("the FLAC file has no STREAMINFO block; export the file again")
    (packed,) = struct.unpack_from(">Q", block, _BLOCK_HEADER_BYTES + _PACKED_OFFSET)
    frames = packed & (1 << 36) - 1
    if frames == 0:
        raise UnsupportedFormatError(
            "the FLAC file does not declare its length, as happens when it is written to a pipe; "
            "encode it into a file again"
        )
    sample_bits = (packed >> 36 & 0x1F) + 1
    return StreamHeader(
        container=Container.FLAC,
        codec=f"PCM_{sample_bits}",
        sample_rate_hz=packed >> 44,
        channels=(packed >> 41 & 0x7) + 1,
        frames=frames,
    )
