"""Images that callers send, and the files that they get."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from chladni_contract.errors import InvalidInputError, Reason
from chladni_contract.images.file_metadata import MAX_JPEG_TEXT_BYTES, find_text
from chladni_contract.provenance import Provenance
from chladni_contract.provenance_messages import parse_provenance
from chladni_image_generation.generation import PNG, ImageEncoding, ImageFormat
from chladni_image_generation.image_codec import decode_initial_image, encode_image, transcode_png

PROVENANCE = Provenance(model="m", seed=7, prompt="Grüße, \u4e16", library_versions={"torch": "2"})
RAMP = np.linspace(40, 215, 48).astype(np.uint8)
PIXELS = np.stack(
    [np.tile(RAMP, (32, 1)), np.tile(RAMP[:32, None], (1, 48)), np.full((32, 48), 90, np.uint8)], 2
)
ENCODINGS = [
    PNG,
    *(
        ImageEncoding(image_format, quality)
        for image_format in (ImageFormat.JPEG, ImageFormat.WEBP)
        for quality in (1, 89, 90, 100)
    ),
]


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_a_file_holds_its_pixels_and_its_provenance(encoding):
    content = encode_image(PIXELS, PROVENANCE, encoding)
    assert parse_provenance(find_text(content)) == PROVENANCE
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.mode, image.size) == (encoding.format, "RGB", (48, 32))
        difference = np.abs(np.asarray(image).astype(int) - PIXELS).mean()
    assert difference <= {1: 40, 89: 4, 90: 3, 100: 2}[encoding.quality]
    assert (difference == 0) or encoding != PNG


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_equal_images_give_equal_bytes_also_by_way_of_a_png(encoding):
    content = encode_image(PIXELS, PROVENANCE, encoding)
    assert encode_image(PIXELS, PROVENANCE, encoding) == content
    png = encode_image(PIXELS, PROVENANCE, PNG)
    assert transcode_png(png, PROVENANCE, encoding) == content


@pytest.mark.parametrize("image_format", [ImageFormat.JPEG, ImageFormat.WEBP])
def test_more_quality_takes_more_bytes(image_format):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    sizes = [
        len(encode_image(noise, PROVENANCE, ImageEncoding(image_format, quality)))
        for quality in (10, 60, 100)
    ]
    assert sizes == sorted(set(sizes))


def test_provenance_that_no_jpeg_can_hold_is_an_error_and_no_loss():
    long = Provenance(prompt="x" * (MAX_JPEG_TEXT_BYTES + 1000))
    with pytest.raises(ValueError, match=r"."):
        encode_image(PIXELS, long, ImageEncoding(ImageFormat.JPEG))
    webp = encode_image(PIXELS, long, ImageEncoding(ImageFormat.WEBP))
    assert parse_provenance(find_text(webp)) == long


def file_of(size=(32, 16), mode="RGB", **options):
    output = io.BytesIO()
    colour = (200, 100, 50) if mode == "RGB" else 0
    Image.new(mode, size, colour).save(output, **({"format": "PNG"} | options))
    return output.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "1"])
def test_an_image_of_any_mode_becomes_rgb(mode):
    assert decode_initial_image(file_of(mode=mode), field="image").shape == (16, 32, 3)


@pytest.mark.parametrize("image_format", ["JPEG", "WEBP"])
def test_the_formats_of_the_answers_are_taken(image_format):
    assert decode_initial_image(file_of(format=image_format), field="image").shape == (16, 32, 3)


def test_a_photograph_is_turned_as_its_exif_data_says():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = file_of(format="JPEG", exif=exif)
    assert decode_initial_image(content, field="image").shape == (32, 16, 3)


@pytest.mark.parametrize("image_format", ["JPEG", "WEBP", "PNG"])
@pytest.mark.parametrize("kind", [3, 5, 12])  # a number, a fraction, a double
def test_a_photograph_with_odd_exif_data_is_turned_too(image_format, kind):
    maker = struct.pack("<HHII", 0x010F, kind, 1, 8)  # which is a text
    orientation = struct.pack("<HHII", 0x0112, 3, 1, 6)
    exif = b"Exif\0\0II*\0\x08\0\0\0\x02\0" + maker + orientation + bytes(4)
    content = file_of(format=image_format, exif=exif)
    assert decode_initial_image(content, field="image").shape == (32, 16, 3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "PNG, JPEG or WebP"),
        (b"\x89PNG but no more", "PNG, JPEG or WebP"),
        (file_of()[:60], "PNG, JPEG or WebP"),
        (file_of(format="GIF"), "PNG, JPEG or WebP"),
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


def test_the_level_of_compression_changes_the_bytes_of_a_png_and_none_of_its_pixels():
    flat = np.zeros((64, 64, 3), np.uint8)
    fast, small = (encode_image(flat, PROVENANCE, PNG, level) for level in (0, 9))
    assert len(fast) > len(small)
    assert encode_image(flat, PROVENANCE, PNG) == encode_image(flat, PROVENANCE, PNG, 3)
    decoded = [np.asarray(Image.open(io.BytesIO(content))) for content in (fast, small)]
    assert np.array_equal(decoded[0], decoded[1])
