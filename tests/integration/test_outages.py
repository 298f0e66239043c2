"""What callers see while a service dies, comes back, or shuts down."""

from __future__ import annotations

import asyncio
import signal

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chladni.gateway.v1 import creation_pb2
from chladni.gateway.v1 import image_service_pb2_grpc as gateway_grpc
from chladni_contract.errors import Reason
from chladni_contract.status import from_rpc_error
from chladni_fixtures.audio import encoded, melody


async def generate(cluster, **fields):
    """Make a small image over REST."""
    fields = {"steps": "1", "width_pixels": "256", "height_pixels": "256"} | fields
    async with httpx.AsyncClient(base_url=cluster.http_url, timeout=60, verify=False) as client:
        return await client.post(
            "/api/v1/generate",
            files={"file": ("sound.wav", encoded(melody(0.3)))},
            data=fields,
        )


async def create_over_grpc(cluster):
    request = creation_pb2.CreateImageRequest()
    request.options.steps = 1
    request.options.width_pixels = request.options.height_pixels = 256
    request.audio.content = encoded(melody(0.3))
    async with grpc.aio.insecure_channel(cluster.target("gateway")) as channel:
        stub = gateway_grpc.ImageServiceStub(channel)
        return [response async for response in stub.CreateImage(request, timeout=60)]


async def health(cluster, service):
    async with grpc.aio.insecure_channel(cluster.target(service)) as channel:
        response = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        return health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)


@pytest.mark.parametrize(
    ("service", "stage"),
    [("audio-features", "audio_features"), ("image-generation", "image_generation")],
)
async def test_a_service_that_dies_is_named_and_its_return_is_noticed(mortal_cluster, service, stage):
    mortal_cluster.kill(service)
    response = await generate(mortal_cluster)
    assert response.status_code == 503
    assert response.json()["error"]["code"] == Reason.BACKEND_UNAVAILABLE.value
    assert response.json()["error"]["stage"] == stage
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await create_over_grpc(mortal_cluster)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert from_rpc_error(caught.value).metadata["stage"] == stage
    async with httpx.AsyncClient(base_url=mortal_cluster.http_url, verify=False) as client:
        assert (await client.get("/api/v1/health")).status_code == 503

    await asyncio.to_thread(mortal_cluster.restart, service)
    assert (await generate(mortal_cluster)).status_code == 200
    assert (await create_over_grpc(mortal_cluster))[-1].HasField("created")


async def test_on_sigterm_health_says_not_serving_and_running_work_ends_well(mortal_cluster):
    large = {"steps": "20", "width_pixels": "512", "height_pixels": "512"}
    running = asyncio.create_task(generate(mortal_cluster, **large))
    async with asyncio.timeout(20):
        while await mortal_cluster.metric("image-generation", "chladni_generations_active") == 0:
            await asyncio.sleep(0.02)
    mortal_cluster.signal("image-generation", signal.SIGTERM)
    await asyncio.sleep(0.2)
    assert await health(mortal_cluster, "image-generation") == "NOT_SERVING"
    assert (await running).status_code == 200
    async with asyncio.timeout(20):
        while mortal_cluster.is_running("image-generation"):
            await asyncio.sleep(0.05)
