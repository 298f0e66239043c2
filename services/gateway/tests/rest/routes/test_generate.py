"""`POST /api/v1/generate` over a real connection."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import uuid
from datetime import datetime

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chladni.generation.v1 import generation_pb2
from chladni_contract.errors import ChladniError, FaultError, InvalidInputError, QueueFullError, Reason
from chladni_contract.status import WIRE_STATUS
from chladni_fakes import colored_png


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.none() | st.integers(0, 2**32 - 1),
    steps=st.none() | st.integers(1, 150),
    guidance=st.none() | st.floats(1, 30),
    name=st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=20),
)
async def test_every_success_has_its_form(gateway, seed, steps, guidance, name):
    """Feature: voice-to-image-system, Property 9: API Success Response Format.

    For any successful request, the answer has status 200 and JSON with the expected fields.
    """
    given_fields = {"seed": seed, "steps": steps, "guidance_scale": guidance}
    fields = {key: str(value) for key, value in given_fields.items() if value is not None}
    response = await gateway.create(name.encode(), **fields)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert body["image_url"] == f"/api/v1/images/{uuid.UUID(body['image_id'])}"
    assert body["processing_time"] > 0
    assert 0 <= body["seed"] <= 2**32 - 1
    assert seed in (None, body["seed"])


async def test_a_recording_becomes_an_image_that_can_be_fetched(gateway):
    response = await gateway.create(b"RIFF and some sound", seed="7", steps="3", guidance_scale="2.5")
    assert response.status_code == 200
    body = response.json()
    assert uuid.UUID(body["image_id"]).version == 4
    assert body["image_url"] == f"/api/v1/images/{body['image_id']}"
    assert body["processing_time"] > 0
    assert (body["seed"], body["recipe"], body["display_name"]) == (7, "embedded", "voice.wav")
    assert body["audio"] == {
        "format": "wav",
        "sample_rate_hz": 44100,
        "channel_count": 2,
        "duration_seconds": 1.5,
        "start_seconds": None,
        "sha256": hashlib.sha256(b"RIFF and some sound").hexdigest(),
    }
    assert body["descriptors"][0].keys() == {
        "name", "value", "unit", "minimum", "maximum", "description",
    }  # fmt: skip
    provenance = body["provenance"]
    assert set(provenance) == {field.name for field in generation_pb2.Provenance.DESCRIPTOR.fields}
    assert (provenance["seed"], provenance["steps"], provenance["guidance_scale"]) == (7, 3, 2.5)
    assert provenance["audio_sha256"] == body["audio"]["sha256"]
    assert datetime.fromisoformat(body["expire_time"]).tzinfo is not None

    image = await gateway.http.get(body["image_url"])
    assert image.headers["content-type"] == "image/png"
    assert image.content == colored_png(body["audio"]["sha256"], 7, 512)


async def test_what_is_not_given_is_left_to_the_model(backends, gateway):
    body = (await gateway.create()).json()
    request, _ = backends.image_generation.requests[0]
    options = request.options
    assert options.seed == 4711
    assert not options.HasField("steps")
    assert not options.HasField("guidance_scale")
    assert not options.HasField("previews")
    assert not options.scheduler
    assert not options.HasField("width_pixels")
    assert not options.HasField("height_pixels")
    assert options.priority == generation_pb2.PRIORITY_INTERACTIVE
    assert options.reproducible
    assert not options.bypass_cache
    assert body["seed"] == 4711


async def test_what_is_given_reaches_image_generation(backends, gateway):
    body = (
        await gateway.create(
            scheduler="DDIMScheduler",
            width_pixels="256",
            height_pixels="384",
            priority="batch",
            reproducible="False",
            bypass_cache="true",
        )
    ).json()
    request, _ = backends.image_generation.requests[0]
    options = request.options
    assert options.scheduler == "DDIMScheduler"
    assert (options.width_pixels, options.height_pixels) == (256, 384)
    assert options.priority == generation_pb2.PRIORITY_BATCH
    assert options.HasField("reproducible")
    assert not options.reproducible
    assert options.bypass_cache
    provenance = body["provenance"]
    assert (provenance["scheduler"], provenance["reproducible"]) == ("DDIMScheduler", False)
    assert (provenance["device_capability"], provenance["decode_batch_size"]) == ("pencil", 1)


@pytest.mark.parametrize("is_reused", [True, False])
async def test_a_reused_image_is_told(backends, gateway, is_reused):
    backends.image_generation.is_reused = is_reused
    assert (await gateway.create()).json()["reused"] is is_reused
    assert dict(await gateway.create_events())["created"]["reused"] is is_reused


@pytest_asyncio.fixture(loop_scope="session")
async def trusting_gateway(backends, open_gateway_with):
    """A gateway whose clients may say on whose behalf they ask."""
    async with open_gateway_with(trusted_peers=("127.0.0.1",)) as running:
        yield running


async def create_as(gateway, **headers):
    return await gateway.http.post("/api/v1/generate", files={"file": ("a.wav", b"RIFF")}, headers=headers)


async def test_a_caller_counts_only_from_trusted_hosts(backends, gateway):
    for number in range(2):
        assert (await create_as(gateway, **{"X-Caller-Id": f"invented-{number}"})).status_code == 200
    callers = [metadata["x-caller-id"] for _, metadata in backends.image_generation.requests]
    assert callers == ["127.0.0.1"] * 2


async def test_callers_are_told_apart(backends, trusting_gateway):
    gateway = trusting_gateway
    longest = "x" * 128
    for caller in ("team-a", "Team B: nightly / 7", longest, ""):
        assert (await create_as(gateway, **{"X-Caller-Id": caller})).status_code == 200
    assert (await create_as(gateway)).status_code == 200
    callers = [metadata["x-caller-id"] for _, metadata in backends.image_generation.requests]
    assert callers == ["team-a", "Team B: nightly / 7", longest, "127.0.0.1", "127.0.0.1"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (b"x" * 129, "X-Caller-Id has 129 characters, at most 128 are allowed."),
        ("t\u00e9am".encode(), "X-Caller-Id must hold printable ASCII characters only."),
        (b"a\tb", "X-Caller-Id must hold printable ASCII characters only."),
    ],
)
async def test_an_odd_caller_is_refused(backends, trusting_gateway, error_of, given, words):
    response = await create_as(trusting_gateway, **{"X-Caller-Id": given})
    assert response.status_code == 400
    error = error_of(response)
    assert (error["code"], error["stage"], error["message"]) == ("INVALID_FIELD", "validation", words)
    assert backends.audio_features.requests == []


async def test_the_embedding_reaches_image_generation_bit_by_bit(backends, gateway):
    await gateway.create(b"RIFF sound")
    request, _ = backends.image_generation.requests[0]
    sent = await backends.audio_features.ExtractFeatures(backends.audio_features.requests[0], None)
    assert request.conditioning.audio_embedding == sent.embedding
    assert request.origin.recipe == "embedded"
    assert request.origin.audio_sha256 == hashlib.sha256(b"RIFF sound").hexdigest()


async def test_events_come_in_order_each_with_its_stage(gateway):
    events = await gateway.create_events(seed="9", steps="6")
    names = [name for name, _ in events]
    assert names == ["accepted", "analyzed", "queued", "started", *["progress"] * 6, "created"]
    assert [data["stage"] for _, data in events] == [
        "validation", "audio_features", *["image_generation"] * 8, "storage",
    ]  # fmt: skip
    data = dict(events)
    assert data["analyzed"]["audio"]["format"] == "wav"
    assert data["queued"]["position"] == 0
    assert data["started"] == {
        "stage": "image_generation",
        "seed": 9,
        "total_steps": 6,
        "model": "scripted-embedded",
        "guidance_scale": 3.0,
    }
    progress = [event for name, event in events if name == "progress"]
    assert [event["step"] for event in progress] == [1, 2, 3, 4, 5, 6]
    previews = [event["preview"] for event in progress]
    assert [preview is not None for preview in previews] == [False, True] * 3
    head, _, content = previews[1].partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(content).startswith(b"\x89PNG")
    answer = (await gateway.create(seed="9", steps="6")).json()
    assert data["created"].keys() - {"stage"} == answer.keys()
    image = await gateway.http.get(data["created"]["image_url"])
    assert image.status_code == 200


async def test_an_error_before_the_first_event_is_an_ordinary_answer(backends, gateway, error_of):
    backends.audio_features.error = InvalidInputError(
        Reason.AUDIO_TOO_LONG, "audio.content lasts 31 s, at most 30 s are allowed.", field="audio.content"
    )
    response = await gateway.http.post(
        "/api/v1/generate", files={"file": ("a.wav", b"RIFF")}, headers={"Accept": "text/event-stream"}
    )
    assert response.status_code == 400
    error = error_of(response)
    assert (error["code"], error["stage"]) == ("AUDIO_TOO_LONG", "validation")
    assert error["message"] == "file lasts 31 s, at most 30 s are allowed."


async def test_an_error_after_that_is_the_last_event(backends, gateway):
    backends.image_generation.error = FaultError(Reason.NON_FINITE_OUTPUT, "The model gave NaN.")
    backends.image_generation.error_after_steps = 2
    events = await gateway.create_events()
    name, data = events[-1]
    assert name == "error"
    assert data["stage"] == data["error"]["stage"] == "image_generation"
    assert data["error"]["code"] == "NON_FINITE_OUTPUT"
    assert [name for name, _ in events[:-1]].count("progress") == 2


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("stage", ["audio_features", "image_generation"])
async def test_every_error_of_a_service_arrives_with_its_code_status_and_stage(
    backends, gateway, error_of, reason, stage
):
    servicer = getattr(backends, stage)
    servicer.error = ChladniError(reason, "It failed.", retry_after_seconds=1.2)
    response = await gateway.create()
    assert response.status_code == WIRE_STATUS[reason].http
    assert response.headers["retry-after"] == "2"
    error = error_of(response)
    assert error["code"] == reason.value
    is_fault_of_the_file = reason in {
        Reason.UNSUPPORTED_AUDIO_FORMAT, Reason.EMPTY_AUDIO, Reason.CORRUPT_AUDIO, Reason.AUDIO_TOO_SHORT,
        Reason.AUDIO_TOO_LONG, Reason.FILE_TOO_LARGE, Reason.UNSUPPORTED_AUDIO_LAYOUT,
        Reason.NON_FINITE_AUDIO, Reason.INVALID_IMAGE,
    }  # fmt: skip
    assert error["stage"] == ("validation" if is_fault_of_the_file else stage)
    assert datetime.fromisoformat(error["timestamp"]).utcoffset().total_seconds() == 0


async def test_a_full_queue_says_when_to_come_back(backends, gateway, error_of):
    backends.image_generation.error = QueueFullError("Eight requests wait.", retry_after_seconds=3.1)
    response = await gateway.create()
    assert response.status_code == 429
    assert response.headers["retry-after"] == "4"
    assert error_of(response)["code"] == "QUEUE_FULL"


async def test_eight_at_once_are_independent(backends, gateway):
    backends.image_generation.step_seconds = 0.01
    contents = [f"RIFF sound number {number}".encode() for number in range(8)]
    responses = await asyncio.gather(
        *(gateway.create(content, seed=str(number)) for number, content in enumerate(contents))
    )
    for number, (content, response) in enumerate(zip(contents, responses, strict=True)):
        body = response.json()
        digest = hashlib.sha256(content).hexdigest()
        assert (body["audio"]["sha256"], body["seed"]) == (digest, number)
        image = await gateway.http.get(body["image_url"])
        assert image.content == colored_png(digest, number, 512)


async def test_one_too_many_at_once_is_refused_and_the_others_are_not(
    backends, open_gateway_with, error_of, eventually
):
    async with open_gateway_with(max_concurrent_creations=2) as gateway:
        backends.image_generation.may_go_on.clear()
        running = [asyncio.create_task(gateway.create()) for _ in range(2)]
        await eventually(lambda: backends.image_generation.running == 2)
        refused = await gateway.create()
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert error_of(refused)["stage"] == "validation"
        backends.image_generation.may_go_on.set()
        assert [(await task).status_code for task in running] == [200, 200]


async def test_creations_and_stages_are_counted(backends, open_gateway_with):
    async with open_gateway_with() as gateway:
        await gateway.create()
        backends.image_generation.error = FaultError(Reason.OUT_OF_MEMORY, "Too big.")
        await gateway.create()
        await gateway.create(recipe="unheard-of")
        await check_counts(gateway)


async def check_counts(gateway):
    count = "chladni_creations_total"
    assert await gateway.metric(count, recipe="embedded", outcome="CREATED") == 1
    assert await gateway.metric(count, recipe="embedded", outcome="OUT_OF_MEMORY") == 1
    assert await gateway.metric(count, recipe="unknown", outcome="UNKNOWN_RECIPE") == 1
    duration = "chladni_stage_seconds_count"
    assert await gateway.metric(duration, stage="audio_features") == 2
    assert await gateway.metric(duration, stage="image_generation") == 1
    assert await gateway.metric(duration, stage="storage") == 1
    route = {"route": "/api/v1/generate", "method": "POST"}
    assert await gateway.metric("chladni_http_requests_total", status="200", **route) == 1
    assert await gateway.metric("chladni_http_requests_total", status="503", **route) == 1


async def test_a_store_that_fails_is_the_stage_storage(open_gateway_with, error_of):
    async with open_gateway_with() as gateway:
        gateway.settings.image_folder.rename(gateway.settings.image_folder.with_name("gone"))
        response = await gateway.create()
    assert response.status_code == 503
    error = error_of(response)
    assert (error["code"], error["stage"]) == ("STORAGE_UNAVAILABLE", "storage")
    assert str(gateway.settings.image_folder) not in error["message"]
