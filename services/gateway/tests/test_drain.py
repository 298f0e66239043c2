"""The end of a gateway: REST, gRPC and jobs are drained together, and everybody is told."""

from __future__ import annotations

import asyncio
import time

import grpc
import pytest

from chladni.gateway.v1 import creation_pb2
from chladni.gateway.v1 import image_service_pb2_grpc as image_grpc
from chladni.media.v1 import media_pb2
from chladni_contract.errors import Reason
from chladni_contract.status import from_rpc_error

FILES = {"file": ("voice.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ")}


async def failure_of(call):
    """Read a call to its end, and return the error with which it fails."""
    try:
        async for _ in call:
            pass
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error)
    raise AssertionError("the call succeeded")


def create(channel):
    request = creation_pb2.CreateImageRequest(audio=media_pb2.AudioClip(content=FILES["file"][1]))
    return image_grpc.ImageServiceStub(channel).CreateImage(request)


@pytest.fixture
def leaving(open_gateway_with):
    """Opens a gateway, and a function that begins its end."""

    async def opener(**overrides):
        running = open_gateway_with(**overrides)
        gateway = await running.__aenter__()
        return gateway, lambda: asyncio.create_task(running.__aexit__(None, None, None))

    return opener


async def test_both_transports_go_on_during_the_delay_and_then_refuse_work_together(
    backends, leaving, eventually
):
    gateway, leave = await leaving(drain_delay_seconds=0.6, drain_timeout_seconds=20)
    backends.image_generation.may_go_on.clear()
    async with gateway.browser() as browser, grpc.aio.insecure_channel(gateway.grpc_address) as channel:
        job = (await browser.post("/api/v1/jobs", files=FILES)).json()
        waiting = asyncio.create_task(browser.post("/api/v1/generate", files=FILES))
        await eventually(lambda: backends.image_generation.running == 2)
        end = leave()
        await asyncio.sleep(0.1)
        assert (await browser.post("/api/v1/search", json={})).status_code == 400, "still taken"
        await asyncio.sleep(0.8)
        refused = await browser.post("/api/v1/generate", files=FILES)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "DRAINING")
        assert int(refused.headers["retry-after"]) >= 1
        assert (await failure_of(create(channel))).reason is Reason.DRAINING
        assert (await browser.get(f"/api/v1/jobs/{job['job_id']}")).status_code == 200, "looking is allowed"
        assert not end.done()
        backends.image_generation.may_go_on.set()
        assert (await waiting).status_code == 200
    await asyncio.wait_for(end, 10)


async def test_what_does_not_end_in_time_is_stopped_and_told_why_and_jobs_go_on_in_the_next_gateway(
    backends, leaving, open_gateway_with, eventually
):
    gateway, leave = await leaving(drain_timeout_seconds=0.5)
    backends.image_generation.may_go_on.clear()
    async with gateway.browser() as browser, grpc.aio.insecure_channel(gateway.grpc_address) as channel:
        job = (await browser.post("/api/v1/jobs", files=FILES)).json()
        following = asyncio.create_task(browser.get(f"/api/v1/jobs/{job['job_id']}/events"))
        waiting = asyncio.create_task(browser.post("/api/v1/generate", files=FILES))
        call = create(channel)
        failed_call = asyncio.create_task(failure_of(call))
        await eventually(lambda: backends.image_generation.running == 3)
        started_at = time.monotonic()
        end = leave()
        answer = await waiting
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "DRAINING")
        assert (await failed_call).reason is Reason.DRAINING
        events = (await following).text
        assert "event: started" in events
        assert not {"event: created", "event: failed", "event: cancelled"} & set(events.splitlines())
        await asyncio.wait_for(end, 10)
    assert time.monotonic() - started_at < 10
    await eventually(lambda: backends.image_generation.running == 0)
    backends.image_generation.may_go_on.set()
    async with open_gateway_with() as next_gateway, next_gateway.browser(cookies=browser.cookies) as again:
        events = (await again.get(f"/api/v1/jobs/{job['job_id']}/events")).text
    assert "event: created" in events.splitlines()
