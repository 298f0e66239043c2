"""Jobs over gRPC."""

from __future__ import annotations

import uuid

import grpc
import pytest

from chladni.gateway.v1 import creation_pb2, image_service_pb2
from chladni.gateway.v1 import job_service_pb2 as service_pb2
from chladni.generation.v1 import generation_pb2
from chladni.media.v1 import media_pb2
from chladni_contract.errors import FaultError, Reason
from chladni_contract.metadata import SESSION_TOKEN_KEY
from chladni_contract.status import from_rpc_error

TOKEN = "t" * 43
MINE = ((SESSION_TOKEN_KEY, TOKEN),)
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
