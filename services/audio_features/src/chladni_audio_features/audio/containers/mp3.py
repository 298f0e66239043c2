"""Headers of MP3 files: frames, and the tags around them.

MP3 has no header of its own: a file is a chain of frames, each of which says how long it is.
The first frame may hold a Xing/Info tag, which declares the number of frames and bytes to come.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from chladni_audio_features.audio.containers.stream_header import Container, StreamHeader
from chladni_audio_features.audio.errors import TruncatedAudioError

_FRAME_HEADER_BYTES = 4
_LAYER_III = 1
_MPEG_1, _MPEG_2, _MPEG_25 = 3, 2, 0
_SAMPLE_RATES_HZ = {
    _MPEG_1: (44100, 48000, 32000),
    _MPEG_2: (22050, 24000, 16000),
    _MPEG_25: (11025, 12000, 8000),
}
_BIT_RATES_KBPS = {
    _MPEG_1: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    _MPEG_2: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_XING_HAS_FRAMES, _XING_HAS_BYTES = 0x1, 0x2
_ROOMY_BIT_RATE_INDEX = 9  # frames of 128 or 80 kbit/s have room for the tag

# An encoder adds 576 to 1,105 samples in front and fills the last frame; decoders that do not
# know the exact amounts keep them.
_PADDING_FRAMES = 3


@dataclass(frozen=True)
class _Frame:
    start: int
    length_bytes: int
    samples: int
    sample_rate_hz: int
    channels: int
    side_info_bytes: int

    @property
    def end(self) -> int:
        return self.start + self.length_bytes


def id3v2_length(data: bytes) -> int:
    """Return the bytes taken by ID3v2 tags at the start of a file, 0 where there is none."""
    position = 0
    while data[position : position + 3] == b"ID3" and position + 10 <= len(data):
        size = 0
        for byte in data[position + 6 : position + 10]:
            size = size << 7 | byte & 0x7F
        position += 10 + size
    return position


def find_first_frame(data: bytes) -> int | None:
    """Return the offset of the first MPEG layer III frame, or None where the file has none.

    A frame counts when another one, or the end of the file, follows where it says.
    """
    start = id3v2_length(data)
    frame = _read_frame(data, start)
    if frame is None:
        return None
    if frame.end < len(data) and _read_frame(data, frame.end) is None:
        is_short_tail = len(data) - frame.end < _FRAME_HEADER_BYTES
        return start if is_short_tail else None
    return start


def read_mp3_header(data: bytes) -> StreamHeader:
    """Walk the chain of frames, which gives the length without trusting any declared number.

    Raises:
        TruncatedAudioError: no complete frame, or fewer frames or bytes than the Xing tag declares.
    """
    first = _first_frame(data)
    frames = _count_frames(data, first)
    tag = _read_xing(data, first)
    if tag is not None:
        declared_frames, declared_bytes = tag
        frames -= 1  # the tag's own frame is silent and not decoded
        if frames < declared_frames or len(data) - first.start < declared_bytes:
            raise TruncatedAudioError(
                f"the MP3 file declares {declared_frames} frames and holds {frames}; "
                "it is cut short or damaged: send the complete file",
                metadata={"declared": declared_frames, "found": frames},
            )
    return StreamHeader(
        container=Container.MP3,
        codec="MPEG_LAYER_III",
        sample_rate_hz=first.sample_rate_hz,
        channels=first.channels,
        frames=frames * first.samples,
        padding_frames=_PADDING_FRAMES * first.samples,
    )


def with_declared_length(data: bytes) -> bytes:
    """Make sure that an MP3 file begins with a Xing tag that tells its number of frames.

    Without one, decoders guess the length from the first frame's bit rate and stop there, which
    loses most of a file of variable bit rate. The decoder skips the frame that holds the tag.

    Args:
        data: a file that `read_mp3_header` accepts.
    """
    first = _first_frame(data)
    frames = _count_frames(data, first)
    tag = _read_xing(data, first)
    music_start = first.start
    if tag is not None:
        frames -= 1
        if tag[0] == frames:
            return data
        music_start = first.end
    (word,) = struct.unpack_from(">I", data, first.start)
    word = word & ~(0xF << 12) | _ROOMY_BIT_RATE_INDEX << 12
    holder = _frame_of(word, first.start)
    flags = _XING_HAS_FRAMES | _XING_HAS_BYTES
    length_bytes = holder.length_bytes + len(data) - music_start
    content = struct.pack(">4sIII", b"Xing", flags, frames, length_bytes)
    frame = struct.pack(">I", word) + bytes(holder.side_info_bytes) + content
    return data[: first.start] + frame.ljust(holder.length_bytes, b"\0") + data[music_start:]


def _first_frame(data: bytes) -> _Frame:
    start = find_first_frame(data)
    first = None if start is None else _read_frame(data, start)
    if first is None or first.end > len(data):
        raise TruncatedAudioError("the MP3 file ends within its first frame; send the complete file")
    return first


def _read_frame(data: bytes, start: int) -> _Frame | None:
    if start + _FRAME_HEADER_BYTES > len(data):
        return None
    (word,) = struct.unpack_from(">I", data, start)
    version, layer = word >> 19 & 0x3, word >> 17 & 0x3
    bit_rate_index, rate_index = word >> 12 & 0xF, word >> 10 & 0x3
    if word >> 21 != 0x7FF or layer != _LAYER_III or version not in _SAMPLE_RATES_HZ:
        return None
    if bit_rate_index in (0, 15) or rate_index == 3:
        return None
    return _frame_of(word, start)


def _frame_of(word: int, start: int) -> _Frame:
    """Interpret a valid frame header of 32 bits."""
    version, bit_rate_index = word >> 19 & 0x3, word >> 12 & 0xF
    rate_index, padding = word >> 10 & 0x3, word >> 9 & 0x1
    is_mpeg_1 = version == _MPEG_1
    is_mono = word >> 6 & 0x3 == 3
    samples = 1152 if is_mpeg_1 else 576
    sample_rate_hz = _SAMPLE_RATES_HZ[version][rate_index]
    bit_rate = 1000 * _BIT_RATES_KBPS[_MPEG_1 if is_mpeg_1 else _MPEG_2][bit_rate_index - 1]
    return _Frame(
        start=start,
        length_bytes=samples // 8 * bit_rate // sample_rate_hz + padding,
        samples=samples,
        sample_rate_hz=sample_rate_hz,
        channels=1 if is_mono else 2,
        side_info_bytes=(17 if is_mono else 32) if is_mpeg_1 else (9 if is_mono else 17),
    )


def _count_frames(data: bytes, first: _Frame) -> int:
    """Count the complete frames in an unbroken chain; tags at the end of the file stop it."""
    count = 0
    frame: _Frame | None = first
    while frame is not None and frame.end <= len(data):
        count += 1
        frame = _read_frame(data, frame.end)
    return count


def _read_xing(data: bytes, first: _Frame) -> tuple[int, int] | None:
    """Return the declared (frames, bytes) of the Xing/Info tag, 0 for what it leaves out."""
    position = first.start + _FRAME_HEADER_BYTES + first.side_info_bytes
    content = data[position : first.end]
    if content[:4] not in (b"Xing", b"Info") or len(content) < 16:
        return None
    (flags,) = struct.unpack_from(">I", content, 4)
    values = iter(struct.unpack_from(">2I", content, 8))
    frames = next(values) if flags & _XING_HAS_FRAMES else 0
    length_bytes = next(values) if flags & _XING_HAS_BYTES else 0
    return frames, length_bytes
