"""Images without a model."""

from __future__ import annotations

import hashlib
import struct
import zlib
from typing import Final

from chladni.media.v1 import media_pb2
from chladni_contract.images.file_metadata import exif_of
from chladni_contract.images.vector_metadata import provenance_element

_END: Final = b"IEND"


def solid_png(width_pixels: int, height_pixels: int, rgb: tuple[int, int, int]) -> bytes:
    """Return a PNG of one colour."""
    header = struct.pack(">IIBBBBB", width_pixels, height_pixels, 8, 2, 0, 0, 0)
    row = b"\0" + bytes(rgb) * width_pixels
    pixels = zlib.compress(row * height_pixels, 1)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(_END, b"")


def colored_png(audio_sha256: str, seed: int, size_pixels: int) -> bytes:
    """Return a PNG whose colour follows from a recording and a seed."""
    digest = hashlib.sha256(f"{audio_sha256}/{seed}".encode()).digest()
    return solid_png(size_pixels, size_pixels, (digest[0], digest[1], digest[2]))


def with_text(png: bytes, keyword: str, text: str) -> bytes:
    """Return a PNG with another text chunk and the same pixels."""
    end = _chunk(_END, b"")
    # No compression, no language, no translated keyword.
    data = keyword.encode("latin-1") + b"\0\0\0\0\0" + text.encode()
    return png.removesuffix(end) + _chunk(b"iTXt", data) + end


def file_with_text(form: media_pb2.ImageFormat, text: str) -> bytes:
    """Return a file of any format but PNG that carries a text and shows nothing."""
    if form == media_pb2.IMAGE_FORMAT_SVG:
        return f"<svg><metadata>{provenance_element(text)}</metadata></svg>".encode()
    if form == media_pb2.IMAGE_FORMAT_PDF:
        return b"%PDF-1.4\n" + provenance_element(text).encode()
    exif = exif_of(text)
    if form == media_pb2.IMAGE_FORMAT_JPEG:
        return b"\xff\xd8\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + b"\xff\xd9"
    chunk = b"EXIF" + struct.pack("<I", len(exif)) + exif + b"\0" * (len(exif) % 2)
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


def png_message(
    content: bytes, width_pixels: int, height_pixels: int | None = None
) -> media_pb2.EncodedImage:
    """Return the message of a PNG; a square one if no height is given."""
    return media_pb2.EncodedImage(
        content=content,
        format=media_pb2.IMAGE_FORMAT_PNG,
        width_pixels=width_pixels,
        height_pixels=height_pixels or width_pixels,
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
