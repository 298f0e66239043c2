"""The text that an image file carries in its metadata, written and read without decoding the image.

    PNG         a text chunk (``tEXt``, ``zTXt`` or ``iTXt``) with the keyword ``chladni``
    JPEG, WebP  Exif's UserComment, ``chladni:`` and the text
    SVG, PDF    an XML element (`vector_metadata`)

PNG (https://www.w3.org/TR/png-3/) is a sequence of chunks: length, type, data, CRC-32. JPEG (ITU-T T.81) is a
sequence of segments: marker, length, data; WebP (RFC 9649) one of chunks: type, length, data. Exif (CIPA
DC-008) is a TIFF: byte order, then directories of entries with tag, type, count and value.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from chladni_contract.images.file_format import PNG_SIGNATURE, image_format_of
from chladni_contract.images.vector_metadata import find_element_text, vector_format_of

PNG_KEYWORD: Final = "chladni"
"""Keyword of the text chunk of a PNG."""

MAX_JPEG_TEXT_BYTES: Final = 65_000
"""Longest text that fits into a JPEG, a segment of which has at most 65533 bytes; others have no limit."""

_MAX_INFLATED_BYTES: Final = 1024 * 1024

_EXIF_HEADER: Final = b"Exif\0\0"
_TEXT_PREFIX: Final = f"{PNG_KEYWORD}:"
_EXIF_POINTER: Final = 0x8769
_USER_COMMENT: Final = 0x9286
_LONG, _UNDEFINED = 4, 7
_ASCII, _UNICODE = b"ASCII\0\0\0", b"UNICODE\0"
_MAX_ENTRIES: Final = 1000

_START_OF_SCAN, _END_OF_IMAGE, _APP1 = 0xDA, 0xD9, 0xE1


def can_carry_text(image: bytes) -> bool:
    """Return whether bytes begin like a PNG, a JPEG, a WebP, an SVG or a PDF."""
    return bool(image_format_of(image) or vector_format_of(image))


def find_text(image: bytes) -> str | None:
    """Return the text that a PNG, JPEG, WebP, SVG or PDF carries; `None` if it carries none.

    Raises:
        ValueError: The file is damaged.
    """
    try:
        match image_format_of(image):
            case "png":
                return next(_png_texts(image), None)
            case "jpeg":
                return next(_exif_texts(_jpeg_exif_blocks(image)), None)
            case "webp":
                return next(_exif_texts(_webp_exif_blocks(image)), None)
            case _:
                return find_element_text(image) if vector_format_of(image) else None
    except (struct.error, zlib.error) as error:
        raise ValueError(f"the file is damaged: {error}") from error


def exif_of(text: str) -> bytes:
    """Return the Exif block that makes a JPEG or WebP carry a text of ASCII characters.

    Raises:
        ValueError: The text has other characters.
    """
    comment = _ASCII + f"{_TEXT_PREFIX}{text}".encode("ascii")
    # The header of 8 bytes, then two directories with one entry each: count, entry, offset of the next one.
    first_directory, directory_bytes = 8, 2 + 12 + 4
    second_directory = first_directory + directory_bytes
    tiff = struct.pack("<2sHI", b"II", 42, first_directory)
    tiff += struct.pack("<HHHIII", 1, _EXIF_POINTER, _LONG, 1, second_directory, 0)
    value_offset = second_directory + directory_bytes
    tiff += struct.pack("<HHHIII", 1, _USER_COMMENT, _UNDEFINED, len(comment), value_offset, 0)
    return _EXIF_HEADER + tiff + comment


def _png_texts(png: bytes) -> Iterator[str]:
    for kind, data in _png_chunks(png):
        keyword, _, rest = data.partition(b"\0")
        if keyword != PNG_KEYWORD.encode():
            continue
        if kind == b"tEXt":
            yield rest.decode("latin-1")
        elif kind == b"zTXt":  # one byte names the compression, of which there is one
            yield _inflate(rest[1:]).decode("latin-1")
        elif kind == b"iTXt":
            is_compressed = rest[0:1] == b"\x01"
            _language, _translated, text = rest[2:].split(b"\0", 2)
            yield (_inflate(text) if is_compressed else text).decode("utf-8")


def _png_chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    offset = len(PNG_SIGNATURE)
    while offset < len(png):
        length, kind = struct.unpack_from(">I4s", png, offset)
        data = png[offset + 8 : offset + 8 + length]
        (checksum,) = struct.unpack_from(">I", png, offset + 8 + length)
        if kind in {b"tEXt", b"zTXt", b"iTXt"}:
            if zlib.crc32(kind + data) != checksum:
                raise ValueError("the checksum of a text chunk is wrong")
            yield kind, data
        offset += 12 + length


def _inflate(data: bytes) -> bytes:
    decompressor = zlib.decompressobj()
    text = decompressor.decompress(data, _MAX_INFLATED_BYTES)
    if not decompressor.eof:
        raise ValueError("a text chunk is incomplete or too long")
    return text


def _jpeg_exif_blocks(jpeg: bytes) -> Iterator[bytes]:
    offset = 2
    while offset < len(jpeg):
        fill, marker = struct.unpack_from(">BB", jpeg, offset)
        if fill != 0xFF:
            raise ValueError("a segment of the JPEG does not begin with a marker")
        if marker == 0xFF:  # any number of them may stand before a marker
            offset += 1
            continue
        if marker in {_START_OF_SCAN, _END_OF_IMAGE}:
            return
        (length,) = struct.unpack_from(">H", jpeg, offset + 2)
        data = jpeg[offset + 4 : offset + 2 + length]
        if len(data) != length - 2:
            raise ValueError("a segment of the JPEG is cut off")
        if marker == _APP1 and data.startswith(_EXIF_HEADER):
            yield data
        offset += 2 + length


def _webp_exif_blocks(webp: bytes) -> Iterator[bytes]:
    offset = 12
    while offset < len(webp):
        kind, length = struct.unpack_from("<4sI", webp, offset)
        data = webp[offset + 8 : offset + 8 + length]
        if len(data) != length:
            raise ValueError("a chunk of the WebP is cut off")
        if kind == b"EXIF":
            yield data
        offset += 8 + length + length % 2


def _exif_texts(blocks: Iterator[bytes]) -> Iterator[str]:
    for block in blocks:
        comment = _user_comment_of(block.removeprefix(_EXIF_HEADER))
        if comment.startswith(_TEXT_PREFIX):
            yield comment.removeprefix(_TEXT_PREFIX)


def _user_comment_of(tiff: bytes) -> str:
    """Return the UserComment of an Exif block; an empty one if it has none.

    Another program that rewrote the file may have written it in its own byte order and characters.
    """
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        raise ValueError("the Exif data names no byte order")
    (first_directory,) = struct.unpack_from(f"{order}I", tiff, 4)
    pointer = _entry_of(tiff, first_directory, _EXIF_POINTER, order)
    if pointer is None:
        return ""
    (exif_directory,) = struct.unpack(f"{order}I", pointer[:4])
    value = _entry_of(tiff, exif_directory, _USER_COMMENT, order)
    if value is None:
        return ""
    if value.startswith(_UNICODE):
        return value.removeprefix(_UNICODE).decode("utf-16-le" if order == "<" else "utf-16-be")
    return value[len(_ASCII) :].rstrip(b"\0 ").decode("utf-8", "replace")


def _entry_of(tiff: bytes, directory: int, tag: int, order: str) -> bytes | None:
    """Return the bytes of an entry's value; `None` if the directory has no such entry."""
    (count,) = struct.unpack_from(f"{order}H", tiff, directory)
    for number in range(min(count, _MAX_ENTRIES)):
        offset = directory + 2 + 12 * number
        entry_tag, kind, length = struct.unpack_from(f"{order}HHI", tiff, offset)
        if entry_tag != tag:
            continue
        byte_count = length * (4 if kind == _LONG else 1)
        value_offset = offset + 8
        if byte_count > 4:
            (value_offset,) = struct.unpack_from(f"{order}I", tiff, value_offset)
        value = tiff[value_offset : value_offset + byte_count]
        if len(value) != byte_count:
            raise ValueError("a value of the Exif data is cut off")
        return value
    return None
