"""HTTP clients that hold connections and places without working with them."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, suppress

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect as websocket_connect

from chladni_gateway.rest import http_connections
from chladni_gateway.rest.forms import places as upload_module
from chladni_gateway.rest.middleware import body_limit
from chladni_gateway.rest.routes import live

UPLOAD = (
    b"POST /api/v1/generate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
)


@pytest_asyncio.fixture(loop_scope="session")
async def connect():
    """Opens sockets to a gateway's HTTP port, and closes them after the test."""
    writers = []

    async def opener(gateway, content=b""):
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.settings.http_port)
        writers.append(writer)
        writer.write(content)
        return reader, writer

    yield opener
    for writer in writers:
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def repeating(writer, content):
    """Send a piece every 0.05 s while the context lasts and the connection does."""

    async def send():
        while not writer.transport.is_closing():
            writer.write(content)
            await asyncio.sleep(0.05)

    task = asyncio.create_task(send())
    try:
        yield
    finally:
        task.cancel()


async def is_closed(reader, within_seconds=5):
    """Whether the server ends a connection in time; what it sends before is dropped."""
    try:
        await asyncio.wait_for(reader.read(), within_seconds)
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        b"GET /api/v1/info HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET",
    ],
)
async def test_a_socket_without_whole_headers_is_closed_however_often_it_sends(
    open_gateway_with, connect, beginning
):
    async with open_gateway_with(http_header_seconds=0.5) as gateway:
        reader, writer = await connect(gateway, beginning)
        async with repeating(writer, b"X" if beginning else b"G"):
            assert await is_closed(reader)


async def test_idle_sockets_make_room_and_never_keep_an_honest_client_out(open_gateway_with, connect):
    async with open_gateway_with(max_http_connections=8, max_http_connections_per_host=8) as gateway:
        rude = [await connect(gateway) for _ in range(40)]
        for _ in range(10):
            async with gateway.browser() as honest:
                assert (await honest.get("/api/v1/info")).status_code == 200
        closed = await asyncio.gather(*(is_closed(reader, 0.3) for reader, _ in rude))
        assert closed.count(False) <= 8


async def test_requests_in_progress_are_not_closed_for_others(open_gateway_with, connect):
    async with open_gateway_with(max_http_connections=2, max_http_connections_per_host=2) as gateway:
        busy = [await connect(gateway, UPLOAD) for _ in range(2)]
        await asyncio.sleep(0.1)
        reader, _ = await connect(gateway)
        assert await is_closed(reader)
        assert not await is_closed(busy[0][0], 0.2)


async def test_trickling_uploads_make_room_for_one_that_comes_at_once(
    open_gateway_with, connect, monkeypatch
):
    monkeypatch.setattr(upload_module, "_SETTLING_SECONDS", 0.1)
    async with open_gateway_with(max_concurrent_creations=3) as gateway:
        trickles = [await connect(gateway, UPLOAD) for _ in range(3)]
        await asyncio.sleep(0.2)
        for _ in range(5):
            assert (await gateway.create()).status_code == 200
        status = await asyncio.wait_for(trickles[0][0].readline(), 5)
        assert status == b"HTTP/1.1 429 Too Many Requests\r\n"


async def test_uploads_that_are_fast_enough_keep_their_places(open_gateway_with, connect, monkeypatch):
    monkeypatch.setattr(upload_module, "_FAST_BYTES_PER_SECOND", 0)
    monkeypatch.setattr(upload_module, "_SETTLING_SECONDS", 0.0)
    async with open_gateway_with(max_concurrent_creations=1) as gateway:
        await connect(gateway, UPLOAD)
        await asyncio.sleep(0.1)
        assert (await gateway.create()).status_code == 429


@pytest.mark.parametrize("path", ["/api/v1/generate", "/api/v1/compare"])
async def test_a_body_must_come_at_a_minimum_rate(open_gateway_with, connect, monkeypatch, path):
    monkeypatch.setattr(body_limit, "_GRACE_SECONDS", 0.3)
    async with open_gateway_with() as gateway:
        reader, writer = await connect(
            gateway, UPLOAD.replace(b"/api/v1/generate", path.encode()).replace(b"1000000", b"9000")
        )
        async with repeating(writer, b"x"):
            assert await asyncio.wait_for(reader.readline(), 5) == b"HTTP/1.1 504 Gateway Timeout\r\n"


async def test_what_follows_a_refusal_is_not_read_for_ever(open_gateway_with, connect, monkeypatch):
    monkeypatch.setattr(http_connections, "LINGER_SECONDS", 0.5)
    async with open_gateway_with(max_audio_bytes=1024) as gateway:
        reader, writer = await connect(gateway, UPLOAD.replace(b"1000000", b"999999999"))
        assert await asyncio.wait_for(reader.readline(), 5) == b"HTTP/1.1 400 Bad Request\r\n"
        async with repeating(writer, b"x" * 1000):
            assert await is_closed(reader)


async def test_a_client_that_does_not_read_is_left(open_gateway_with, connect, eventually):
    async with open_gateway_with(http_write_seconds=0.5) as gateway:
        image_id = (await gateway.create()).json()["image_id"]
        request = f"GET /api/v1/images/{image_id} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        _, writer = await connect(gateway)
        lost = asyncio.Event()

        async def ask_for_ever():
            try:
                while True:
                    writer.write(request * 100)
                    await writer.drain()
                    await asyncio.sleep(0.01)
            except ConnectionError:
                lost.set()

        writer.transport.pause_reading()
        asking = asyncio.create_task(ask_for_ever())
        await asyncio.wait_for(lost.wait(), 20)
        asking.cancel()
        assert (await gateway.http.get("/api/v1/info")).status_code == 200


async def test_a_request_of_two_lengths_is_refused_and_the_connection_closed(open_gateway_with, connect):
    async with open_gateway_with() as gateway:
        reader, _ = await connect(
            gateway,
            b"POST /api/v1/compare HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        )
        answer = await asyncio.wait_for(reader.read(), 5)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1") == 1


async def test_a_websocket_that_does_not_read_gives_its_place_back(open_gateway_with, monkeypatch):
    monkeypatch.setattr(live, "_OPENING_SECONDS", 0.3)
    handshake = (
        b"GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    ping = b"\x89\xfd" + bytes(4 + 125)
    async with open_gateway_with(http_write_seconds=0.5, max_live_streams=1) as gateway:
        port = gateway.settings.http_port
        rude = socket.socket()
        rude.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        rude.setblocking(False)
        await asyncio.get_running_loop().sock_connect(rude, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=rude)
        writer.write(handshake)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        writer.transport.pause_reading()

        async def ping_for_ever():
            while True:
                writer.write(ping * 500)
                await writer.drain()
                await asyncio.sleep(0)

        with pytest.raises(ConnectionError):
            await asyncio.wait_for(ping_for_ever(), 10)
        writer.transport.abort()
        async with websocket_connect(f"ws://127.0.0.1:{port}/api/v1/live", proxy=None) as honest:
            await honest.send('{"sample_rate_hz": 48000}')
            assert '"ready"' in await honest.recv()
