"""Which calls are made again: those that no server has worked on, and no others."""

from __future__ import annotations

import asyncio
import socket
import socketserver
import threading
import time
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, nullcontext, suppress
from select import select

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


class Relay(socketserver.ThreadingTCPServer):
    """A listener that passes everything on to an address, and whose connections can be cut.

    It works in threads, which closing joins: the client connects again until its very end, and of a
    connection accepted by the event loop in the test's last moment nobody would know.
    """

    def __init__(self, address):
        host, port = address.split(":")
        self.upstream = (host, int(port))
        self.open_sockets = set()
        super().__init__(("127.0.0.1", 0), RelayHandler)

    @contextmanager
    def listening(self):
        """Listen while the context lasts; yield the port."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with self:
            yield self.server_address[1]
            self.shutdown()
            thread.join()
            self.cut()

    def cut(self):
        for connection in list(self.open_sockets):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class RelayHandler(socketserver.BaseRequestHandler):
    """Copies the bytes of one connection in both directions until either side ends."""

    def handle(self):
        with suppress(OSError), socket.create_connection(self.server.upstream) as upstream:
            ends = {self.request: upstream, upstream: self.request}
            self.server.open_sockets.update(ends)
            try:
                while all(self._copy(source, ends[source]) for source in select(ends, [], [], 1)[0]):
                    pass
            finally:
                self.server.open_sockets.difference_update(ends)

    @staticmethod
    def _copy(source, target):
        data = source.recv(65536)
        target.sendall(data)
        return data


async def test_a_call_whose_connection_broke_is_not_made_at_another_replica(serve):
    servicer = CountingServicer()
    address = await serve(servicer)
    relays = [Relay(address) for _ in range(2)]
    # What a message does that ends the server: the connection breaks when it has arrived.
    servicer.on_call = lambda: [relay.cut() for relay in relays]
    with ExitStack() as stack:
        ports = [stack.enter_context(relay.listening()) for relay in relays]
        target = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)
        async with client_of(target) as stub:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(stub)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert servicer.call_count == 1


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
