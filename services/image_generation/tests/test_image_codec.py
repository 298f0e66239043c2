"""Images that callers send."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from chladni_contract.errors import InvalidInputError, Reason
from chladni_image_generation.image_codec import decode_initial_image


def file_of(size=(32, 16), mode="RGB", **options):
    output = io.BytesIO()
    colour = (200, 100, 50) if mode == "RGB" else 0
    Image.new(mode, size, colour).save(output, **({"format": "PNG"} | options))
    return output.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "1"])
def test_an_image_of_any_mode_becomes_rgb(mode):
    assert decode_initial_image(file_of(mode=mode), field="image").shape == (16, 32, 3)


def test_a_photograph_is_turned_as_its_exif_data_says():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = file_of(format="JPEG", exif=exif)
    assert decode_initial_image(content, field="image").shape == (32, 16, 3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "PNG or JPEG"),
        (b"\x89PNG but no more", "PNG or JPEG"),
        (file_of()[:60], "PNG or JPEG"),
        (file_of(format="GIF"), "PNG or JPEG"),
        (file_of(size=(4, 4)), "at least 8"),
        (file_of(size=(8192, 4096), mode="1"), "at most"),
    ],
    ids=["empty", "no-image", "cut-off", "gif", "tiny", "huge"],
)
def test_an_image_that_cannot_be_used_is_refused_with_its_field(content, words):
    with pytest.raises(InvalidInputError, match=words) as caught:
        decode_initial_image(content, field="conditioning.initial_image")
    assert caught.value.reason is Reason.INVALID_IMAGE
    assert [violation.field for violation in caught.value.violations] == ["conditioning.initial_image"]
