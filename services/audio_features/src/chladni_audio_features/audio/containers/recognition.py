"""Recognition of audio files by content, never by name."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from enum import Enum
from typing import Final

from chladni_audio_features.audio.containers.mpeg import (
    adts_frame_length,
    declared_frame_count,
    find_frames,
    is_cut,
    mpeg_frame_length,
    tags_length,
)
from chladni_audio_features.audio.errors import UnsupportedFormatError


class Container(Enum):
    """Kinds of audio file that can be read, by their names for people."""

    WAV = "WAV"
    MP3 = "MP3"
    FLAC = "FLAC"
    OGG = "OGG"
    MP4 = "M4A"
    MATROSKA = "WebM"
    AAC = "AAC"
    AMR = "AMR"
    AIFF = "AIFF"
    CAF = "CAF"


SUPPORTED_CONTAINERS: Final = ", ".join(container.value for container in Container)


@dataclass(frozen=True, slots=True)
class FileKind:
    """What kind of file some bytes are.

    Attributes:
        container: The kind.
        demuxer: FFmpeg's name of what reads it.
        declares_length: Whether the length that its header declares is to be believed.
        packet_count: Packets that it declares; `None` if it does not.
        is_cut: Whether it has fewer bytes than it declares.
    """

    container: Container
    demuxer: str
    declares_length: bool = False
    packet_count: int | None = None
    is_cut: bool = False


_MAGIC: Final = (
    (8, b"AIFF", b"FORM", FileKind(Container.AIFF, "aiff", declares_length=True)),
    (8, b"AIFC", b"FORM", FileKind(Container.AIFF, "aiff", declares_length=True)),
    (24, b"wave\xf3\xac\xd3\x11", b"riff", FileKind(Container.WAV, "w64")),
    (0, b"OggS", b"", FileKind(Container.OGG, "ogg")),
    (0, b"\x1a\x45\xdf\xa3", b"", FileKind(Container.MATROSKA, "matroska")),
    (0, b"#!AMR", b"", FileKind(Container.AMR, "amr")),
    (0, b"caff", b"", FileKind(Container.CAF, "caf", declares_length=True)),
    *((4, box, b"", FileKind(Container.MP4, "mov")) for box in (b"ftyp", b"moov", b"mdat", b"wide")),
)
"""Offset, bytes there, bytes at the start, and the kind that they mean."""

_WAV: Final = FileKind(Container.WAV, "wav", declares_length=True)
_WAV_MAGIC: Final = (b"RIFF", b"RF64", b"BW64")
_FLAC: Final = FileKind(Container.FLAC, "flac", declares_length=True)
_IMAGE_BRANDS: Final = {
    b"avif": "AVIF image",
    b"avis": "AVIF image",
    b"heic": "HEIC image",
    b"mif1": "HEIC image",
}
_FOREIGN_AUDIO: Final = (
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMA/ASF"),
    (8, b"AVI ", "AVI video"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"wvpk", "WavPack"),
    (0, b"TTA1", "True Audio"),
    (0, b"MPCK", "Musepack"),
    (0, b"DSD ", "DSD"),
    (0, b".snd", "Sun audio (AU)"),
    (0, b"FLV", "Flash video"),
)
"""Offset, bytes there, and what they mean: audio that can be converted."""

_OTHERS: Final = (
    (8, b"WEBP", "WebP image"),
    (0, b"\x89PNG", "PNG image"),
    (0, b"\xff\xd8\xff", "JPEG image"),
    (0, b"GIF8", "GIF image"),
    (0, b"BM", "BMP image"),
    (0, b"%PDF", "PDF document"),
    (0, b"PK\x03\x04", "ZIP archive"),
    (0, b"\x1f\x8b", "gzip archive"),
    (0, b"\x7fELF", "ELF executable"),
    (0, b"MThd", "MIDI file, which holds notes and no sound"),
    (0, b"#EXTM3U", "playlist"),
)
"""Naming an image or a document tells a caller at once that the wrong file was sent."""

_TEXT_PROBE_BYTES: Final = 512


def recognise_file(data: bytes) -> FileKind:
    """Return the kind of an audio file.

    Raises:
        UnsupportedFormatError: It is none; the message says what it is.
    """
    if data[:4] in _WAV_MAGIC and data[8:12] == b"WAVE":
        return _WAV
    # An ID3 tag is customary before MPEG audio and seen before FLAC as well.
    start = tags_length(data)
    if data[start : start + 4] == b"fLaC":
        return _FLAC
    if _image_name(data) is None:
        for offset, magic, first, kind in _MAGIC:
            if data[offset : offset + len(magic)] == magic and data[: len(first)] == first:
                return kind
    foreign_audio, other = _find(_FOREIGN_AUDIO, data), _find(_OTHERS, data) or _image_name(data)
    if foreign_audio is None and other is None:
        frame = find_frames(data, mpeg_frame_length)
        if frame is not None:
            return FileKind(
                Container.MP3,
                "mp3",
                packet_count=declared_frame_count(data, frame),
                is_cut=is_cut(data, frame),
            )
        if find_frames(data, adts_frame_length) is not None:
            return FileKind(Container.AAC, "aac")
    advice = ", for example with `ffmpeg -i FILE audio.flac`" if foreign_audio else ""
    raise UnsupportedFormatError(
        f"the content is {foreign_audio or other or _describe(data)}, not supported audio; send one of "
        f"{SUPPORTED_CONTAINERS} (the file name does not matter){advice}"
    )


def _find(magics: tuple[tuple[int, bytes, str], ...], data: bytes) -> str | None:
    names = (name for offset, magic, name in magics if data[offset : offset + len(magic)] == magic)
    return next(names, None)


def _image_name(data: bytes) -> str | None:
    return _IMAGE_BRANDS.get(data[8:12]) if data[4:8] == b"ftyp" else None


def _describe(data: bytes) -> str:
    if data[:3] == b"ID3":
        return "an ID3 tag without MP3 frames after it"
    if _is_text(data[:_TEXT_PROBE_BYTES]):
        return "text"
    return f"unrecognised data starting with {data[:4].hex(' ')}"


def _is_text(head: bytes) -> bool:
    try:
        # An incremental decoder does not mind a character that the probe cuts in two.
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\r\n\t\f\ufeff" for character in text)
