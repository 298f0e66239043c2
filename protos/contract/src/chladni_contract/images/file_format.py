"""Which of the formats that Chladni reads and writes a file of an image has, by its first bytes."""

from __future__ import annotations

from typing import Final

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

_JPEG_SIGNATURE: Final = b"\xff\xd8\xff"


def image_format_of(content: bytes) -> str:
    """Return ``png``, ``jpeg`` or ``webp``; empty if bytes begin like none of them."""
    if content.startswith(PNG_SIGNATURE):
        return "png"
    if content.startswith(_JPEG_SIGNATURE):
        return "jpeg"
    return "webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else ""
