"""Prompts, over REST and gRPC."""

from __future__ import annotations

import json

import grpc
import pytest

from chladni.image.v1 import prompt_service_pb2 as prompt_pb2
from chladni.image.v1 import prompt_service_pb2_grpc as prompt_grpc
from chladni.media.v1 import media_pb2
from chladni_contract.errors import ChladniError, Reason
from chladni_contract.music_features import is_short_enough
from chladni_contract.status import from_rpc_error

PATH = "/api/v1/prompts"
FEATURES = {"key": "C major", "tempo_bpm": 90.0, "mood": ["calm"]}


async def test_prompts_for_a_file_are_those_for_its_features(backends, gateway):
    response = await gateway.http.post(PATH, files={"file": ("a.wav", b"RIFF")}, data={"seed": "4"})
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["features"] == {
        "key": "A minor",
        "tonality": "minor",
        "tempo_bpm": 120.0,
        "time_signature": "4/4",
        "harmonic_progression": "i",
    }
    assert body["prompts"][0] == {
        "text": "prompt 0 in A minor", "style": "convergent", "temperature": 0.4,
    }  # fmt: skip
    assert [prompt["style"] for prompt in body["prompts"][3:]] == ["divergent"] * 2
    assert (body["writer"], body["model"], body["seed"], body["time_course"]) == (
        "grammar", "scripted", 4, "",
    )  # fmt: skip


async def test_features_that_are_known_need_no_analysis(backends, gateway):
    data = {"features": json.dumps(FEATURES), "convergent_count": "1", "divergent_count": "0"}
    response = await gateway.http.post(PATH, data=data, files={"writer": (None, "openai")})
    assert response.status_code == 200, response.text
    assert [prompt["text"] for prompt in response.json()["prompts"]] == ["prompt 0 in C major"]
    assert response.json()["features"] == FEATURES
    assert not backends.music.requests


@pytest.mark.parametrize(
    "text",
    [
        "[1]", "{", "null", "7", '{"key": "\\ud800"}', '{"\\udfff": "A"}', '{"tempo_bpm": NaN}',
        '{"tempo_bpm": 1' + 400 * "0" + "}", '{"mood": ' + 200 * "[" + 200 * "]" + "}", '{"key": {}}',
    ],
)  # fmt: skip
async def test_features_must_be_an_object(gateway, error_of, text):
    response = await gateway.http.post(PATH, data={}, files={"features": (None, text)})
    assert response.status_code == 400
    assert error_of(response)["violations"][0]["field"] == "features"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("seed", "99999999999999999999"), ("seed", "-1"), ("convergent_count", "17"),
        ("divergent_count", "4294967296"), ("convergent_temperature", "2.01"),
        ("divergent_temperature", "-0.1"), ("with_time_course", "true"),
    ],
)  # fmt: skip
async def test_numbers_must_lie_in_their_ranges_and_fields_go_together(
    backends, gateway, error_of, name, text
):
    response = await gateway.http.post(PATH, files={"features": (None, "{}"), name: (None, text)})
    assert (response.status_code, error_of(response)["stage"]) == (400, "validation")
    assert error_of(response)["violations"][0]["field"] == name
    assert not backends.prompts.requests


async def test_features_do_not_go_with_a_file(gateway, error_of):
    files = {"file": ("a.wav", b"RIFF"), "features": (None, "{}")}
    response = await gateway.http.post(PATH, files=files)
    assert response.status_code == 400
    assert error_of(response)["violations"][0]["field"] == "features"


async def test_a_refusal_of_the_writer_comes_through(backends, gateway, error_of):
    backends.prompts.error = ChladniError(Reason.PROMPT_REFUSED, "It refuses.", metadata={"model": "m"})
    response = await gateway.http.post(PATH, files={"features": (None, "{}")})
    assert error_of(response)["code"] == "PROMPT_REFUSED"
    assert error_of(response)["stage"] == "image_generation"


async def test_scores_come_in_order(gateway):
    body = {"prompts": ["a", "b"], "features": FEATURES, "reference_prompts": ["c"]}
    response = await gateway.http.post(f"{PATH}/score", json=body)
    assert response.status_code == 200, response.text
    assert response.json()["scores"] == [
        {"originality": value, "elaboration": 0.5, "alignment": 0.75, "coherence": 0.25}
        for value in (1.0, 0.5)
    ]
    bare = await gateway.http.post(f"{PATH}/score", json={"prompts": ["a"]})
    assert bare.json()["scores"][0]["alignment"] is None
    assert (await gateway.http.post(f"{PATH}/score", json={"prompts": []})).status_code == 400


@pytest.mark.parametrize(
    ("mood", "is_taken"),
    [
        (["a mood of so many words that it has more than sixty characters in all"], True),
        (9 * ["dark"], True),
        (5 * [100 * "a"], True),
        ([*(5 * [100 * "a"]), "b"], False),
        ([501 * "a"], False),
        (501 * [""], False),
    ],
)
async def test_a_mood_is_as_long_as_the_service_takes_it(gateway, error_of, mood, is_taken):
    assert is_short_enough(mood) is is_taken
    response = await gateway.http.post(f"{PATH}/score", json={"prompts": ["a"], "features": {"mood": mood}})
    assert response.status_code == (200 if is_taken else 400), response.text
    if not is_taken:
        assert error_of(response)["violations"][0]["field"] == "features.mood"


async def test_over_grpc_a_clip_is_analysed_first(backends, gateway):
    stub = prompt_grpc.PromptServiceStub(gateway.channel)
    audio = media_pb2.AudioClip(content=b"RIFF")
    response = await stub.WritePrompts(prompt_pb2.WritePromptsRequest(audio=audio, with_time_course=True))
    assert response.features.key == "A minor"
    (request,) = backends.prompts.requests
    assert not request.HasField("audio")
    assert not request.with_time_course
    scored = await stub.ScorePrompts(prompt_pb2.ScorePromptsRequest(prompts=["a"]))
    assert scored.similarity == "lexical"


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (prompt_pb2.WritePromptsRequest(with_time_course=True), "with_time_course"),
        (prompt_pb2.WritePromptsRequest(with_time_course=True, features={}), "with_time_course"),
    ],
)
async def test_the_time_course_needs_audio(gateway, request_, field):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await prompt_grpc.PromptServiceStub(gateway.channel).WritePrompts(request_)
    assert from_rpc_error(caught.value).metadata["field"] == field
