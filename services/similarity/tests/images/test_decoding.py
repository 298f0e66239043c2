"""Decoding: what people see is what comes out, and anything else is a clear error."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chladni_contract.errors import InvalidInputError, Reason
from chladni_similarity.images import decoding
from chladni_similarity.images.containers import count_scans
from chladni_similarity.images.decoding import ImageLimits
from chladni_similarity.images.sources import EncodedImage

FIELD = "encoded.images[3].content"
LOSSLESS = [("PNG", {}), ("WEBP", {"lossless": True})]
ALL_FORMATS = [*LOSSLESS, ("JPEG", {}), ("JPEG", {"progressive": True}), ("WEBP", {})]


def decode(content, **limits):
    return EncodedImage(content, FIELD, ImageLimits(**limits)).pixels()


def refusal(content, **limits):
    with pytest.raises(InvalidInputError) as caught:
        decode(content, **limits)
    assert caught.value.violations[0].field == FIELD
    assert FIELD in caught.value.message
    return caught.value


def png_with_size(width, height):
    """A PNG whose header promises more than the file holds."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100)))


@pytest.mark.parametrize(("image_format", "options"), LOSSLESS)
def test_lossless_formats_give_the_very_pixels(encode, random_image, image_format, options):
    image = random_image(1)
    pixels = decode(encode(image, image_format, **options))
    assert pixels.shape == (3, 48, 64)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(np.moveaxis(pixels, 0, -1), image)


def test_jpeg_gives_nearly_the_pixels(encode):
    image = np.full((40, 30, 3), (200, 100, 50), np.uint8)
    pixels = decode(encode(image, "JPEG", quality=95))
    assert np.abs(np.moveaxis(pixels, 0, -1).astype(int) - image).max() <= 4


def test_gray_images_have_three_equal_channels(encode):
    gray = np.arange(64, dtype=np.uint8).reshape(8, 8)
    pixels = decode(encode(gray))
    for channel in pixels:
        np.testing.assert_array_equal(channel, gray)


def test_two_colours_are_black_and_white(encode):
    bits = np.eye(8, dtype=bool)
    np.testing.assert_array_equal(decode(encode(Image.fromarray(bits)))[0], bits * np.uint8(255))


def test_sixteen_bits_are_scaled_to_eight(encode):
    deep = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    np.testing.assert_array_equal(decode(encode(deep))[1], deep >> 8)


def test_palettes_become_colours(encode, random_image):
    paletted = Image.fromarray(random_image(2)).quantize(16)
    expected = np.asarray(paletted.convert("RGB"))
    np.testing.assert_array_equal(np.moveaxis(decode(encode(paletted)), 0, -1), expected)


