"""The format of an image file by its first bytes."""

from __future__ import annotations

import pytest

from chladni_contract.images.file_format import image_format_of


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\x89PNG\r\n\x1a\n and more", "png"),
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"RIFF\x08\0\0\0WEBPVP8 ", "webp"),
        (b"RIFF\x08\0\0\0WAVEfmt ", ""),
        (b"\x89PNG", ""),
        (b"GIF89a", ""),
        (b"", ""),
    ],
)
def test_the_first_bytes_tell_the_format(content, expected):
    assert image_format_of(content) == expected
