"""MPEG audio and ADTS: files without a header, which are chains of frames, and the tags around them."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Final

_HEADER_BYTES: Final = 4
_MAX_JUNK_BYTES: Final = 64 * 1024
_CHAIN_LENGTH: Final = 3
"""Frames in a row that are taken for no accident, if something else comes before them."""
_LAYER_II, _LAYER_III = 2, 1
_MPEG_1, _MPEG_2, _MPEG_25 = 3, 2, 0
_SAMPLE_RATES_HZ: Final = {
    _MPEG_1: (44100, 48000, 32000),
    _MPEG_2: (22050, 24000, 16000),
    _MPEG_25: (11025, 12000, 8000),
}
_LOW_BIT_RATES_KBPS: Final = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_BIT_RATES_KBPS: Final = {
    (_MPEG_1, _LAYER_II): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (_MPEG_1, _LAYER_III): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_SYNC: Final = re.compile(rb"\xff[\xe2-\xe7\xf0\xf1\xf2-\xf9\xfa-\xff][\x00-\xef]", re.DOTALL)
_ID3_HEADER_BYTES: Final = 10
_APE_HEADER_BYTES: Final = 32
_ID3V1_BYTES: Final = 128
_HAS_FRAME_COUNT, _HAS_BYTE_COUNT = 0x1, 0x2

FrameLength = Callable[[bytes, int], int]
"""Returns the bytes of the frame at an offset, 0 if there is none."""


def tags_length(data: bytes) -> int:
    """Return the bytes taken by ID3v2 and APE tags at the start of a file, 0 if there are none."""
    position = 0
    while True:
        if data[position : position + 3] == b"ID3" and position + _ID3_HEADER_BYTES <= len(data):
            size = 0
            for byte in data[position + 6 : position + _ID3_HEADER_BYTES]:
                size = size << 7 | byte & 0x7F
            has_footer = bool(data[position + 5] & 0x10)
            position += _ID3_HEADER_BYTES * (1 + has_footer) + size
        elif data[position : position + 8] == b"APETAGEX" and position + _APE_HEADER_BYTES <= len(data):
            (size,) = struct.unpack_from("<I", data, position + 12)
            position += _APE_HEADER_BYTES + size
        else:
            return position


def find_frames(data: bytes, frame_length: FrameLength) -> int | None:
    """Return the offset of the first frame, `None` if the file has none.

    Right after the tags, a frame counts if another one, or the end of the file, follows where it says;
    after something else, if a chain of them does.
    """
    start = tags_length(data)
    for match in _SYNC.finditer(data, start, start + _MAX_JUNK_BYTES):
        position = match.start()
        needed = 2 if position == start else _CHAIN_LENGTH
        if _has_chain(data, position, frame_length, needed):
            return position
    return None


def mpeg_frame_length(data: bytes, start: int) -> int:
    """Return the bytes of the frame of MPEG audio, layer II or III, at an offset; 0 if there is none."""
    if start + _HEADER_BYTES > len(data):
        return 0
    word: int = struct.unpack_from(">I", data, start)[0]
    version, layer = word >> 19 & 0x3, word >> 17 & 0x3
    bit_rate_index, rate_index, padding = word >> 12 & 0xF, word >> 10 & 0x3, word >> 9 & 0x1
    if word >> 21 != 0x7FF or layer not in (_LAYER_II, _LAYER_III) or version not in _SAMPLE_RATES_HZ:
        return 0
    if bit_rate_index in (0, 15) or rate_index == 3:
        return 0
    bit_rates = _BIT_RATES_KBPS.get((version, layer), _LOW_BIT_RATES_KBPS)
    samples = 576 if layer == _LAYER_III and version != _MPEG_1 else 1152
    bit_rate = 1000 * bit_rates[bit_rate_index - 1]
    return samples // 8 * bit_rate // _SAMPLE_RATES_HZ[version][rate_index] + padding


def adts_frame_length(data: bytes, start: int) -> int:
    """Return the bytes of the ADTS frame of AAC at an offset; 0 if there is none."""
    if start + 7 > len(data) or data[start] != 0xFF or data[start + 1] & 0xF6 != 0xF0:
        return 0
    if data[start + 2] >> 2 & 0xF > 12:  # the index of the sample rate
        return 0
    length = (data[start + 3] & 0x3) << 11 | data[start + 4] << 3 | data[start + 5] >> 5
    return length if length > 7 else 0


def declared_frame_count(data: bytes, first_frame: int) -> int | None:
    """Return how many frames the tag in the first frame says will come, `None` if it has no such tag."""
    tag = _read_length_tag(data, first_frame)
    return tag[0] if tag is not None else None


def is_cut(data: bytes, first_frame: int) -> bool:
    """Return whether there are fewer bytes than the tag in the first frame says, if it says that."""
    tag = _read_length_tag(data, first_frame)
    missing_bytes = 0 if tag is None or tag[1] is None else tag[1] - (len(data) - first_frame)
    # Some encoders count an ID3v1 tag, which may have been removed.
    return missing_bytes > 0 and missing_bytes != _ID3V1_BYTES


def _read_length_tag(data: bytes, first_frame: int) -> tuple[int | None, int | None] | None:
    """Return the (frames, bytes) that a Xing or Info tag declares, `None` for what it leaves out."""
    content = data[first_frame : first_frame + mpeg_frame_length(data, first_frame)]
    place = max(content.find(b"Xing"), content.find(b"Info"))
    if place < 0 or len(content) < place + 16:
        return None
    flags, *numbers = struct.unpack_from(">3I", content, place + 4)
    values = iter(numbers)
    frame_count = next(values) if flags & _HAS_FRAME_COUNT else None
    byte_count = next(values) if flags & _HAS_BYTE_COUNT else None
    return frame_count, byte_count


def _has_chain(data: bytes, start: int, frame_length: FrameLength, needed: int) -> bool:
    position = start
    for index in range(needed):
        length = frame_length(data, position)
        if not length:
            # Fewer bytes than a header may be left after the last frame.
            return index > 0 and len(data) - position < _HEADER_BYTES
        position += length
    return True
