"""Which calls are made again: those that no server has worked on, and no others."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress

import grpc
import pytest

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni_contract.errors import ChladniError, InvalidInputError, Reason, UnavailableError
from chladni_fakes.generation_on_command import SERVICE_NAME, compose_around
from chladni_fakes.loopback import free_port, loopback_service
from chladni_runtime.client import retries
from chladni_runtime.client.channel import Connection


class CountingServicer(image_grpc.ImageGenerationServiceServicer):
    """Raises each error once, answers afterwards, and runs `on_call` before."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.call_count = 0
        self.on_call = lambda: None

    async def ListModels(self, _request, _context):
        self.call_count += 1
        self.on_call()
        if self.errors:
            raise self.errors.pop(0)
        await asyncio.sleep(0.1)
        return image_pb2.ListModelsResponse()


@asynccontextmanager
async def client_of(target):
    connection = Connection(
        target=target, make_stub=image_grpc.ImageGenerationServiceStub, clock=time.monotonic
    )
    async with connection.stub() as stub:
        yield stub
    await connection.close()


async def call(stub, seconds=10):
    return await stub.ListModels(image_pb2.ListModelsRequest(), timeout=seconds)


@pytest.fixture
async def serve():
    """Runs a service with a servicer; returns its address."""
    async with AsyncExitStack() as stack:

        async def opener(servicer):
            running, _ = await stack.enter_async_context(
                loopback_service(compose_around(servicer), service_names=[SERVICE_NAME])
            )
            return running.address

        yield opener


def away(seconds):
    return UnavailableError(Reason.DRAINING, "Away.", retry_after_seconds=seconds)


@pytest.mark.parametrize(
    ("errors", "seconds", "call_count"),
    [
        ([away(0.01)], 10, 2),
        ([away(0.01)] * 9, 10, 4),
        ([away(0.01)], 0.04, 1),  # it would come after the deadline
        ([ChladniError(Reason.QUEUE_FULL, "Full.", retry_after_seconds=0.01)], 10, 1),
        ([InvalidInputError(Reason.EMPTY_AUDIO, "Empty.", field="audio")], 10, 1),
    ],
)
async def test_what_a_server_refused_for_the_moment_is_asked_again(serve, errors, seconds, call_count):
    servicer = CountingServicer(*errors)
    async with client_of(await serve(servicer)) as stub:
        succeeds = call_count == len(errors) + 1
        with nullcontext() if succeeds else pytest.raises(grpc.aio.AioRpcError):
            await call(stub, seconds)
    assert servicer.call_count == call_count


async def relay(address, connections):
    """Listen, and pass everything on to an address; the connections are there to be cut."""

    async def copy(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def accept(reader, writer):
        host, port = address.split(":")
        other_reader, other_writer = await asyncio.open_connection(host, int(port))
        connections.extend((writer, other_writer))
        await asyncio.gather(copy(reader, other_writer), copy(other_reader, writer), return_exceptions=True)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def test_a_call_whose_connection_broke_is_not_made_at_another_replica(serve):
    servicer = CountingServicer()
    address = await serve(servicer)
    connections = []
    replicas = [await relay(address, connections) for _ in range(2)]
    # What a message does that ends the server: the connection breaks when it has arrived.
    servicer.on_call = lambda: [writer.transport.abort() for writer in connections]
    target = "ipv4:" + ",".join(f"127.0.0.1:{port}" for _, port in replicas)
    async with client_of(target) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(stub)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert servicer.call_count == 1
    for server, _ in replicas:
        server.close()
    for writer in connections:  # The client may have connected again.
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


@pytest.mark.parametrize("target", ["127.0.0.1:{port}", "dns:///no-such-host.invalid:{port}"])
async def test_a_call_that_was_never_sent_is_made_again(monkeypatch, target):
    waits = []
    original = retries._wait_seconds

    async def counted(*args):
        waits.append(await original(*args))
        return waits[-1] and 0.001

    monkeypatch.setattr(retries, "_wait_seconds", counted)
    async with client_of(target.format(port=free_port())) as stub:
        with pytest.raises(grpc.aio.AioRpcError):
            await call(stub)
    assert len(waits) == 3
    assert all(0 < wait <= 0.5 for wait in waits)


class SlowServicer(image_grpc.ImageGenerationServiceServicer):
    """Works until it is cancelled."""

    def __init__(self):
        self.has_begun = asyncio.Event()
        self.was_cancelled = asyncio.Event()

    async def ListModels(self, _request, _context):
        self.has_begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.was_cancelled.set()
            raise


async def test_a_caller_who_leaves_takes_the_call_along(serve):
    servicer = SlowServicer()
    async with client_of(await serve(servicer)) as stub:
        calling = asyncio.create_task(call(stub))
        await servicer.has_begun.wait()
        calling.cancel()
        async with asyncio.timeout(5):
            await servicer.was_cancelled.wait()
    assert calling.cancelled()
