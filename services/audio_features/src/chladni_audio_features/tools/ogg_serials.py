"""Stable stream serial numbers for OGG files.

Encoders draw the serial number of a stream at random, so that no two runs give the same file. A
file with one stream may have any number; this sets it and corrects the pages' checksums.
"""

from __future__ import annotations

import struct

_PAGE_HEADER_BYTES = 27
_SERIAL_OFFSET, _CHECKSUM_OFFSET = 14, 22
_POLYNOMIAL = 0x04C11DB7


def with_serial(file: bytes, serial: int) -> bytes:
    """Return an OGG file of one stream with another serial number."""
    table = [_remainder(byte) for byte in range(256)]
    changed = bytearray(file)
    position = 0
    while position < len(changed):
        segments = changed[position + _PAGE_HEADER_BYTES - 1]
        lacing = changed[position + _PAGE_HEADER_BYTES : position + _PAGE_HEADER_BYTES + segments]
        end = position + _PAGE_HEADER_BYTES + segments + sum(lacing)
        struct.pack_into("<I", changed, position + _SERIAL_OFFSET, serial)
        struct.pack_into("<I", changed, position + _CHECKSUM_OFFSET, 0)
        checksum = 0
        for byte in changed[position:end]:
            checksum = (checksum << 8 & 0xFFFFFFFF) ^ table[checksum >> 24 ^ byte]
        struct.pack_into("<I", changed, position + _CHECKSUM_OFFSET, checksum)
        position = end
    return bytes(changed)


def _remainder(byte: int) -> int:
    value = byte << 24
    for _ in range(8):
        value = (value << 1 ^ _POLYNOMIAL if value & 0x80000000 else value << 1) & 0xFFFFFFFF
    return value
