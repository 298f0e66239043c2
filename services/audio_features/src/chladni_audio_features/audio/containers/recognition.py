"""Recognition of a file's kind by its first bytes."""

from __future__ import annotations

import codecs

from chladni_audio_features.audio.containers.mp3 import find_first_frame, id3v2_length
from chladni_audio_features.audio.containers.stream_header import SUPPORTED_CONTAINERS, Container
from chladni_audio_features.audio.errors import UnsupportedFormatError

# (offset, magic bytes, what to call it). Only the audio formats above all are worth converting,
# but naming an image or a document tells a caller at once that the wrong file was sent.
_FOREIGN_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftyp", "MP4/M4A (AAC)"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMA/ASF"),
    (0, b"\x1a\x45\xdf\xa3", "WebM/Matroska"),
    (8, b"AIFF", "AIFF"),
    (8, b"AIFC", "AIFF-C"),
    (0, b".snd", "AU"),
    (0, b"caff", "CAF"),
    (0, b"#!AMR", "AMR"),
    (0, b"MThd", "MIDI"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"wvpk", "WavPack"),
    (0, b"MPCK", "Musepack"),
    (0, b"riff\x2e\x91\xcf\x11", "Sony Wave64"),
    (8, b"WEBP", "WebP image"),
    (8, b"AVI ", "AVI video"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG image"),
    (0, b"\xff\xd8\xff", "JPEG image"),
    (0, b"GIF8", "GIF image"),
    (0, b"BM", "BMP image"),
    (0, b"%PDF", "PDF document"),
    (0, b"PK\x03\x04", "ZIP archive"),
    (0, b"\x1f\x8b", "gzip archive"),
    (0, b"\x7fELF", "ELF executable"),
)
_TEXT_PROBE_BYTES = 512


def recognise_container(data: bytes) -> Container:
    """Recognise the kind of an audio file from its bytes.

    Args:
        data: the whole file (MP3 has no magic number: its first two frames are checked).

    Raises:
        UnsupportedFormatError: anything but WAV, MP3, FLAC or OGG; the message names what it is.
    """
    if data[:4] in (b"RIFF", b"RF64") and data[8:12] == b"WAVE":
        return Container.WAV
    # An ID3 tag is customary before MP3 and seen before FLAC as well.
    content_start = id3v2_length(data)
    if data[content_start : content_start + 4] == b"fLaC":
        return Container.FLAC
    if data[:4] == b"OggS":
        return Container.OGG
    if find_first_frame(data) is not None:
        return Container.MP3
    raise UnsupportedFormatError(
        f"the content is {_name_of(data)}, not supported audio; "
        f"send one of {SUPPORTED_CONTAINERS} (the file name does not matter)"
    )


def _name_of(data: bytes) -> str:
    for offset, magic, name in _FOREIGN_MAGIC:
        if data[offset : offset + len(magic)] == magic:
            return name
    if _is_adts(data):
        return "AAC (ADTS)"
    if data[:3] == b"ID3":
        return "an ID3 tag without MP3 frames after it"
    if _is_text(data[:_TEXT_PROBE_BYTES]):
        return "text"
    return f"unrecognised data starting with {data[:4].hex(' ')}"


def _is_adts(data: bytes) -> bool:
    # ADTS shares the 12 bits of MPEG sync; its layer bits are 00, which MPEG audio reserves.
    return len(data) > 1 and data[0] == 0xFF and data[1] & 0xF6 == 0xF0


def _is_text(head: bytes) -> bool:
    try:
        # An incremental decoder does not mind a character that the probe cuts in two.
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\r\n\t\f\ufeff" for character in text)
