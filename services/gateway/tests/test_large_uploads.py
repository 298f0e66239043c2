"""Recordings that are larger than a message, of which a part is chosen: over REST and gRPC."""

from __future__ import annotations

import asyncio
import hashlib
import time

import grpc
import pytest
import pytest_asyncio

from chladni.gateway.v1 import (
    creation_pb2,
    image_service_pb2,
    image_service_pb2_grpc,
    job_service_pb2,
    job_service_pb2_grpc,
)
from chladni.media.v1 import media_pb2
from chladni_contract.errors import ChladniError, Reason
from chladni_contract.status import from_rpc_error
from chladni_fakes.audio_features import CUT_RATE_HZ
from chladni_gateway.backends import audio_features

LARGE = b"RIFF" + bytes(300_000)
LIMITS = {"max_audio_bytes": 100_000, "max_upload_bytes": 400_000}


@pytest_asyncio.fixture(loop_scope="session")
async def small_gateway(open_gateway_with):
    async with open_gateway_with(**LIMITS) as gateway:
        yield gateway


@pytest.mark.parametrize("path", ["/api/v1/generate", "/api/v1/jobs", "/api/v1/spectrogram"])
async def test_a_part_of_a_large_file_is_cut_out_before_anything_else(small_gateway, backends, path):
    response = await small_gateway.http.post(
        path, data={"start_seconds": "60.5", "end_seconds": "61.5"}, files={"file": ("talk.wav", LARGE)}
    )
    assert response.status_code in {200, 202}, response.text
    features = backends.audio_features
    (config,) = features.cut_configs
    assert (config.start.ToMilliseconds(), config.end.ToMilliseconds()) == (60_500, 61_500)
    assert features.received_bytes == len(LARGE)
    if path == "/api/v1/generate":
        body = response.json()
        assert body["audio"]["sha256"] == hashlib.sha256(LARGE).hexdigest()
        assert (body["audio"]["format"], body["audio"]["start_seconds"]) == ("wav", 60.5)
        (request,) = features.requests
        assert request.audio.pcm.sample_rate_hz == CUT_RATE_HZ
        assert body["display_name"] == "talk.wav"


async def test_the_analysis_of_music_in_a_large_file_names_the_file(small_gateway, backends):
    response = await small_gateway.http.post(
        "/api/v1/music",
        data={"start_seconds": "60.5", "end_seconds": "61.5"},
        files={"file": ("a.wav", LARGE)},
    )
    assert response.status_code == 200, response.text
    audio = response.json()["audio"]
    assert (audio["format"], audio["start"]) == ("AUDIO_FORMAT_WAV", 60.5)
    assert audio["sha256"] == hashlib.sha256(LARGE).hexdigest()
    (request,) = backends.music.requests
    assert request.audio.pcm.sample_rate_hz == CUT_RATE_HZ


async def test_the_part_must_be_chosen_before_the_file(small_gateway, backends, error_of):
    for data, files in (
        ({}, {"file": ("talk.wav", LARGE)}),
        (None, [("file", ("talk.wav", LARGE)), ("start_seconds", (None, "1"))]),
    ):
        response = await small_gateway.http.post("/api/v1/generate", data=data, files=files)
        assert response.status_code == 400
        error = error_of(response)
        assert (error["reason"], error["violations"][0]["field"]) == ("FILE_TOO_LARGE", "file")
        assert "choose a part" in error["message"]
    assert backends.audio_features.cut_configs == []


async def test_limits_and_faults_of_large_files_name_the_field(small_gateway, backends, error_of):
    async def refused(content=LARGE, **data):
        response = await small_gateway.http.post(
            "/api/v1/generate", data={"end_seconds": "9"} | data, files={"file": content}
        )
        error = error_of(response)
        return error["reason"], error["violations"][0]["field"], error

    reason, field, error = await refused(b"R" * 400_001)
    assert (reason, field, error["metadata"]["max_bytes"]) == ("FILE_TOO_LARGE", "file", "400000")
    reason, field, _ = await refused(steps="900")
    assert (reason, field) == ("INVALID_FIELD", "steps")
    backends.audio_features.errors["cut"] = ChladniError(Reason.CORRUPT_AUDIO, "damaged")
    response = await small_gateway.http.post(
        "/api/v1/generate", data={"end_seconds": "9"}, files={"file": LARGE}
    )
    error = error_of(response)
    assert (response.status_code, error["reason"], error["stage"]) == (400, "CORRUPT_AUDIO", "validation")


