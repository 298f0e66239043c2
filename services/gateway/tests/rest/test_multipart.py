"""Multipart forms, as they arrive in pieces."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chladni_contract.errors import ChladniError, InvalidInputError, Reason
from chladni_gateway.rest.forms.multipart import FieldRule, read_form

BOUNDARY = "----boundary-7f3a"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def too_large():
    return InvalidInputError(Reason.FILE_TOO_LARGE, "file is too large.", field="file")


RULES = {"file": FieldRule(1000, too_large), "seed": FieldRule(10, too_large)}


def part(name, content, file_name=None):
    disposition = f'form-data; name="{name}"' + (f'; filename="{file_name}"' if file_name else "")
    head = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n"
    return head.encode() + content + b"\r\n"


def form(*parts):
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


async def read(body, *, content_type=CONTENT_TYPE, piece_sizes=(7,)):
    async def pieces():
        position, turn = 0, 0
        while position < len(body):
            size = piece_sizes[turn % len(piece_sizes)]
            yield body[position : position + size]
            position, turn = position + size, turn + 1

    return await read_form(pieces(), content_type=content_type, rules=RULES)


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=1000), piece_sizes=st.lists(st.integers(1, 200), min_size=1, max_size=6))
async def test_any_content_arrives_unchanged_in_any_pieces(content, piece_sizes):
    body = form(part("file", content, "a.wav"), part("seed", b" 42 "))
    fields = await read(body, piece_sizes=piece_sizes)
    assert bytes(fields["file"].content) == content
    assert fields["seed"].text() == "42"


@pytest.mark.parametrize(
    ("given_name", "expected"),
    [
        ("voice.wav", "voice.wav"),
        ("../../etc/passwd", "passwd"),
        ("C:\\\\sounds\\\\voice.wav", "voice.wav"),
        ("naïve ♫.ogg", "naïve ♫.ogg"),
        ("a\tb.wav", "ab.wav"),
        ("x" * 400, "x" * 255),
    ],
)
async def test_only_the_plain_last_part_of_a_file_name_is_kept(given_name, expected):
    fields = await read(form(part("file", b"x", given_name)))
    assert fields["file"].file_name == expected


@settings(max_examples=100, deadline=None)
@given(cut=st.integers(1, 200))
async def test_a_form_that_ends_early_is_refused(cut):
    body = form(part("file", b"x" * 300, "a.wav"))
    with pytest.raises(ChladniError) as caught:
        await read(body[: -cut - 3])
    assert caught.value.reason is Reason.INVALID_FIELD
    assert caught.value.violations[0].field == "body"


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        (form(part("fil", b"x")), "fil", "did you mean file?"),
        (form(part("something-else", b"x")), "something-else", "known are file, seed"),
        (form(part("", b"x")), "", "known are file, seed"),
        (form(part("seed", b"1"), part("seed", b"2")), "seed", "twice"),
        (form(part("seed", b"1" * 11)), "file", "too large"),
        (form(part("file", b"x" * 1001)), "file", "too large"),
        (b"garbage that is no form at all", "body", "well-formed"),
        (b"", "body", "closing boundary"),
        (f"--{BOUNDARY}\r\nno colon\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(), "body", "well-formed"),
    ],
)
async def test_a_wrong_form_is_refused_by_name(body, field, words):
    with pytest.raises(ChladniError) as caught:
        await read(body)
    assert caught.value.violations[0].field == field
    assert words in caught.value.message


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "multipart/form-data", "multipart/form-data; boundary="]
)
async def test_another_content_type_is_refused(content_type):
    with pytest.raises(ChladniError) as caught:
        await read(form(part("file", b"x")), content_type=content_type)
    assert caught.value.violations[0].field == "Content-Type"


async def test_a_boundary_beyond_all_bounds_is_refused():
    with pytest.raises(ChladniError):
        await read(b"--x", content_type=f"multipart/form-data; boundary={'b' * 5000}")