def test_cmyk_jpegs_become_rgb(encode):
    pixels = decode(encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG"))
    red, green, blue = pixels.mean(axis=(1, 2))
    assert red > 240
    assert green < 15
    assert blue < 15


@pytest.mark.parametrize(("image_format", "options"), LOSSLESS)
def test_transparency_shows_a_white_page(encode, random_image, image_format, options):
    rgba = np.dstack([random_image(3), np.full((48, 64), 255, np.uint8)])
    rgba[:24, :, 3] = 0
    pixels = np.moveaxis(decode(encode(rgba, image_format, exact=True, **options)), 0, -1)
    assert (pixels[:24] == 255).all()
    np.testing.assert_array_equal(pixels[24:], rgba[24:, :, :3])


def test_half_transparent_gray_is_mixed_with_white(encode):
    gray_alpha = Image.merge("LA", (Image.new("L", (4, 4), 0), Image.new("L", (4, 4), 128)))
    assert set(decode(encode(gray_alpha)).flatten()) <= {127, 128}


def test_a_transparent_palette_entry_is_white(encode):
    paletted = Image.new("P", (4, 4), 0)
    paletted.putpalette([10, 20, 30])
    assert (decode(encode(paletted, transparency=0)) == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_noted_orientation_is_applied(encode, random_image, orientation):
    upright = random_image(4)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encode(np.ascontiguousarray(stored), exif=exif)
    np.testing.assert_array_equal(np.moveaxis(decode(content), 0, -1), upright)


@pytest.mark.parametrize("kind", [3, 5, 12])  # a number, a fraction, a double
def test_it_is_applied_beside_odd_exif_data_too(encode, random_image, kind):
    maker = struct.pack("<HHII", 0x010F, kind, 1, 8)  # which is a text
    orientation = struct.pack("<HHII", 0x0112, 3, 1, 3)
    exif = b"Exif\0\0II*\0\x08\0\0\0\x02\0" + maker + orientation + bytes(4)
    upright = random_image(4)
    content = encode(np.ascontiguousarray(upright[::-1, ::-1]), exif=exif)
    np.testing.assert_array_equal(np.moveaxis(decode(content), 0, -1), upright)


def test_of_an_animation_the_first_image_counts(encode, random_image):
    frames = [Image.fromarray(random_image(seed)) for seed in (5, 6)]
    content = encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    np.testing.assert_array_equal(np.moveaxis(decode(content), 0, -1), random_image(5))


def test_a_jpeg_of_several_images_is_a_jpeg(encode, random_image):
    frames = [Image.fromarray(random_image(seed)) for seed in (5, 6)]
    content = encode(frames[0], "MPO", save_all=True, append_images=frames[1:])
    assert decode(content).shape == (3, 48, 64)


@pytest.mark.parametrize("size", [(1, 1), (1, 4096), (4096, 1)])
def test_extreme_shapes_within_the_limit_are_fine(encode, size):
    assert decode(encode(Image.new("RGB", size))).shape == (3, size[1], size[0])


def test_no_bytes_are_a_missing_field():
    assert refusal(b"").reason is Reason.MISSING_FIELD


def test_too_many_bytes_are_refused_with_the_limit(encode, random_image):
    content = encode(random_image(7))
    error = refusal(content, max_bytes=len(content) - 1)
    assert error.reason is Reason.FILE_TOO_LARGE
    assert str(len(content) - 1) in error.message
    decode(content, max_bytes=len(content))


@pytest.mark.parametrize("size", [(4097, 1), (1, 4097), (5000, 5000)])
def test_too_many_pixels_are_refused_with_the_limit(encode, size):
    error = refusal(encode(Image.new("1", size)))
    assert error.reason is Reason.INVALID_IMAGE
    assert "4096" in error.message
    assert f"{size[0]} x {size[1]}" in error.message


@pytest.mark.parametrize("side", [4097, 10_000, 20_000, 2**31 - 1])
def test_a_small_file_that_promises_a_huge_image_is_refused_unread(side):
    error = refusal(png_with_size(side, side))
    assert error.reason is Reason.INVALID_IMAGE
    assert "4096" in error.message


def test_an_image_that_decodes_to_less_than_it_promises_is_refused():
    assert "cut off" in refusal(png_with_size(64, 64)).message


@pytest.mark.parametrize("image_format", ["GIF", "BMP", "TIFF", "ICO", "PPM"])
def test_other_formats_are_refused_whatever_they_are_called(encode, image_format):
    error = refusal(encode(Image.new("RGB", (16, 16)), image_format))
    assert error.reason is Reason.INVALID_IMAGE
    assert "PNG, JPEG or WebP" in error.message


@pytest.mark.parametrize(
    "content", [b"%PDF-1.7", b"<svg/>", b"ID3\x04", b"RIFF\0\0\0\0WAVEfmt ", b"hello", bytes(64)]
)
def test_what_is_no_image_is_refused(content):
    assert refusal(content).reason is Reason.INVALID_IMAGE


@pytest.mark.parametrize(("image_format", "options"), ALL_FORMATS)
def test_an_image_that_is_cut_off_anywhere_is_refused(encode, random_image, image_format, options):
    content = encode(random_image(9, 12, 16), image_format, **options)
    for length in range(len(content) - 4):  # the last four bytes of a PNG are the checksum of its end mark
        refusal(content[:length])


def test_a_png_with_one_wrong_byte_is_refused(encode, random_image):
    content = bytearray(encode(random_image(10)))
    content[len(content) // 2] ^= 1
    assert refusal(bytes(content)).reason is Reason.INVALID_IMAGE


@settings(max_examples=200, deadline=None)
@given(
    start=st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x10\0\0\0WEBP", b""]),
    rest=st.binary(),
)
def test_random_bytes_are_always_a_clear_error(start, rest):
    refusal(start + rest)


@settings(max_examples=200, deadline=None)
@given(
    choice=st.integers(0, len(ALL_FORMATS) - 1),
    damage=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_a_damaged_image_decodes_or_is_a_clear_error(encode, random_image, choice, damage):
    image_format, options = ALL_FORMATS[choice]
    content = bytearray(encode(random_image(11, 24, 24), image_format, **options))
    for position, value in damage:
        content[position % len(content)] = value
    with suppress(InvalidInputError):
        pixels = decode(bytes(content))
        assert pixels.dtype == np.uint8
        assert pixels.shape[0] == 3


def jpeg_with_scans(scan_count):
    """A progressive JPEG whose last scan comes again and again, as `encode` writes none."""
    output = BytesIO()
    Image.fromarray(np.arange(64 * 64 * 3, dtype=np.uint32).astype(np.uint8).reshape(64, 64, 3)).save(
        output, "JPEG", progressive=True
    )
    content = output.getvalue()
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * (scan_count - count_scans(content, limit=20)) + b"\xff\xd9"


def test_a_jpeg_of_many_scans_is_refused_before_it_is_decoded():
    assert decode(jpeg_with_scans(100)).shape == (3, 64, 64)
    error = refusal(jpeg_with_scans(2000))
    assert error.reason is Reason.INVALID_IMAGE
    assert "more than 100 scans, the limit for a JPEG of 64 x 64 pixels" in error.message


def test_scans_of_a_large_jpeg_are_fewer(encode, monkeypatch):
    monkeypatch.setattr(decoding, "_MAX_SCANNED_PIXELS", 64 * 64 * 20)
    assert decode(jpeg_with_scans(20)).shape == (3, 64, 64)
    assert "more than 20 scans" in refusal(jpeg_with_scans(21)).message


@pytest.mark.parametrize("progressive", [False, True])
def test_scans_of_a_thumbnail_are_not_counted(encode, random_image, progressive):
    content = encode(random_image(1), "JPEG", progressive=progressive)
    thumbnail = b"Exif\0\0" + jpeg_with_scans(50)
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    assert count_scans(content[:2] + segment + content[2:], limit=99) == count_scans(content, limit=99)
    assert count_scans(content, limit=99) == (10 if progressive else 1)


@given(st.binary(max_size=200))
def test_scans_of_any_bytes_are_counted(tail):
    assert count_scans(b"\xff\xd8" + tail, limit=99) >= 0
    assert count_scans(b"\xff\xd8\xff\xda\x00\x02" + tail, limit=99) >= 1


def with_chunk(png, kind, data):
    """A PNG with a further chunk after its header."""
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return png[:33] + chunk + png[33:]


LARGE = zlib.compress(bytes(3 * 1024 * 1024))


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (b"iCCP", b"profile\0\0" + LARGE),
        (b"zTXt", b"Comment\0\0" + LARGE),
        (b"iTXt", b"Comment\0\1\0\0\0" + LARGE),
        (b"iTXt", b"Comment\0\0\0\0\0" + b"x" * 2_000_000),
        (b"tEXt", b"Comment\0" + b"x" * 2_000_000),
        (b"zTXt", b"Comment\0\0no zlib"),
    ],
)
def test_metadata_of_any_size_does_not_matter(encode, random_image, kind, data):
    png = encode(random_image(1), "PNG")
    np.testing.assert_array_equal(decode(with_chunk(png, kind, data)), decode(png))


def test_many_texts_do_not_matter(encode, random_image):
    png = encode(random_image(1), "PNG")
    changed = png
    for _ in range(200):
        changed = with_chunk(changed, b"tEXt", b"Comment\0" + b"x" * 40_000)
    np.testing.assert_array_equal(decode(changed), decode(png))


def test_metadata_that_is_damaged_is_noticed(encode, random_image):
    changed = bytearray(with_chunk(encode(random_image(1), "PNG"), b"iCCP", b"profile\0\0" + LARGE))
    changed[60] ^= 1
    refusal(bytes(changed))


def test_an_orientation_in_a_small_text_is_kept(encode, random_image):
    xmp = b'<x:xmpmeta xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
    changed = with_chunk(encode(random_image(1), "PNG"), b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
    assert decode(changed).shape == (3, 64, 48)


@pytest.mark.parametrize(
    ("beginning", "name"),
    [
        (b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF image"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC image (of an iPhone)"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0", "HEIC image"),
        (b"GIF89a", "GIF image"),
        (b"BM\x8e\0\0\0\0\0\0\0", "BMP image"),
        (b"II*\0", "TIFF image"),
        (b"\xff\x0a", "JPEG XL image"),
        (b"%PDF-1.7", "PDF document"),
        (b'<?xml version="1.0"?>\n<svg xmlns=', "SVG drawing"),
    ],
)
def test_other_formats_are_named_with_what_to_do(beginning, name):
    error = refusal(beginning + bytes(100))
    assert error.reason is Reason.INVALID_IMAGE
    assert name in error.message
    assert "Save it as PNG, JPEG or WebP." in error.message
