"""Request checks gather every violation and name fields, values and limits."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chladni_contract.errors import InvalidFieldsError, Reason
from chladni_runtime.server.validation import RequestValidator


def test_a_valid_request_passes():
    validator = RequestValidator()
    validator.require("audio", present=True, hint="send a recording")
    validator.check_range("steps", 150, minimum=1, maximum=150)
    validator.check_pattern("id", "abc", pattern="[a-z]+", meaning="letters")
    validator.check("other", valid=True, description="never shown")
    validator.raise_if_invalid()


def test_all_violations_are_told_with_value_limit_and_unit():
    validator = RequestValidator()
    validator.check_range("width_pixels", 9, minimum=16, maximum=4096, unit="pixels")
    validator.require("audio", present=False, hint="send a recording")
    validator.check_pattern("id", "../etc/passwd", pattern="[a-z]+", meaning="letters")
    with pytest.raises(InvalidFieldsError) as caught:
        validator.raise_if_invalid()
    violations = {item.field: item.description for item in caught.value.violations}
    assert violations["width_pixels"] == "is 9 pixels, must be from 16 to 4096 pixels."
    assert violations["audio"] == "is missing; send a recording."
    assert "passwd" not in caught.value.message
    assert caught.value.reason is Reason.INVALID_FIELD


def test_long_whole_numbers_are_told_digit_by_digit():
    validator = RequestValidator()
    validator.check_range("seed", -1, minimum=0, maximum=2**32 - 1)
    with pytest.raises(InvalidFieldsError, match="is -1, must be from 0 to 4294967295"):
        validator.raise_if_invalid()


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_the_range_check_is_the_mathematical_one(value):
    validator = RequestValidator()
    validator.check_range("x", value, minimum=-2, maximum=3)
    is_inside = not math.isnan(value) and -2 <= value <= 3
    if is_inside:
        validator.raise_if_invalid()
    else:
        with pytest.raises(InvalidFieldsError):
            validator.raise_if_invalid()
