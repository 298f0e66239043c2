"""Pictures without a model."""

import hashlib
import struct
import zlib


def solid_png(width_pixels: int, height_pixels: int, rgb: tuple[int, int, int]) -> bytes:
    """Returns a PNG of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width_pixels, height_pixels, 8, 2, 0, 0, 0)
    row = b"\0" + bytes(rgb) * width_pixels
    pixels = zlib.compress(row * height_pixels, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def colored_png(audio_sha256: str, seed: int, size_pixels: int) -> bytes:
    """Returns a PNG whose colour follows from a recording and a seed."""
    digest = hashlib.sha256(f"{audio_sha256}/{seed}".encode()).digest()
    return solid_png(size_pixels, size_pixels, (digest[0], digest[1], digest[2]))
