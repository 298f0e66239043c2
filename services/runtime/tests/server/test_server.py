"""The server's life and what surrounds every call, over a real loopback connection."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import subprocess
import sys
from io import StringIO

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni_contract.errors import Reason
from chladni_contract.metadata import REQUEST_ID_KEY
from chladni_contract.status import from_rpc_error
from chladni_fakes.generation_on_command import SERVICE_NAME, ScriptedServicer, compose_around
from chladni_fakes.loopback import LoopbackSettings, free_port, loopback_service
from chladni_runtime.logs import configure_logging
from chladni_runtime.server.server import running_service


async def test_a_ready_service_answers_and_says_so(service, health_of):
    _, channel = service
    assert await health_of(channel) == "SERVING"
    assert await health_of(channel, "") == "SERVING"
    response = await image_grpc.ImageGenerationServiceStub(channel).ListModels(image_pb2.ListModelsRequest())
    assert response == image_pb2.ListModelsResponse()


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_lists_the_services_and_finds_the_reasons_of_errors(service, version, drained):
    _, channel = service

    async def requests():
        yield reflection_pb2.ServerReflectionRequest(list_services="")
        yield reflection_pb2.ServerReflectionRequest(file_containing_symbol="chladni.errors.v1.ErrorReason")

    call = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    services, reasons = await drained(call(requests()))
    names = {item.name for item in services.list_services_response.service}
    assert {SERVICE_NAME, "grpc.health.v1.Health"} <= names
    assert b"ERROR_REASON_QUEUE_FULL" in reasons.file_descriptor_response.file_descriptor_proto[0]


async def test_health_is_watched_until_the_service_drains(servicer):
    settings = LoopbackSettings(drain_delay_seconds=0.3)
    statuses = []
    name_of = health_pb2.HealthCheckResponse.ServingStatus.Name

    async def watch(channel, name):
        request = health_pb2.HealthCheckRequest(service=name)
        async for response in health_pb2_grpc.HealthStub(channel).Watch(request):
            statuses.append(name_of(response.status))  # noqa: PERF401 - kept also if the call fails later

    compose = compose_around(servicer)
    async with loopback_service(compose, service_names=[SERVICE_NAME], settings=settings) as (
        running,
        _,
    ):
        channel = grpc.aio.insecure_channel(running.address)
        watching = asyncio.create_task(watch(channel, SERVICE_NAME))
        unknown = asyncio.create_task(watch(channel, "other.Service"))
        async with asyncio.timeout(5):
            while len(statuses) < 2:
                await asyncio.sleep(0.01)
    await asyncio.gather(watching, unknown, return_exceptions=True)
    await channel.close()
    assert sorted(statuses) == ["NOT_SERVING", "SERVICE_UNKNOWN", "SERVING"]


async def test_the_health_of_all_services_is_listed(service):
    _, channel = service
    listed = (await health_pb2_grpc.HealthStub(channel).List(health_pb2.HealthListRequest())).statuses
    serving = health_pb2.HealthCheckResponse.SERVING
    assert {name: entry.status for name, entry in listed.items()} == {SERVICE_NAME: serving, "": serving}


async def test_a_round_robin_channel_with_health_checks_connects(service):
    running, _ = service
    config = {
        "healthCheckConfig": {"serviceName": SERVICE_NAME},
        "loadBalancingConfig": [{"round_robin": {}}],
    }
    options = [("grpc.service_config", json.dumps(config))]
    async with grpc.aio.insecure_channel(running.address, options=options) as channel:
        stub = image_grpc.ImageGenerationServiceStub(channel)
        assert (
            await stub.ListModels(image_pb2.ListModelsRequest(), timeout=5) == image_pb2.ListModelsResponse()
        )


async def test_methods_that_the_servicer_lacks_are_unimplemented():
    compose = compose_around(image_grpc.ImageGenerationServiceServicer())
    async with loopback_service(compose, service_names=[SERVICE_NAME]) as (_, channel):
        stub = image_grpc.ImageGenerationServiceStub(channel)
        for call in (
            stub.ListModels(image_pb2.ListModelsRequest()),
            stub.GenerateImage(image_pb2.GenerateImageRequest()).read(),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
            assert from_rpc_error(caught.value).reason is Reason.NOT_IMPLEMENTED


async def test_until_the_model_is_loaded_calls_are_refused_and_health_says_so(health_of):
    model_is_loaded = asyncio.Event()
    settings = LoopbackSettings(grpc_port=free_port())
    compose = compose_around(ScriptedServicer(), before_ready=model_is_loaded)
    running = running_service(settings, service_names=[SERVICE_NAME], compose=compose)
    entering = asyncio.create_task(running.__aenter__())
    async with grpc.aio.insecure_channel(f"127.0.0.1:{settings.grpc_port}") as channel:
        await channel.channel_ready()
        assert await health_of(channel) == "NOT_SERVING"
        stub = image_grpc.ImageGenerationServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ListModels(image_pb2.ListModelsRequest())
        assert from_rpc_error(caught.value).reason is Reason.MODEL_NOT_READY
        model_is_loaded.set()
        await entering
        assert await health_of(channel) == "SERVING"
        await stub.ListModels(image_pb2.ListModelsRequest())
    await running.__aexit__(None, None, None)


async def test_draining_lets_running_calls_end_and_refuses_new_ones(servicer, health_of):
    settings = LoopbackSettings(drain_delay_seconds=0.5)
    running = running_service(settings, service_names=[SERVICE_NAME], compose=compose_around(servicer))
    service = await running.__aenter__()
    async with grpc.aio.insecure_channel(service.address) as channel:
        stub = image_grpc.ImageGenerationServiceStub(channel)
        stream = stub.GenerateImage(image_pb2.GenerateImageRequest())
        await stream.read()
        leaving = asyncio.create_task(running.__aexit__(None, None, None))
        await asyncio.sleep(0.1)
        assert await health_of(channel) == "NOT_SERVING"
        await stub.ListModels(image_pb2.ListModelsRequest())  # still taken during the delay
        await asyncio.sleep(0.6)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ListModels(image_pb2.ListModelsRequest())
        assert from_rpc_error(caught.value).reason is Reason.DRAINING
        servicer.release.set()
        last = await stream.read()
        assert last.WhichOneof("event") == "completed"
        await leaving


async def test_too_many_calls_are_refused_but_health_still_answers(servicer, health_of):
    settings = LoopbackSettings(max_concurrent_requests=2)
    compose = compose_around(servicer)
    async with loopback_service(compose, service_names=[SERVICE_NAME], settings=settings) as (_, channel):
        stub = image_grpc.ImageGenerationServiceStub(channel)
        streams = [stub.GenerateImage(image_pb2.GenerateImageRequest()) for _ in range(2)]
        for stream in streams:
            await stream.read()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ListModels(image_pb2.ListModelsRequest())
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert from_rpc_error(caught.value).retry_after_seconds > 0
        assert await health_of(channel) == "SERVING"
        servicer.release.set()
        for stream in streams:
            await stream.read()
        await stub.ListModels(image_pb2.ListModelsRequest())


def raw_call(channel, method="ListModels"):
    """A call of a unary method that sends whatever bytes it is given."""
    return channel.unary_unary(f"/{SERVICE_NAME}/{method}")


async def test_a_message_that_is_no_request_is_the_callers_fault(service, sample):
    running, channel = service
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await raw_call(channel)(b"\xff\xff no protobuf")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "cannot be parsed" in caught.value.details()
    assert from_rpc_error(caught.value).reason is Reason.UNREADABLE_MESSAGE
    assert await sample(running, "chladni_requests_total", code="INVALID_ARGUMENT") == 1


async def test_a_message_that_is_too_large_is_refused_and_the_service_goes_on(servicer, caplog):
    settings = LoopbackSettings(max_request_bytes=2048)
    compose = compose_around(servicer)
    async with loopback_service(compose, service_names=[SERVICE_NAME], settings=settings) as (
        running,
        channel,
    ):
        for size in (2049, 4096, 5000):  # gRPC itself refuses the last
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await raw_call(channel)(bytes(size))
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            if size <= 4096:
                refusal = from_rpc_error(caught.value)
                assert refusal.reason is Reason.MESSAGE_TOO_LARGE
                assert refusal.metadata == {"size_bytes": str(size), "max_bytes": "2048"}
        assert await running.gate.wait_until_idle(5)
        await image_grpc.ImageGenerationServiceStub(channel).ListModels(image_pb2.ListModelsRequest())
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("method", ["ListModels", "GenerateImage"])
@pytest.mark.parametrize("count", [0, 2])
async def test_a_call_needs_exactly_one_message(service, method, count, drained):
    running, channel = service

    async def messages():
        for _ in range(count):
            yield b""

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await drained(channel.stream_stream(f"/{SERVICE_NAME}/{method}")(messages()))
    # The status that gRPC's own servers give: https://grpc.github.io/grpc/core/md_doc_statuscodes.html
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert from_rpc_error(caught.value).reason is Reason.WRONG_MESSAGE_COUNT
    assert await running.gate.wait_until_idle(5)


async def test_a_call_is_refused_before_its_message_has_arrived(servicer):
    settings = LoopbackSettings(max_concurrent_requests=1)
    compose = compose_around(servicer)
    async with loopback_service(compose, service_names=[SERVICE_NAME], settings=settings) as (_, channel):
        busy = image_grpc.ImageGenerationServiceStub(channel).GenerateImage(image_pb2.GenerateImageRequest())
        await busy.read()
        for method in ("ListModels", "GenerateImage"):
            # Streams that never send a message; a server that waited for one would never answer.
            call = channel.stream_stream(f"/{SERVICE_NAME}/{method}")()
            async with asyncio.timeout(5):
                assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        busy.cancel()


async def test_of_many_calls_at_once_each_is_answered_or_refused_with_a_delay(servicer, drained):
    settings = LoopbackSettings(max_concurrent_requests=16)
    compose = compose_around(servicer)
    async with loopback_service(compose, service_names=[SERVICE_NAME], settings=settings) as (
        running,
        channel,
    ):
        stub = image_grpc.ImageGenerationServiceStub(channel)
        calls = [
            asyncio.create_task(drained(stub.GenerateImage(image_pb2.GenerateImageRequest())))
            for _ in range(200)
        ]
        done, pending = await asyncio.wait(calls, timeout=1)
        while len(pending) > 16:
            done, pending = await asyncio.wait(calls, timeout=1)
        refusals = [from_rpc_error(call.exception()) for call in done]
        assert len(refusals) == 184
        assert {refusal.reason for refusal in refusals} == {Reason.QUEUE_FULL}
        assert len({refusal.retry_after_seconds for refusal in refusals}) > 10
        servicer.release.set()
        assert all(len(events) == 2 for events in await asyncio.gather(*pending))
        assert await running.gate.wait_until_idle(5)


async def test_an_idle_gate_needs_no_time_to_know_it(service):
    running, channel = service
    assert await running.gate.wait_until_idle(0)
    stream = image_grpc.ImageGenerationServiceStub(channel).GenerateImage(image_pb2.GenerateImageRequest())
    await stream.read()
    assert not await running.gate.wait_until_idle(0)
    stream.cancel()


async def test_a_taken_port_is_an_error(service):
    running, _ = service
    settings = LoopbackSettings(grpc_port=int(running.address.rpartition(":")[2]))
    other = running_service(
        settings, service_names=[SERVICE_NAME], compose=compose_around(ScriptedServicer())
    )
    with pytest.raises(RuntimeError):
        await other.__aenter__()


async def test_metrics_are_valid_prometheus_text_and_count_calls(service, sample):
    running, channel = service
    await image_grpc.ImageGenerationServiceStub(channel).ListModels(image_pb2.ListModelsRequest())
    assert await sample(running, "chladni_ready") == 1
    assert (
        await sample(running, "chladni_requests_total", code="OK", method=f"/{SERVICE_NAME}/ListModels") == 1
    )


async def test_the_end_of_a_call_is_logged_with_the_callers_request_id(service):
    _, channel = service
    output = StringIO()
    configure_logging("image-generation", "INFO", output)
    try:
        await image_grpc.ImageGenerationServiceStub(channel).ListModels(
            image_pb2.ListModelsRequest(), metadata=((REQUEST_ID_KEY, "from-the-caller"),)
        )
        logging.getLogger().handlers[-1].flush()
    finally:
        logging.getLogger().handlers.clear()
    entries = [json.loads(line) for line in output.getvalue().splitlines()]
    finished = next(entry for entry in entries if entry["message"] == "call finished")
    assert finished["request_id"] == "from-the-caller"
    assert finished["code"] == "OK"
    assert finished["service"] == "image-generation"


PROCESS = """
import asyncio, contextlib, sys
from chladni_runtime.server.server import run_service
from chladni_fakes.loopback import LoopbackSettings
from chladni_runtime.settings import ConfigurationError

