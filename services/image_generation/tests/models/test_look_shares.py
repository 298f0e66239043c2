"""Looks as requests name them."""

from __future__ import annotations

import pytest

from chladni_image_generation.models.look_shares import parse_looks

NAMES = ("landscape", "plate", "water")


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("", {"landscape": 1}),
        ("plate", {"plate": 1}),
        ("plate:3,water:1", {"plate": 0.75, "water": 0.25}),
        (" plate , water ", {"plate": 0.5, "water": 0.5}),
        ("auto", None),
    ],
)
def test_looks_are_named_with_or_without_shares(text, shares):
    assert parse_looks(text, NAMES) == shares


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("sand", "looks are landscape, plate, water, alone or with shares, or auto alone"),
        ("plate,plate", "twice"),
        ("plate:much", "no number"),
        ("plate:0", "above 0"),
        ("plate:nan", "above 0"),
        ("plate,auto", "no look"),
        ("plate:" + 1_000 * "0" + "1", "has 1007 characters"),
        ("p" * 1_000_000, "has 1000000 characters"),
    ],
)
def test_what_names_no_looks_is_refused(text, complaint):
    with pytest.raises(ValueError, match=complaint):
        parse_looks(text, NAMES)
