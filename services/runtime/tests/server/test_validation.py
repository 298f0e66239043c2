"""Request checks gather every violation and name fields, values and limits."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni_contract.errors import InvalidFieldsError, InvalidInputError, Reason
from chladni_runtime.server.validation import RequestValidator, read_first, read_piece


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


def test_messages_of_an_upload_hold_what_their_place_asks_for():
    config = audio_pb2.CutAudioRequest(config=audio_pb2.CutConfig())
    content = audio_pb2.CutAudioRequest(content=b"12345")
    assert read_first(config, field="config") == audio_pb2.CutConfig()
    assert read_piece(content, field="content", max_bytes=5) == b"12345"
    for wrong in (None, content, audio_pb2.CutAudioRequest()):
        with pytest.raises(InvalidInputError, match="first message must hold config; send it before"):
            read_first(wrong, field="config")
    with pytest.raises(InvalidInputError, match="after the first one must hold content or flush"):
        read_piece(config, field="content", max_bytes=5, alternative="flush")
    with pytest.raises(InvalidInputError, match="content holds 5 bytes, at most 4") as caught:
        read_piece(content, field="content", max_bytes=4)
    assert caught.value.reason is Reason.FILE_TOO_LARGE
    assert caught.value.metadata == {"field": "content", "size_bytes": "5", "max_bytes": "4"}
