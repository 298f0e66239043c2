"""Jobs over gRPC."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import grpc
import pytest
from standardwebhooks import Webhook as Verifier

from chladni.gateway.v1 import creation_pb2, image_service_pb2
from chladni.gateway.v1 import job_service_pb2 as service_pb2
from chladni.generation.v1 import generation_pb2
from chladni.media.v1 import media_pb2
from chladni_contract.errors import FaultError, Reason
from chladni_contract.metadata import SESSION_TOKEN_KEY
from chladni_contract.status import from_rpc_error

TOKEN = "t" * 43
MINE = ((SESSION_TOKEN_KEY, TOKEN),)
SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()
OTHERS = ((SESSION_TOKEN_KEY, "o" * 43),)


def creation(**fields):
    audio = media_pb2.AudioClip(content=b"fLaC sound", display_name="sound.flac")
    return creation_pb2.CreateImageRequest(audio=audio, **fields)


async def start(gateway, metadata=MINE, **fields):
    request = service_pb2.CreateJobRequest(creation=creation(**fields))
    return await gateway.jobs.CreateJob(request, metadata=metadata)


async def watch(gateway, job_id, after=0, metadata=MINE):
    request = service_pb2.WatchJobRequest(job_id=job_id, after_number=after)
    return [event async for event in gateway.jobs.WatchJob(request, metadata=metadata)]


async def failure_of(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


def kinds_of(events):
    return [
        event.creation.WhichOneof("event") if event.HasField("creation") else event.WhichOneof("event")
        for event in events
    ]


async def test_a_job_makes_an_image_that_belongs_to_its_caller(gateway):
    job = (await start(gateway, options=generation_pb2.GenerationOptions(steps=1))).job
    assert job.display_name == "sound.flac"
    events = await watch(gateway, job.job_id)
    assert kinds_of(events) == ["accepted", "analyzed", "queued", "started", "progress", "created"]
    assert [event.number for event in events] == [1, 2, 3, 4, 5, 6]
    assert events[0].creation.accepted.operation_id == job.job_id
    created = events[-1].creation.created
    assert (created.image.image_id, created.HasField("file")) == (job.job_id, False)
    done = (await gateway.jobs.GetJob(service_pb2.GetJobRequest(job_id=job.job_id), metadata=MINE)).job
    assert (done.state, done.image.sha256) == (service_pb2.JOB_STATE_COMPLETED, created.image.sha256)
    listed = await gateway.images.ListImages(image_service_pb2.ListImagesRequest(), metadata=MINE)
    assert job.job_id in [image.image_id for image in listed.images]


async def test_a_follower_goes_on_after_the_last_event_that_it_saw(gateway):
    job = (await start(gateway)).job
    events = await watch(gateway, job.job_id)
    assert [event.number for event in await watch(gateway, job.job_id, after=3)] == [
        event.number for event in events[3:]
    ]
    assert await watch(gateway, job.job_id, after=len(events)) == []


async def test_a_caller_without_a_token_gets_one(gateway):
    started = await start(gateway, metadata=())
    mine = ((SESSION_TOKEN_KEY, started.session_token),)
    assert kinds_of(await watch(gateway, started.job.job_id, metadata=mine))[-1] == "created"
    assert not (await start(gateway)).session_token


async def test_a_retry_gets_the_same_job(gateway):
    request_id = str(uuid.uuid4())
    first, retry = [(await start(gateway, request_id=request_id)).job for _ in range(2)]
    assert first.job_id == retry.job_id
    error = await failure_of(start(gateway, request_id=request_id, recipe="spectrogram"))
    assert error.reason in {Reason.REQUEST_CONFLICT, Reason.RECIPE_UNAVAILABLE}


async def test_nobody_sees_jobs_of_others(gateway):
    job_id = (await start(gateway)).job.job_id
    for call in (
        watch(gateway, job_id, metadata=OTHERS),
        gateway.jobs.GetJob(service_pb2.GetJobRequest(job_id=job_id), metadata=OTHERS),
        gateway.jobs.CancelJob(service_pb2.CancelJobRequest(job_id=job_id), metadata=OTHERS),
        gateway.jobs.DeleteJob(service_pb2.DeleteJobRequest(job_id=job_id), metadata=()),
    ):
        assert (await failure_of(call)).reason is Reason.UNKNOWN_JOB
    assert not (await gateway.jobs.ListJobs(service_pb2.ListJobsRequest(), metadata=OTHERS)).jobs


async def test_a_job_is_cancelled_and_removed(backends, gateway):
    backends.image_generation.may_go_on.clear()
    job_id = (await start(gateway)).job.job_id
    request = service_pb2.CancelJobRequest(job_id=job_id)
    for _ in range(2):
        job = (await gateway.jobs.CancelJob(request, metadata=MINE)).job
        assert job.state == service_pb2.JOB_STATE_CANCELLED
    assert kinds_of(await watch(gateway, job_id))[-1] == "cancelled"
    await gateway.jobs.DeleteJob(service_pb2.DeleteJobRequest(job_id=job_id), metadata=MINE)
    assert (await failure_of(watch(gateway, job_id))).reason is Reason.UNKNOWN_JOB


async def test_a_failure_is_told_as_the_status_of_a_call_would(backends, gateway):
    backends.image_generation.error = FaultError(Reason.OUT_OF_MEMORY, "Too big.")
    job_id = (await start(gateway)).job.job_id
    failed = (await watch(gateway, job_id))[-1].failed
    assert (failed.reason, failed.message) == ("OUT_OF_MEMORY", "Too big.")
    assert failed.grpc_code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    assert failed.metadata["stage"] == "image_generation"


async def test_long_lists_come_in_pages(gateway):
    mine = ((SESSION_TOKEN_KEY, "p" * 43),)
    started = [(await start(gateway, metadata=mine)).job.job_id for _ in range(3)]
    seen, token = [], ""
    while True:
        request = service_pb2.ListJobsRequest(page_size=2, page_token=token)
        page = await gateway.jobs.ListJobs(request, metadata=mine)
        seen += [job.job_id for job in page.jobs]
        if not (token := page.next_page_token):
            break
    assert seen == started[::-1]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (service_pb2.ListJobsRequest(page_size=-1), "page_size"),
        (service_pb2.ListJobsRequest(page_size=201), "page_size"),
        (service_pb2.ListJobsRequest(page_token="later"), "page_token"),
    ],
)
async def test_a_wrong_page_is_refused(gateway, request_, field):
    error = await failure_of(gateway.jobs.ListJobs(request_, metadata=MINE))
    assert (error.reason, error.violations[0].field) == (Reason.INVALID_FIELD, field)


async def test_a_page_after_a_job_that_is_gone_is_not_found(gateway):
    request = service_pb2.ListJobsRequest(page_token=uuid.uuid4().hex)
    assert (await failure_of(gateway.jobs.ListJobs(request, metadata=MINE))).reason is Reason.UNKNOWN_JOB


async def test_a_wrong_token_is_refused(gateway):
    error = await failure_of(start(gateway, metadata=((SESSION_TOKEN_KEY, "short"),)))
    assert error.violations[0].field == "metadata.x-session-token"
    assert "short" not in error.message


async def test_a_silent_stream_gives_signs_of_life(backends, open_gateway_with):
    backends.image_generation.may_go_on.clear()
    async with open_gateway_with(heartbeat_seconds=0.05) as gateway:
        job_id = (await start(gateway)).job.job_id
        watching = gateway.jobs.WatchJob(service_pb2.WatchJobRequest(job_id=job_id), metadata=MINE)
        async for event in watching:
            if event.HasField("heartbeat"):
                assert event.number == 0
                break
        async for event in gateway.images.CreateImage(creation()):
            if event.HasField("heartbeat"):
                backends.image_generation.may_go_on.set()
        assert event.WhichOneof("event") == "created"


@asynccontextmanager
async def receiver():
    """Whatever is posted to it, as (headers, body)."""
    posted = asyncio.Queue()

    async def serve(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[1:]
        headers = dict(line.lower().split(": ", 1) for line in head if line)
        posted.put_nowait((dict(headers), await reader.readexactly(int(headers["content-length"]))))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks", posted


async def test_the_end_of_a_job_is_reported_to_its_webhook(open_gateway_with):
    async with receiver() as (url, posted), open_gateway_with(webhook_private_hosts="127.0.0.1") as gateway:
        webhook = service_pb2.Webhook(url=url, secret=SECRET)
        request = service_pb2.CreateJobRequest(creation=creation(), webhook=webhook)
        job_id = (await gateway.jobs.CreateJob(request, metadata=MINE)).job.job_id
        headers, body = await asyncio.wait_for(posted.get(), 20)
        # The values of headers lost their case on the way through this test.
        signature = Verifier(SECRET).sign(headers["webhook-id"], _time_of(headers), body.decode())
        assert headers["webhook-signature"] == signature.lower()
        report = json.loads(body)
        assert (report["type"], report["data"]["image"]["image_id"]) == ("job.completed", job_id)
        over_rest = await gateway.create_job(webhook_url=url, webhook_secret=SECRET)
        assert over_rest.status_code == 202, over_rest.text
        _, body = await asyncio.wait_for(posted.get(), 20)
        assert json.loads(body)["data"]["job_id"] == over_rest.json()["job_id"]


async def test_a_webhook_that_is_not_allowed_is_refused_by_the_names_of_its_fields(gateway):
    webhook = service_pb2.Webhook(url="https://example.org")
    request = service_pb2.CreateJobRequest(creation=creation(), webhook=webhook)
    error = await failure_of(gateway.jobs.CreateJob(request, metadata=MINE))
    assert [violation.field for violation in error.violations] == ["webhook.url", "webhook.secret"]
    messages = iter([service_pb2.CreateJobFromUploadRequest(creation=creation(), webhook=webhook)])
    assert (await failure_of(gateway.jobs.CreateJobFromUpload(messages, metadata=MINE))).violations
    answer = await gateway.create_job(webhook_secret="whsec_")
    assert answer.status_code == 400
    assert "webhook_url" in answer.json()["error"]["message"]


def _time_of(headers):
    return datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
