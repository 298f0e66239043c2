"""Clients that send nothing, too slowly, too often or under invented names, against a real server."""

from __future__ import annotations

import asyncio
import threading

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni_contract.errors import Reason
from chladni_contract.status import from_rpc_error
from chladni_fakes.generation_on_command import SERVICE_NAME, ScriptedServicer, compose_around
from chladni_fakes.loopback import LoopbackSettings, free_port, loopback_service
from chladni_runtime.server import lifecycle, metrics
from chladni_runtime.server.server import running_service


@pytest.fixture
async def rude_service():
    """A service with few places, and a function that opens streams of headers only."""
    settings = LoopbackSettings(
        max_concurrent_requests=4, max_slow_messages=3, message_timeout_seconds=2, max_requests_per_host=3
    )
    servicer = ScriptedServicer()
    async with loopback_service(
        compose_around(servicer), service_names=[SERVICE_NAME], settings=settings
    ) as (running, channel):
        yield running, channel, servicer


def silent_stream(channel, method="ListModels"):
    return channel.stream_stream(f"/{SERVICE_NAME}/{method}")()


async def list_models(channel):
    stub = image_grpc.ImageGenerationServiceStub(channel)
    return await stub.ListModels(image_pb2.ListModelsRequest(), timeout=10)


async def test_streams_of_headers_alone_keep_nobody_out(rude_service):
    running, channel, _ = rude_service
    async with grpc.aio.insecure_channel(running.address) as rude_channel:
        streams = [silent_stream(rude_channel) for _ in range(64)]
        await asyncio.sleep(0.2)
        for _ in range(30):
            await list_models(channel)
        codes = await asyncio.gather(*(stream.code() for stream in streams))
    assert set(codes) == {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED}
    assert codes.count(grpc.StatusCode.DEADLINE_EXCEEDED) <= 3
    assert await running.gate.wait_until_idle(0)


async def test_one_host_leaves_places_to_others(rude_service):
    _, channel, servicer = rude_service
    stub = image_grpc.ImageGenerationServiceStub(channel)
    streams = [stub.GenerateImage(image_pb2.GenerateImageRequest()) for _ in range(3)]
    for stream in streams:
        await stream.read()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await list_models(channel)
    refusal = from_rpc_error(caught.value)
    assert (refusal.reason, refusal.metadata["maximum"]) == (Reason.QUEUE_FULL, "3")
    servicer.release.set()
    for stream in streams:
        await stream.read()
    await list_models(channel)


async def test_health_is_watched_by_so_many_and_checked_by_all(rude_service, monkeypatch):
    _, channel, _ = rude_service
    monkeypatch.setattr(lifecycle, "_MAX_WATCHES", 2)
    stub = health_pb2_grpc.HealthStub(channel)
    watches = [stub.Watch(health_pb2.HealthCheckRequest()) for _ in range(2)]
    for watch in watches:
        await watch.read()
    assert await stub.Watch(health_pb2.HealthCheckRequest()).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    await stub.Check(health_pb2.HealthCheckRequest())
    watches[0].cancel()
    async with asyncio.timeout(5):
        while await stub.Watch(health_pb2.HealthCheckRequest()).read() is grpc.aio.EOF:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_is_open_to_so_many_at_a_time(rude_service, monkeypatch, version):
    _, channel, _ = rude_service
    monkeypatch.setattr(lifecycle, "_MAX_WATCHES", 2)
    ask = channel.stream_stream(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")
    question = reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString()

    async def open_stream():
        stream = ask()
        await stream.write(question)
        return stream

    streams = [await open_stream() for _ in range(2)]
    for stream in streams:
        assert await stream.read() is not grpc.aio.EOF
    assert await (await open_stream()).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    streams[0].cancel()
    async with asyncio.timeout(5):
        while await (await open_stream()).read() is grpc.aio.EOF:
            await asyncio.sleep(0.01)


async def test_connections_are_bounded():
    settings = LoopbackSettings(max_connections=3)
    compose = compose_around(ScriptedServicer())
    async with loopback_service(compose, service_names=[SERVICE_NAME], settings=settings) as (
        running,
        channel,
    ):
        await list_models(channel)
        host, port = running.address.split(":")
        others = [await asyncio.open_connection(host, int(port)) for _ in range(20)]

        async def ends(reader):
            # A connection that is served begins with the server's settings.
            return await asyncio.wait_for(reader.read(1), 5) == b""

        refused = await asyncio.gather(*(ends(reader) for reader, _ in others))
        assert refused.count(False) == 2
        for _, writer in others:
            writer.close()
        await list_models(channel)


async def test_invented_methods_leave_no_trace_in_the_metrics_while_the_model_loads():
    model_is_loaded = asyncio.Event()
    settings = LoopbackSettings(grpc_port=free_port(), metrics_port=free_port())
    compose = compose_around(ScriptedServicer(), before_ready=model_is_loaded)
    running = running_service(settings, service_names=[SERVICE_NAME], compose=compose)
    entering = asyncio.create_task(running.__aenter__())
    async with grpc.aio.insecure_channel(f"127.0.0.1:{settings.grpc_port}") as channel:
        await channel.channel_ready()
        invented = [f"Invented{number}" for number in range(20)]
        for method in [*invented, "ListModels"]:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.unary_unary(f"/{SERVICE_NAME}/{method}")(b"")
            is_known = method == "ListModels"
            expected = grpc.StatusCode.UNAVAILABLE if is_known else grpc.StatusCode.UNIMPLEMENTED
            assert caught.value.code() is expected
        async with httpx.AsyncClient(verify=False) as client:
            text = (await client.get(f"http://127.0.0.1:{settings.metrics_port}/metrics")).text
    assert "Invented" not in text
    assert f"/{SERVICE_NAME}/ListModels" in text
    model_is_loaded.set()
    await entering
    await running.__aexit__(None, None, None)


async def test_sockets_that_ask_nothing_do_not_keep_metrics_from_others(rude_service, monkeypatch):
    running, _, _ = rude_service
    monkeypatch.setattr(metrics._MetricsHandler, "timeout", 0.5)
    silent = [await asyncio.open_connection("127.0.0.1", running.metrics_port) for _ in range(40)]
    ends = [asyncio.create_task(reader.read()) for reader, _ in silent]
    done, _ = await asyncio.wait(ends, timeout=5)
    assert len(done) == 40
    assert threading.active_count() < 40
    async with httpx.AsyncClient(verify=False) as client:
        address = f"http://127.0.0.1:{running.metrics_port}/metrics"
        assert "chladni_ready 1.0" in (await client.get(address)).text
    for _, writer in silent:
        writer.close()