def messages(kind, *, start=1.0, audio=None, content=LARGE, **options):
    audio = audio or media_pb2.AudioClip(display_name="talk.wav")
    if start is not None:
        audio.start.FromMilliseconds(round(1000 * start))
    yield kind(creation=creation_pb2.CreateImageRequest(audio=audio, **options))
    for position in range(0, len(content), 70_000):
        yield kind(content=content[position : position + 70_000])


async def test_grpc_takes_files_in_pieces(small_gateway, backends):
    images = image_service_pb2_grpc.ImageServiceStub(small_gateway.channel)
    kind = image_service_pb2.CreateImageFromUploadRequest
    events = [event.creation async for event in images.CreateImageFromUpload(messages(kind))]
    assert [event.WhichOneof("event") for event in (*events[:2], events[-1])] == [
        "heartbeat",
        "accepted",
        "created",
    ]
    image = events[-1].created.image
    assert image.audio.sha256 == hashlib.sha256(LARGE).hexdigest()
    assert (image.audio.start.ToMilliseconds(), image.display_name) == (1000, "talk.wav")
    jobs = job_service_pb2_grpc.JobServiceStub(small_gateway.channel)
    answer = await jobs.CreateJobFromUpload(messages(job_service_pb2.CreateJobFromUploadRequest))
    assert answer.job.job_id
    assert answer.session_token
    assert len(backends.audio_features.cut_configs) == 2


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"start": None}, Reason.MISSING_FIELD, "audio.end"),
        ({"audio": media_pb2.AudioClip(content=b"RIFF")}, Reason.INVALID_FIELD, "audio.content"),
        ({"recipe": "nothing"}, Reason.UNKNOWN_RECIPE, None),
    ],
)
async def test_grpc_checks_a_request_before_its_file_comes(small_gateway, backends, change, reason, field):
    images = image_service_pb2_grpc.ImageServiceStub(small_gateway.channel)
    kind = image_service_pb2.CreateImageFromUploadRequest
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in images.CreateImageFromUpload(messages(kind, **change)):
            pass
    error = from_rpc_error(caught.value)
    assert error.reason is reason
    assert field is None or error.violations[0].field == field
    assert backends.audio_features.cut_configs == []


async def test_a_wrong_piece_ends_the_call_with_its_reason(small_gateway):
    images = image_service_pb2_grpc.ImageServiceStub(small_gateway.channel)
    kind = image_service_pb2.CreateImageFromUploadRequest

    def requests():
        yield from messages(kind)
        yield kind()

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in images.CreateImageFromUpload(requests()):
            pass
    error = from_rpc_error(caught.value)
    assert (error.reason, error.violations[0].field) == (Reason.INVALID_FIELD, "content")


async def test_a_client_that_stalls_gets_the_services_reason_at_once(small_gateway, backends, monkeypatch):
    monkeypatch.setattr(audio_features, "_LAST_PIECE_SECONDS", 0.1)
    backends.audio_features.errors["cut_file"] = ChladniError(Reason.DEADLINE_EXCEEDED, "too slow")
    images = image_service_pb2_grpc.ImageServiceStub(small_gateway.channel)

    async def requests():
        yield next(messages(image_service_pb2.CreateImageFromUploadRequest))
        await asyncio.Event().wait()

    call = images.CreateImageFromUpload(requests(), timeout=30)
    started_at = time.monotonic()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in call:
            pass
    assert time.monotonic() - started_at < 10
    assert from_rpc_error(caught.value).reason is Reason.DEADLINE_EXCEEDED
