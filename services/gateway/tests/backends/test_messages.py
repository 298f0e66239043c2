"""Between messages and the domain."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.errors.v1 import warning_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.errors import FaultError, InvalidFieldsError, Reason
from chladni_contract.warnings import WarningReason, new_warning
from chladni_gateway.backends.messages import to_audio_features, to_clip_message, to_extract_request, to_rows
from chladni_gateway.domain.audio import DEFAULT_FEATURES, AudioClip
from chladni_gateway.domain.request import check_clip
from chladni_gateway.grpc_api.requests import to_clip
from chladni_gateway.recipes.generation import origin_of

ROWS = st.integers(0, 4).flatmap(
    lambda width: st.lists(
        st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=width, max_size=width),
        max_size=4,
    ).map(lambda rows: (width, rows))
)


@settings(max_examples=100)
@given(case=ROWS)
def test_rows_of_numbers_come_as_they_were_sent(case):
    width, rows = case
    data = b"".join(struct.pack(f"<{width}f", *row) for row in rows)
    tensor = tensor_pb2.Tensor(dtype=tensor_pb2.DATA_TYPE_FLOAT32, shape=[len(rows), width], data=data)
    assert [list(row) for row in to_rows(tensor, sender="ear")] == rows


@pytest.mark.parametrize(
    "facts",
    [
        {"shape": [1]},
        {"shape": [2, 1]},
        {"shape": [-1, -1]},
        {"shape": [1, 1, 1]},
        {"dtype": tensor_pb2.DATA_TYPE_INT64},
        {"data": b"\0\0\0"},
        {"data": struct.pack("<f", float("nan"))},
        {"data": struct.pack("<f", float("inf"))},
    ],
)
def test_numbers_that_cannot_be_used_are_the_fault_of_who_sent_them(facts):
    sound = {"dtype": tensor_pb2.DATA_TYPE_FLOAT32, "shape": [1, 1], "data": struct.pack("<f", 1.0)}
    with pytest.raises(FaultError, match="The service ear sent") as caught:
        to_rows(tensor_pb2.Tensor(**(sound | facts)), sender="ear")
    assert caught.value.reason is Reason.INTERNAL


@pytest.mark.parametrize(("start", "end"), [(None, None), (0.0, None), (None, 5.5), (61.25, 91.25)])
def test_the_chosen_part_of_a_clip_travels_and_comes_back(start, end):
    clip = AudioClip(b"audio", "a.ogg", start_seconds=start, end_seconds=end)
    message = to_extract_request(clip, DEFAULT_FEATURES).audio
    assert (message.HasField("start"), message.HasField("end")) == (start is not None, end is not None)
    assert to_clip(to_clip_message(clip)) == clip
    assert to_clip(message) == clip


@pytest.mark.parametrize(
    ("start", "end", "field"),
    [
        (-1.0, None, "audio.start"),
        (float("nan"), None, "audio.start"),
        (1e9, None, "audio.start"),
        (5.0, 5.0, "audio.end"),
        (None, 0.0, "audio.end"),
        (0.0, float("nan"), "audio.end"),
    ],
)
def test_a_part_that_is_none_is_refused(start, end, field):
    with pytest.raises(InvalidFieldsError) as caught:
        check_clip(AudioClip(b"audio", start_seconds=start, end_seconds=end), max_audio_bytes=10)
    assert [violation.field for violation in caught.value.violations] == [field]
    check_clip(AudioClip(b"audio", start_seconds=1.0, end_seconds=2.0), max_audio_bytes=10)


def test_warnings_and_the_part_of_an_analysis_are_read():
    response = audio_pb2.ExtractFeaturesResponse(
        warnings=[warning_pb2.Warning(reason="WARNING_REASON_CHANNELS_CANCEL", message="They cancel.")]
    )
    response.audio.sha256 = "ab"
    assert to_audio_features(response).audio.start_seconds is None
    response.audio.start.FromMilliseconds(61_250)
    response.audio.duration.FromMilliseconds(30_000)
    features = to_audio_features(response)
    assert features.warnings == (new_warning(WarningReason.CHANNELS_CANCEL, "They cancel."),)
    origin = origin_of("embedded", features.audio)
    assert (origin.audio_sha256, origin.audio_start_seconds, origin.audio_end_seconds) == ("ab", 61.25, 91.25)
    assert origin_of("embedded", None).audio_start_seconds is None
