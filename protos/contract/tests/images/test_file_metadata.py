"""Texts survive in the metadata of image files, and damaged files are errors of one kind."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, PngImagePlugin

from chladni_contract.images.file_metadata import (
    MAX_JPEG_TEXT_BYTES,
    PNG_KEYWORD,
    can_carry_text,
    exif_of,
    find_text,
)

FORMATS = ("PNG", "JPEG", "WEBP")
ASCII_TEXTS = st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=300).filter(
    lambda text: text == text.rstrip(" ")
)


def file_with(image_format, text=None, **options):
    output = io.BytesIO()
    if text is not None:
        if image_format == "PNG":
            options["pnginfo"] = PngImagePlugin.PngInfo()
            options["pnginfo"].add_itxt(PNG_KEYWORD, text)
        else:
            options["exif"] = exif_of(text)
    Image.new("RGB", (9, 7), (10, 200, 90)).save(output, format=image_format, **options)
    return output.getvalue()


@pytest.mark.parametrize("image_format", FORMATS)
def test_a_file_says_what_it_was_given_and_pillow_opens_it(image_format):
    content = file_with(image_format, '{"seed": 1}')
    assert can_carry_text(content)
    assert find_text(content) == '{"seed": 1}'
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.size) == (image_format, (9, 7))
        image.load()


@pytest.mark.parametrize("image_format", ["JPEG", "WEBP"])
def test_pillow_reads_the_comment_as_exif(image_format):
    with Image.open(io.BytesIO(file_with(image_format, "{}"))) as image:
        comment = image.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment]
    assert comment == b"ASCII\0\0\0chladni:{}"


@pytest.mark.parametrize("image_format", FORMATS)
def test_a_file_without_a_text_has_none(image_format):
    assert find_text(file_with(image_format)) is None


@settings(max_examples=50, deadline=None)
@given(text=ASCII_TEXTS, image_format=st.sampled_from(FORMATS))
def test_texts_survive(text, image_format):
    assert find_text(file_with(image_format, text)) == text


def test_the_longest_text_fits_into_a_jpeg():
    text = "x" * MAX_JPEG_TEXT_BYTES
    assert find_text(file_with("JPEG", text)) == text
    assert find_text(file_with("WEBP", 4 * text)) == 4 * text


def test_only_ascii_goes_into_exif():
    with pytest.raises(ValueError, match="ascii"):
        exif_of("ü")


@pytest.mark.parametrize("image_format", ["JPEG", "WEBP"])
@pytest.mark.parametrize(("order", "codec"), [("<", "utf-16-le"), (">", "utf-16-be")])
def test_a_comment_rewritten_in_other_characters_is_read(image_format, order, codec):
    comment = b"UNICODE\0" + "chladni:{}".encode(codec)
    tiff = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8)
    tiff += struct.pack(f"{order}HHHIII", 1, 0x8769, 4, 1, 26, 0)
    tiff += struct.pack(f"{order}HHHIII", 1, 0x9286, 7, len(comment), 44, 0)
    assert find_text(file_with(image_format, exif=b"Exif\0\0" + tiff + comment)) == "{}"


@pytest.mark.parametrize("image_format", ["JPEG", "WEBP"])
def test_the_comment_of_another_program_is_not_ours(image_format):
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"ASCII\0\0\0holidays"
    assert find_text(file_with(image_format, exif=exif)) is None


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"RIFF\0\0\0\0WAVE", b"\x89PNG"])
def test_other_files_carry_none(content):
    assert not can_carry_text(content)
    assert find_text(content) is None


@settings(max_examples=300, deadline=None)
@given(data=st.data(), image_format=st.sampled_from(FORMATS))
def test_a_damaged_file_is_one_kind_of_error(data, image_format):
    content = bytearray(file_with(image_format, "x" * 40))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(8, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    try:
        text = find_text(bytes(content))
    except ValueError:
        return
    assert text is None or isinstance(text, str)


def test_a_text_chunk_that_inflates_without_end_is_refused():
    data = PNG_KEYWORD.encode() + b"\0\0" + zlib.compress(b"x" * (2 * 1024 * 1024))
    chunk = struct.pack(">I", len(data)) + b"zTXt" + data + struct.pack(">I", zlib.crc32(b"zTXt" + data))
    with pytest.raises(ValueError, match="too long"):
        find_text(b"\x89PNG\r\n\x1a\n" + chunk)
