"""What surrounds every call: its request id, retries by gRPC itself, errors and cancelling."""

from __future__ import annotations

import asyncio
import base64
import json
import socket

import grpc
import h2.config
import h2.connection
import pytest
from google.rpc import error_details_pb2, status_pb2

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni_contract.errors import ChladniError, InvalidInputError, QueueFullError, Reason, UnavailableError
from chladni_contract.metadata import REQUEST_ID_KEY
from chladni_contract.status import STATUS_DETAILS_KEY, WIRE_STATUS, from_rpc_error
from chladni_fakes.generation_on_command import SERVICE_NAME, compose_around
from chladni_fakes.loopback import LoopbackSettings, loopback_service


@pytest.mark.parametrize("fails", [False, True])
async def test_the_request_id_comes_back(servicer, service, fails, request_for, drained):
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
    servicer, service, error, timeout_seconds, call_count, request_for, drained, sample
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


async def test_a_domain_error_arrives_with_reason_field_and_retry_delay(servicer, service, scripted_failure):
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
async def test_every_reason_has_its_status_on_the_wire(servicer, service, reason, scripted_failure):
    _, channel = service
    error = await scripted_failure(servicer, channel, ChladniError(reason, "It failed."))
    assert error.code() is WIRE_STATUS[reason].grpc
    details = dict(error.trailing_metadata())[STATUS_DETAILS_KEY]
    info = error_details_pb2.ErrorInfo()
    assert status_pb2.Status.FromString(details).details[0].Unpack(info)
    assert (info.reason, info.domain) == (reason.value, "chladni")


async def test_an_unexpected_error_keeps_its_text_to_itself(servicer, service, scripted_failure, health_of):
    _, channel = service
    error = await scripted_failure(servicer, channel, ValueError("secret path /etc/shadow"))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in error.details()
    assert from_rpc_error(error).reason is Reason.INTERNAL
    assert await health_of(channel) == "SERVING"


async def test_cancelling_the_call_cancels_the_handler_and_is_counted(servicer, service, sample):
    running, channel = service
    stream = image_grpc.ImageGenerationServiceStub(channel).GenerateImage(image_pb2.GenerateImageRequest())
    await stream.read()
    stream.cancel()
    await asyncio.wait_for(servicer.was_cancelled.wait(), 5)
    await running.gate.wait_until_idle(5)
    assert await sample(running, "chladni_requests_total", code="CANCELLED") == 1


async def test_a_passed_deadline_cancels_the_handler(servicer, service, drained):
    _, channel = service
    stub = image_grpc.ImageGenerationServiceStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await drained(stub.GenerateImage(image_pb2.GenerateImageRequest(), timeout=0.2))
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await asyncio.wait_for(servicer.was_cancelled.wait(), 5)
