"""Headers of OGG files with a Vorbis or Opus stream."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from chladni_audio_features.audio.containers.stream_header import Container, StreamHeader
from chladni_audio_features.audio.errors import TruncatedAudioError, UnsupportedFormatError

_PAGE_HEADER_BYTES = 27
_LAST_PAGE_FLAG = 0x04
_NO_GRANULE = -1
_OPUS_RATE_HZ = 48000  # Opus always counts and decodes at this rate
_FOREIGN_STREAMS = {
    b"\x7fFLAC": "FLAC",
    b"Speex  ": "Speex",
    b"\x80theora": "Theora video",
    b"fishead": "Skeleton",
}


@dataclass(frozen=True)
class _Page:
    flags: int
    granule: int
    payload_start: int
    payload_end: int


def read_ogg_header(data: bytes) -> StreamHeader:
    """Read the identification packet of the first stream and the position of its last page.

    Raises:
        UnsupportedFormatError: the stream is neither Vorbis nor Opus.
        TruncatedAudioError: the file ends before the page marked as the last.
    """
    pages = list(_pages(data))
    if not pages:
        raise TruncatedAudioError("the OGG file ends within its first page; send the complete file")
    packet = data[pages[0].payload_start : pages[0].payload_end]
    codec, channels, sample_rate_hz, skipped_frames = _read_identification(packet)
    if not pages[-1].flags & _LAST_PAGE_FLAG:
        raise TruncatedAudioError(
            "the OGG file ends before its last page; it is cut short or still being written: "
            "send the complete file"
        )
    positions = [page.granule for page in pages if page.granule != _NO_GRANULE]
    return StreamHeader(
        container=Container.OGG,
        codec=codec,
        sample_rate_hz=sample_rate_hz,
        channels=channels,
        frames=max(0, max(positions, default=0) - skipped_frames),
    )


def _pages(data: bytes) -> Iterator[_Page]:
    """Yield the complete pages from the start of the file until something else follows."""
    position = 0
    while data[position : position + 4] == b"OggS" and position + _PAGE_HEADER_BYTES <= len(data):
        flags, granule = struct.unpack_from("<Bq", data, position + 5)
        segments = data[position + _PAGE_HEADER_BYTES - 1]
        payload_start = position + _PAGE_HEADER_BYTES + segments
        lacing = data[position + _PAGE_HEADER_BYTES : payload_start]
        payload_end = payload_start + sum(lacing)
        if len(lacing) < segments or payload_end > len(data):
            return
        yield _Page(flags, granule, payload_start, payload_end)
        position = payload_end


def _read_identification(packet: bytes) -> tuple[str, int, int, int]:
    """Return codec, channels, sample rate in hertz and the frames to drop at the start."""
    if packet[:7] == b"\x01vorbis" and len(packet) >= 16:
        channels, sample_rate_hz = struct.unpack_from("<BI", packet, 11)
        return "VORBIS", channels, sample_rate_hz, 0
    if packet[:8] == b"OpusHead" and len(packet) >= 12:
        channels, pre_skip = struct.unpack_from("<BH", packet, 9)
        return "OPUS", channels, _OPUS_RATE_HZ, pre_skip
    found = next(
        (name for magic, name in _FOREIGN_STREAMS.items() if packet.startswith(magic)),
        "an unknown codec",
    )
    raise UnsupportedFormatError(f"the OGG file holds {found}; only Vorbis and Opus are read from OGG")
