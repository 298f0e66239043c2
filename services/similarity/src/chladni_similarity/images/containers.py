"""What files of images hold beside pixels, read before a decoder sees them.

A decoder may work on a small file for minutes, or refuse a good one for its metadata, so its work is counted
and the metadata that it does not need is left out first.
"""

from __future__ import annotations

import re
import struct
import zlib
from typing import Final

from chladni_contract.images.file_format import PNG_SIGNATURE

_SCAN: Final = 0xDA
_END: Final = 0xD9
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_MARKER_AFTER_SCAN: Final = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")
_CHUNK_OVERHEAD: Final = 12
_COLOUR_PROFILE: Final = b"iCCP"
_TEXTS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_MAX_TEXT_BYTES: Final = 64 * 1024
_MAX_TEXTS: Final = 64
_OTHER_FORMATS: Final = (
    (re.compile(rb"....ftyp(avif|avis)", re.DOTALL), "an AVIF image"),
    (
        re.compile(rb"....ftyp(hei[cxms]|hev[cxms]|mif1|msf1)", re.DOTALL),
        "a HEIC image (of an iPhone)",
    ),
    (re.compile(rb"GIF8[79]a"), "a GIF image"),
    (re.compile(rb"BM....\x00\x00\x00\x00", re.DOTALL), "a BMP image"),
    (re.compile(rb"II\*\x00|MM\x00\*"), "a TIFF image"),
    (re.compile(rb"\xff\x0a|\x00\x00\x00\x0cJXL "), "a JPEG XL image"),
    (re.compile(rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51"), "a JPEG 2000 image"),
    (re.compile(rb"%PDF-"), "a PDF document"),
    (re.compile(rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?(<!DOCTYPE svg|<svg)", re.DOTALL), "an SVG drawing"),
)


def name_other_format(content: bytes) -> str:
    """Return what a file of no supported format is, such as "an AVIF image"; empty if it is not known."""
    beginning = content[:512]
    return next((name for pattern, name in _OTHER_FORMATS if pattern.match(beginning)), "")


def count_scans(content: bytes, *, limit: int) -> int:
    """Return the number of scans of a JPEG: each one costs a decoder a pass over all of the image.

    Bytes that only look like a scan, in a thumbnail for example, are not counted.

    Args:
        content: Bytes of the file.
        limit: Number at which the count ends.
    """
    scan_count = 0
    position = 2
    while scan_count < limit and position + 4 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker == _END:
            break
        if marker == 0xFF or marker in _STANDALONE:
            position += 1 if marker == 0xFF else 2
            continue
        position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
        if marker == _SCAN:
            scan_count += 1
            following = _MARKER_AFTER_SCAN.search(content, position)
            if following is None:
                break
            position = following.start()
    return scan_count


def without_large_metadata(content: bytes) -> bytes:
    """Return a PNG without its colour profile and its large texts, which have nothing to do with the pixels.

    A file whose chunks are damaged is returned as it is: the decoder says what is wrong.
    """
    kept: list[bytes | memoryview] = [PNG_SIGNATURE]
    position = len(PNG_SIGNATURE)
    text_count = 0
    view = memoryview(content)
    while position + _CHUNK_OVERHEAD <= len(content):
        size, kind = struct.unpack_from(">I4s", content, position)
        end = position + _CHUNK_OVERHEAD + size
        if end > len(content):
            return content
        if kind in _TEXTS or kind == _COLOUR_PROFILE:
            body = view[position + 8 : end - 4]
            if zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(view[end - 4 : end], "big"):
                return content
            text_count += 1
            if kind == _COLOUR_PROFILE or text_count > _MAX_TEXTS or _is_large_text(kind, bytes(body)):
                position = end
                continue
        kept.append(view[position:end])
        position = end
    is_changed = sum(map(len, kept)) < len(content)
    return b"".join(kept) if is_changed and position == len(content) else content


def _is_large_text(kind: bytes, body: bytes) -> bool:
    """Return whether a text is large, or compressed and large; one that cannot be read is kept."""
    if len(body) > _MAX_TEXT_BYTES:
        return True
    _, _, rest = body.partition(b"\0")
    if kind == b"zTXt":
        packed = rest[1:]
    elif kind == b"iTXt" and rest[:1] == b"\1":
        packed = rest[2:].split(b"\0", 2)[-1]
    else:
        return False
    try:
        return len(zlib.decompressobj().decompress(packed, _MAX_TEXT_BYTES + 1)) > _MAX_TEXT_BYTES
    except zlib.error:
        return False
