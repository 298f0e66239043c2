"""Requests to receivers of webhooks: where they go, where they must not go, and what receivers do wrong."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest
import trustme

from chladni_gateway.backends.webhooks import (
    ForbiddenAddressError,
    UnreachableReceiverError,
    WebhookClient,
    is_public,
)

HEADERS = {"webhook-id": "msg_1", "content-type": "application/json"}


@asynccontextmanager
async def receiver(answer, *, tls=None):
    """A receiver that answers each connection with some bytes, and keeps what it was sent."""
    seen = []

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        seen.append((head, await reader.readexactly(length)))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1], seen


def client_for(*private, addresses=("127.0.0.1",), **options):
    async def resolve(_host, _port):
        return addresses

    return WebhookClient(may_be_private=lambda host: host in private, resolve=resolve, **options)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 410 Gone\r\ncontent-length: 3\r\n\r\nno.", 410),
        (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n", 302),
    ],
)
async def test_a_request_is_one_of_http_and_its_status_is_returned(answer, status):
    async with receiver(answer) as (port, seen):
        url = f"http://hooks.internal:{port}/jobs?of=me"
        assert await client_for("hooks.internal").post(url, HEADERS, b'{"a": 1}') == status
    [(head, body)] = seen
    assert head.startswith(b"POST /jobs?of=me HTTP/1.1\r\n")
    assert f"host: hooks.internal:{port}\r\n".encode() in head.lower()
    assert b"webhook-id: msg_1\r\n" in head.lower()
    assert body == b'{"a": 1}'


async def test_a_receiver_with_tls_must_be_who_it_says():
    authority = trustme.CA()
    serving, trusting = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("hooks.internal").configure_cert(serving)
    authority.configure_trust(trusting)
    async with receiver(b"HTTP/1.1 200 OK\r\n\r\n", tls=serving) as (port, seen):
        client = client_for("hooks.internal", "other.internal", tls=trusting)
        assert await client.post(f"https://hooks.internal:{port}", HEADERS, b"") == 200
        with pytest.raises(UnreachableReceiverError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.post(f"https://other.internal:{port}", HEADERS, b"")
        assert len(seen) == 1


async def test_addresses_are_tried_in_order_until_one_can_be_reached():
    async with receiver(b"HTTP/1.1 204 No Content\r\n\r\n") as (port, seen):
        client = client_for("host", addresses=("127.9.9.1", "127.9.9.2", "127.0.0.1"))
        assert await client.post(f"http://host:{port}", HEADERS, b"once") == 204
        assert [body for _, body in seen] == [b"once"]
        with pytest.raises(UnreachableReceiverError, match=r"127\.9\.9\.2"):
            await client_for("host", addresses=("127.9.9.1", "127.9.9.2")).post(
                f"http://host:{port}", HEADERS, b""
            )


async def test_an_address_that_does_not_answer_leaves_time_to_the_next_one(monkeypatch):
    connect = asyncio.open_connection

    async def slow(address, *args, **options):
        if address == "127.9.9.1":
            await asyncio.Event().wait()
        return await connect(address, *args, **options)

    monkeypatch.setattr(asyncio, "open_connection", slow)
    async with receiver(b"HTTP/1.1 200 OK\r\n\r\n") as (port, _):
        client = client_for("host", addresses=("127.9.9.1", "127.0.0.1"), timeout_seconds=0.4)
        assert await client.post(f"http://host:{port}", HEADERS, b"") == 200


async def test_a_request_that_was_sent_is_not_sent_to_another_address():
    async with receiver(b"") as (port, seen):
        client = client_for("host", addresses=("127.0.0.1", "127.0.0.1"))
        with pytest.raises(UnreachableReceiverError):
            await client.post(f"http://host:{port}", HEADERS, b"once")
        assert len(seen) == 1


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("1.1.1.1", "10.0.0.1"), ("fe80::1%eth0",)])
async def test_a_name_that_leads_to_a_private_address_is_not_called(addresses):
    async with receiver(b"HTTP/1.1 200 OK\r\n\r\n") as (port, seen):
        client = client_for(addresses=addresses)
        with pytest.raises(ForbiddenAddressError, match=r"example\.org"):
            await client.post(f"https://example.org:{port}", HEADERS, b"")
        assert not seen


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nx: " + bytes(40_000)])
async def test_a_receiver_that_does_not_answer_in_http_is_unreachable(answer):
    async with receiver(answer) as (port, _):
        with pytest.raises(UnreachableReceiverError):
            await client_for("host").post(f"http://host:{port}", HEADERS, b"")


async def test_a_silent_receiver_costs_no_more_than_the_time_for_a_request():
    async with receiver(b"HTTP/1.1 1") as (port, _):
        client = client_for("host", timeout_seconds=0.05)
        with pytest.raises(UnreachableReceiverError):
            await client.post(f"http://host:{port}", HEADERS, b"")
    with pytest.raises(UnreachableReceiverError, match="no address"):
        await client_for("host", addresses=()).post("http://host", HEADERS, b"")


@pytest.mark.parametrize("host", ["a..b", ".example.org", "a" * 64])
async def test_a_name_that_is_none_is_unreachable(host):
    client = WebhookClient(may_be_private=lambda _host: False)
    with pytest.raises(UnreachableReceiverError):
        await client.post(f"https://{host}/", HEADERS, b"")


async def test_names_are_resolved_beside_the_threads_that_others_use(monkeypatch):
    threads = []

    def resolve(*_, **__):
        threads.append(threading.current_thread().name)
        return [(None, None, None, "", ("10.0.0.1", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(ForbiddenAddressError):
        await WebhookClient(may_be_private=lambda _host: False).post("https://a.org/", HEADERS, b"")
    assert [name.partition("_")[0] for name in threads] == ["webhooks"]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fc00::1", "fe80::1", "ff02::1",
        "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "2001:0:a00:1::",
    ],
)  # fmt: skip
def test_addresses_that_are_not_of_the_public_internet(address):
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_addresses_of_the_public_internet(address):
    assert is_public(ip_address(address))
