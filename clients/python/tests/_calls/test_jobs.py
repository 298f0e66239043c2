"""Jobs: started, followed over lost connections, stopped and removed."""

from __future__ import annotations

from uuid import UUID

import grpc
import pytest

import chladni_client as chladni
from chladni.gateway.v1 import job_service_pb2

AUDIO = b"RIFF, or so"
JOB_ID = "5c0e8b7a-9d0b-4c55-8a4f-2a0f6f0c7d31"
CREATED = ["Accepted", "AudioAnalyzed", "Queued", "Queued", "Started", "Progress", "Progress", "ImageCreated"]


async def events_of(client, after=0):
    return [event async for event in client.watch_job(JOB_ID, after)]


def names_of(events):
    return [type(event.event).__name__ for event in events]


async def test_a_job_takes_what_a_creation_takes(async_client, script):
    chosen = {"recipe": "latent-noise", "seed": 7, "prompt": "ink", "preview_interval_steps": 2}
    job = await async_client.create_job(AUDIO, request_id=JOB_ID, **chosen)
    assert (job.job_id, job.state, job.stage) == (JOB_ID, chladni.JobState.ANALYZING, "image_generation")
    assert not job.is_finished
    async for _ in async_client.stream_image(AUDIO, request_id=JOB_ID, **chosen):
        pass
    assert script.requests[0].creation == script.requests[1]
    with pytest.raises(TypeError, match=r"create_job.*did you mean 'steps'"):
        await async_client.create_job(AUDIO, step=1)


async def test_a_job_may_have_a_webhook(async_client, script):
    await async_client.create_job(AUDIO, webhook_url="https://example.org", webhook_secret="whsec_1")
    await async_client.create_job(AUDIO)
    first, second = script.requests
    assert first.webhook == job_service_pb2.Webhook(url="https://example.org", secret="whsec_1")
    assert not second.HasField("webhook")


async def test_the_attempts_to_start_a_job_are_one_request(async_client, script, rich_error):
    script.errors.append(rich_error(grpc.StatusCode.UNAVAILABLE, "DRAINING"))
    await async_client.create_job(AUDIO)
    one, other = script.requests
    assert one == other
    assert UUID(one.creation.request_id).version == 4


async def test_a_job_is_followed_to_its_image(async_client, png_of):
    events = await events_of(async_client)
    assert names_of(events) == CREATED
    assert [event.number for event in events] == list(range(1, 9))
    assert [event.is_last for event in events] == [False] * 7 + [True]
    assert events[-1].event.image.png == png_of()


async def test_only_events_after_a_number_are_yielded(async_client):
    assert [event.number for event in await events_of(async_client, after=6)] == [7, 8]
    assert await events_of(async_client, after=8) == []


async def test_it_goes_on_after_the_last_number_seen(async_client, script, rich_error):
    script.error_after = (3, rich_error(grpc.StatusCode.UNAVAILABLE, "DRAINING"))
    events = await events_of(async_client)
    assert names_of(events) == CREATED
    watched = [request for request in script.requests if hasattr(request, "after_number")]
    assert [request.after_number for request in watched] == [0, 3]


async def test_attempts_end(async_client, script, rich_error):
    script.errors.extend([rich_error(grpc.StatusCode.UNAVAILABLE, "DRAINING")] * 3)
    with pytest.raises(chladni.UnavailableError):
        await events_of(async_client)
    assert len(script.requests) == 3


async def test_other_errors_end_it_at_once(async_client, script, rich_error):
    script.errors.append(rich_error(grpc.StatusCode.NOT_FOUND, "UNKNOWN_JOB"))
    with pytest.raises(chladni.NotFoundError):
        await events_of(async_client)
    assert len(script.requests) == 1


async def test_a_failed_job_says_why(async_client, script):
    error = job_service_pb2.JobError(grpc_code=3, reason="EMPTY_AUDIO", message="There is nothing in it.")
    script.last_job_event = job_service_pb2.WatchJobResponse(failed=error)
    last = (await events_of(async_client))[-1]
    expected = chladni.JobError("EMPTY_AUDIO", "There is nothing in it.", {}, 3)
    assert last.event == chladni.JobFailed(expected)
    assert last.is_last


async def test_a_cancelled_job_ends_with_that(async_client, script):
    script.last_job_event = job_service_pb2.WatchJobResponse(cancelled=job_service_pb2.JobCancelled())
    assert (await events_of(async_client))[-1].event == chladni.JobCancelled()


async def test_jobs_of_all_pages_are_listed(async_client):
    running, failed = [job async for job in async_client.list_jobs()]
    assert (running.state, running.step, running.total_steps) == (chladni.JobState.RUNNING, 1, 2)
    assert (running.elapsed_seconds, running.remaining_seconds, running.position) == (0.25, None, None)
    assert failed.is_finished
    assert failed.error == chladni.JobError("OUT_OF_MEMORY", "Too little memory.", {"model": "sd"}, 8)


async def test_a_job_is_described_stopped_and_removed(async_client, script):
    job = await async_client.get_job(JOB_ID)
    assert (job.state, job.image.recipe) == (chladni.JobState.COMPLETED, "descriptors")
    assert (await async_client.cancel_job(JOB_ID)).state is chladni.JobState.CANCELLED
    assert await async_client.delete_job(JOB_ID) is None
    assert [request.job_id for request in script.requests] == [JOB_ID] * 3


@pytest.mark.parametrize("after", [-1, 2**31])
async def test_a_number_that_cannot_travel_is_refused(async_client, script, after):
    with pytest.raises(chladni.InvalidInputError, match="after"):
        await events_of(async_client, after=after)
    assert not script.requests
