"""The text that an SVG or a PDF carries."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chladni_contract.images.file_format import image_format_of
from chladni_contract.images.file_metadata import can_carry_text, find_text
from chladni_contract.images.vector_metadata import provenance_element, vector_format_of


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'<svg xmlns="http://www.w3.org/2000/svg">', "svg"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- drawn --><!DOCTYPE svg>\n<svg>', "svg"),
        (b"%PDF-1.4\n", "pdf"),
        (b"<html><svg></svg></html>", ""),
        (b"<svgs>", ""),
        (b"\x89PNG\r\n\x1a\n", ""),
        (b"", ""),
    ],
)
def test_the_first_bytes_tell_the_format(content, expected):
    assert vector_format_of(content) == expected
    assert not (expected and image_format_of(content))


@pytest.mark.parametrize(
    "content", [b"<!---->" * 600, b"<?xml" * 800, b"<svg" + b"<chladni:provenance " * 20_000]
)
def test_no_file_takes_longer_to_read_than_its_length(content):
    started_at = time.process_time()
    assert find_text(b"%PDF-" + content) is None
    vector_format_of(content)
    assert time.process_time() - started_at < 0.5


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_both_carry_any_text(text):
    element = provenance_element(text).encode()
    for start in (b"<svg><metadata>", b"%PDF-1.4\n"):
        assert can_carry_text(start)
        assert find_text(start + element + b"</metadata></svg>") == text
        assert find_text(start) is None


def test_a_text_that_is_no_utf8_is_damage():
    element = provenance_element("x").encode().replace(b"x<", b"\xff<")
    with pytest.raises(ValueError, match="utf-8"):
        find_text(b"%PDF-1.4\n" + element)
