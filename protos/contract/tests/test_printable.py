"""Text of others on terminals and in logs."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chladni_contract.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Bärlauch 日本 🎻", "Bärlauch 日本 🎻"),
        ("family 👨‍👩‍👧", "family 👨‍👩‍👧"),
        ("\x1b]0;owned\x07name", r"\x1b]0;owned\x07name"),
        ("\x9b31mred", r"\x9b31mred"),
        ("one\r\ntwo\tthree", r"one\r\ntwo\tthree"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        ("a\u2028b\u200bc", r"a\u2028b\u200bc"),
        (os.fsdecode(b"caf\xe9.wav"), r"caf\xe9.wav"),
        ("\ud800", r"\ud800"),
        ("\U000e0001", r"\U000e0001"),
    ],
)
def test_what_could_command_a_terminal_is_escaped(text, shown):
    assert printable(text) == shown


def test_lines_stay_if_they_may():
    assert printable("one\ntwo\tthree\r\x1b", keeps_lines=True) == "one\ntwo\tthree\\r\\x1b"


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_becomes_one_line_that_can_be_encoded(text):
    shown = printable(text)
    shown.encode()
    assert len(shown.splitlines()) <= 1
    assert all(character >= " " and not "\x7f" <= character <= "\x9f" for character in shown)
    assert printable(shown) == shown
