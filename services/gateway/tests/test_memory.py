"""What requests hold in memory together: uploads, messages and jobs share one budget."""

from __future__ import annotations

import asyncio

import grpc

from chladni.gateway.v1 import creation_pb2
from chladni.media.v1 import media_pb2

CLIP = b"R" * 60_000
FILES = {"file": ("a.wav", CLIP)}


async def test_uploads_messages_and_jobs_share_a_budget_and_give_it_back(
    backends, open_gateway_with, eventually
):
    async with open_gateway_with(max_bytes_in_flight=130_000) as gateway:
        backends.image_generation.may_go_on.clear()
        job = await gateway.http.post("/api/v1/jobs", files=FILES)
        assert job.status_code == 202
        waiting = asyncio.create_task(gateway.http.post("/api/v1/generate", files=FILES))
        await eventually(lambda: backends.image_generation.running == 2)
        refused = await gateway.http.post("/api/v1/generate", files=FILES)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "QUEUE_FULL")
        assert "hold" in refused.json()["error"]["message"]
        request = creation_pb2.CreateImageRequest(audio=media_pb2.AudioClip(content=CLIP))
        call = gateway.images.CreateImage(request)
        assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        backends.image_generation.may_go_on.set()
        assert (await waiting).status_code == 200
        await eventually(lambda: backends.image_generation.running == 0)
        for _ in range(5):
            assert (await gateway.http.post("/api/v1/generate", files=FILES)).status_code == 200
            events = [event async for event in gateway.images.CreateImage(request)]
            assert events[-1].HasField("created")


async def test_a_message_is_as_large_as_two_images_and_no_larger(gateway):
    request = creation_pb2.CreateImageRequest(audio=media_pb2.AudioClip(content=bytes(25 * 1024 * 1024)))
    call = gateway.images.CreateImage(request)
    assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in await call.details() or "at most" in await call.details()