@contextlib.asynccontextmanager
async def compose(registry):
    if sys.argv[1] == "slow":
        await asyncio.sleep(60)
    if sys.argv[1] == "broken":
        raise RuntimeError("the model is damaged")
    if sys.argv[1] == "misconfigured":
        raise ConfigurationError("There is no GPU. Set the device to cpu.")
    yield []

run_service(LoopbackSettings(), name="example", service_names=[], compose=compose)
"""


@pytest.mark.parametrize(
    ("mode", "awaited", "status"),
    [("quick", "ready", 0), ("slow", "listening", 0), ("broken", None, 1), ("misconfigured", None, 2)],
)
def test_a_process_ends_on_sigterm_also_while_it_loads_and_fails_with_status_1(mode, awaited, status):
    process = subprocess.Popen([sys.executable, "-c", PROCESS, mode], stderr=subprocess.PIPE, text=True)
    lines = []
    for line in process.stderr:
        lines.append(json.loads(line))
        if lines[-1]["message"] == awaited:
            process.send_signal(signal.SIGTERM)
            awaited = None
    assert process.wait(10) == status
    process.stderr.close()
    last = lines[-1]
    if status:
        assert last["level"] == "CRITICAL"
    if status == 1:
        assert "the model is damaged" in last["exception"]
    elif status == 2:
        assert last["message"] == "There is no GPU. Set the device to cpu."
        assert "exception" not in last
    else:
        assert last["message"] == "stopped"
