"""The server's life and what surrounds every call, over a real loopback connection."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import signal
import socket
import subprocess
import sys
from io import StringIO

import grpc
import h2.config
import h2.connection
import httpx
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from prometheus_client.parser import text_string_to_metric_families

from chladni.generation.v1 import generation_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni_contract.errors import ChladniError, InvalidInputError, QueueFullError, Reason, UnavailableError
from chladni_contract.metadata import REQUEST_ID_KEY
from chladni_contract.status import STATUS_DETAILS_KEY, WIRE_STATUS, from_rpc_error
from chladni_fakes.generation_on_command import SERVICE_NAME, ScriptedServicer, compose_around
from chladni_fakes.loopback import LoopbackSettings, free_port, loopback_service
from chladni_runtime.logs import configure_logging
from chladni_runtime.server.server import running_service


@pytest.fixture
async def servicer():
    return ScriptedServicer()


@pytest.fixture
async def service(servicer):
    async with loopback_service(compose_around(servicer), service_names=[SERVICE_NAME]) as (running, channel):
        yield running, channel


async def health_of(channel, name=SERVICE_NAME):
    response = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=name))
    return health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)


def request_for(model):
    return image_pb2.GenerateImageRequest(options=generation_pb2.GenerationOptions(model=model))


async def drained(stream):
    return [message async for message in stream]


async def scripted_failure(servicer, channel, error):
    servicer.errors["fails"] = error
    stub = image_grpc.ImageGenerationServiceStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await drained(stub.GenerateImage(request_for("fails")))
    return caught.value


async def test_a_ready_service_answers_and_says_so(service):
    _, channel = service
    assert await health_of(channel) == "SERVING"
    assert await health_of(channel, "") == "SERVING"
    response = await image_grpc.ImageGenerationServiceStub(channel).ListModels(image_pb2.ListModelsRequest())
    assert response == image_pb2.ListModelsResponse()


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_lists_the_services_and_finds_the_reasons_of_errors(service, version):
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


@pytest.mark.parametrize("fails", [False, True])
async def test_the_request_id_comes_back(servicer, service, fails):
    _, channel = service
    stub = image_grpc.ImageGenerationServiceStub(channel)
    if not fails:
        servicer.release.set()
    else:
        servicer.errors["m"] = QueueFullError("Full.", retry_after_seconds=1.5)
    call = stub.GenerateImage(request_for("m"), metadata=((REQUEST_ID_KEY, "r-17"),))
    if not fails:
        assert dict(await call.initial_metadata())[REQUEST_ID_KEY] == "r-17"
        assert len(await drained(call)) == 2
        return
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await drained(call)
    trailing = dict(caught.value.trailing_metadata())
    assert trailing[REQUEST_ID_KEY] == "r-17"
    assert trailing["grpc-retry-pushback-ms"] == "1500"
    status = status_pb2.Status.FromString(trailing[STATUS_DETAILS_KEY])
    info = error_details_pb2.RequestInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    assert info.request_id == "r-17"


async def test_a_call_without_request_id_gets_one(service):
    _, channel = service
    call = image_grpc.ImageGenerationServiceStub(channel).ListModels(image_pb2.ListModelsRequest())
    assert len(dict(await call.initial_metadata())[REQUEST_ID_KEY]) == 32
    await call


RETRYING = {
    "name": [{}],
    "retryPolicy": {
        "maxAttempts": 3,
        "initialBackoff": "0.01s",
        "maxBackoff": "0.01s",
        "backoffMultiplier": 1,
        "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
    },
}


@pytest.mark.parametrize(
    ("error", "timeout_seconds", "call_count"),
    [
        (QueueFullError("Full.", retry_after_seconds=0.05), 30, 3),
        (UnavailableError(Reason.BACKEND_UNAVAILABLE, "Away.", retry_after_seconds=1), 30, 3),
        (QueueFullError("Full.", retry_after_seconds=40), 30, 1),  # it would come after the deadline
        (ChladniError(Reason.OUT_OF_MEMORY, "Too little memory."), 30, 1),  # it would not help
        (InvalidInputError(Reason.EMPTY_AUDIO, "Empty.", field="audio"), 30, 1),
    ],
)
async def test_grpc_itself_repeats_what_is_refused_for_the_moment(
    servicer, service, error, timeout_seconds, call_count
):
    running, _ = service
    servicer.errors["m"] = error
    options = [("grpc.service_config", json.dumps({"methodConfig": [RETRYING]}))]
    async with grpc.aio.insecure_channel(running.address, options=options) as channel:
        stub = image_grpc.ImageGenerationServiceStub(channel)
        request = request_for("m")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await drained(stub.GenerateImage(request, timeout=timeout_seconds))
    assert caught.value.code() is WIRE_STATUS[error.reason].grpc
    counted = await sample(running, "chladni_requests_total", code=caught.value.code().name)
    assert counted == call_count


@pytest.mark.parametrize("value", [b"r" * 129, b"caf\xc3\xa9", b"\xff\xfe", b"a\tb"])
@pytest.mark.parametrize("method", ["ListModels", "GenerateImage"])
async def test_a_request_id_that_cannot_be_passed_on_is_refused(raw_status, value, method):
    code, details = await raw_status(f"/{SERVICE_NAME}/{method}", (REQUEST_ID_KEY, value))
    assert code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert b"x-request-id" in base64.b64decode(details + b"==")


@pytest.fixture
async def raw_status(service):
    """Gives a function that calls a method over bare HTTP/2, with metadata that gRPC would not send."""
    running, _ = service
    host, port = running.address.split(":")

    def call(path, *metadata):
        connection = h2.connection.H2Connection(
            h2.config.H2Configuration(header_encoding=None, validate_outbound_headers=False)
        )
        connection.initiate_connection()
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", running.address),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            *metadata,
        ]
        connection.send_headers(1, headers)
        connection.send_data(1, bytes(5), end_stream=True)  # an empty message
        with socket.create_connection((host, int(port)), timeout=5) as peer:
            peer.sendall(connection.data_to_send())
            while True:
                for event in connection.receive_data(peer.recv(65536)):
                    headers = dict(getattr(event, "headers", ()))
                    if b"grpc-status" in headers:
                        return int(headers[b"grpc-status"]), headers.get(b"grpc-status-details-bin", b"")
                peer.sendall(connection.data_to_send())

    return lambda path, *metadata: asyncio.to_thread(call, path, *metadata)


@pytest.mark.parametrize("has_call", [True, False])
async def test_a_client_may_keep_a_silent_connection_alive(servicer, has_call):
    settings = LoopbackSettings(min_ping_interval_seconds=0.1)
    compose = compose_around(servicer)
    async with loopback_service(compose, service_names=[SERVICE_NAME], settings=settings) as (running, _):
        options = [
            ("grpc.keepalive_time_ms", 200),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),
        ]
        async with grpc.aio.insecure_channel(running.address, options=options) as channel:
            stub = image_grpc.ImageGenerationServiceStub(channel)
            call = stub.GenerateImage(image_pb2.GenerateImageRequest())
            await call.read()
            if not has_call:
                call.cancel()
            await asyncio.sleep(2)  # ten pings; gRPC's default ends the connection at the third
            assert channel.get_state() is grpc.ChannelConnectivity.READY
            servicer.release.set()
            if has_call:
                assert (await call.read()).HasField("completed")


async def test_a_domain_error_arrives_with_reason_field_and_retry_delay(servicer, service):
    _, channel = service
    error = await scripted_failure(
        servicer, channel, InvalidInputError(Reason.AUDIO_TOO_LONG, "31 s, at most 30 s.", field="audio")
    )
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    received = from_rpc_error(error)
    assert received.reason is Reason.AUDIO_TOO_LONG
    assert received.violations[0].field == "audio"
    assert received.message == "31 s, at most 30 s."

    error = await scripted_failure(servicer, channel, QueueFullError("Full.", retry_after_seconds=1.25))
    assert from_rpc_error(error).retry_after_seconds == 1.25


@pytest.mark.parametrize("reason", list(Reason))
async def test_every_reason_has_its_status_on_the_wire(servicer, service, reason):
    _, channel = service
    error = await scripted_failure(servicer, channel, ChladniError(reason, "It failed."))
    assert error.code() is WIRE_STATUS[reason].grpc
    details = dict(error.trailing_metadata())[STATUS_DETAILS_KEY]
    info = error_details_pb2.ErrorInfo()
    assert status_pb2.Status.FromString(details).details[0].Unpack(info)
    assert (info.reason, info.domain) == (reason.value, "chladni")


async def test_an_unexpected_error_keeps_its_text_to_itself(servicer, service):
    _, channel = service
    error = await scripted_failure(servicer, channel, ValueError("secret path /etc/shadow"))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in error.details()
    assert from_rpc_error(error).reason is Reason.INTERNAL
    assert await health_of(channel) == "SERVING"


async def test_cancelling_the_call_cancels_the_handler_and_is_counted(servicer, service):
    running, channel = service
    stream = image_grpc.ImageGenerationServiceStub(channel).GenerateImage(image_pb2.GenerateImageRequest())
    await stream.read()
    stream.cancel()
    await asyncio.wait_for(servicer.was_cancelled.wait(), 5)
    await running.gate.wait_until_idle(5)
    assert await sample(running, "chladni_requests_total", code="CANCELLED") == 1


async def test_a_passed_deadline_cancels_the_handler(servicer, service):
    _, channel = service
    stub = image_grpc.ImageGenerationServiceStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await drained(stub.GenerateImage(image_pb2.GenerateImageRequest(), timeout=0.2))
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await asyncio.wait_for(servicer.was_cancelled.wait(), 5)


async def test_until_the_model_is_loaded_calls_are_refused_and_health_says_so():
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


async def test_draining_lets_running_calls_end_and_refuses_new_ones(servicer):
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


async def test_too_many_calls_are_refused_but_health_still_answers(servicer):
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


async def test_a_message_that_is_no_request_is_the_callers_fault(service):
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
async def test_a_call_needs_exactly_one_message(service, method, count):
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


async def test_of_many_calls_at_once_each_is_answered_or_refused_with_a_delay(servicer):
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


async def test_metrics_are_valid_prometheus_text_and_count_calls(service):
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


async def sample(running, name, **labels):
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"http://127.0.0.1:{running.metrics_port}/metrics")).text
    return sum(
        item.value
        for family in text_string_to_metric_families(text)
        for item in family.samples
        if item.name == name and labels.items() <= item.labels.items()
    )


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
