"""The REST API and the page over TLS, whose files are replaced while connections come."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from websockets.asyncio.client import connect

from chladni_fakes.security.certificates import issue, new_files, trust
from chladni_gateway.rest import tls_connections
from chladni_gateway.rest.http_connections import DEFAULT_LIMITS, ConnectionLimits
from chladni_gateway.rest.server import http_server
from chladni_runtime.security.certificates import watched_certificates
from chladni_runtime.security.credentials import ServerContext
from chladni_runtime.security.watched_files import Outcome


async def application(scope, _receive, send):
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": scope["scheme"]})
        await send({"type": "websocket.close"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["scheme"].encode()})


@pytest.fixture
def authority():
    return trustme.CA()


@pytest.fixture
def files(tmp_path, authority):
    files = new_files(tmp_path, "gateway")
    issue(files, authority)
    return files


@pytest.fixture
def watched(files):
    return watched_certificates(
        "server", certificate=files.certificate, key=files.key, authorities=files.authorities
    )


@asynccontextmanager
async def served(watched, *, asks_clients=False, client_names=(), limits=DEFAULT_LIMITS):
    context = ServerContext(watched, asks_clients=asks_clients, client_names=client_names)
    async with http_server(application, host="127.0.0.1", port=0, tls=context, limits=limits) as port:
        yield f"127.0.0.1:{port}"


def client_context(authority, certificate=None):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if certificate is not None:
        certificate.configure_cert(context)
    return context


async def get(address, context):
    async with httpx.AsyncClient(verify=context) as client:
        return (await client.get(f"https://{address}/")).text


async def test_requests_and_websockets_know_that_they_are_secure(watched, authority):
    async with served(watched) as address:
        context = client_context(authority)
        assert await get(address, context) == "https"
        async with connect(f"wss://{address}/", ssl=context) as socket:
            assert await socket.recv() == "wss"


async def test_a_request_in_clear_text_gets_no_answer(watched):
    async with served(watched) as address, httpx.AsyncClient() as client:
        with pytest.raises(httpx.HTTPError):
            await client.get(f"http://{address}/")


async def test_a_client_needs_a_certificate_if_it_is_asked_for_one(watched, authority):
    async with served(watched, asks_clients=True) as address:
        with pytest.raises(httpx.HTTPError):
            await get(address, client_context(authority))
        with pytest.raises(httpx.HTTPError):
            await get(address, client_context(authority, trustme.CA().issue_cert("client")))
        assert await get(address, client_context(authority, authority.issue_cert("client"))) == "https"


async def test_a_new_connection_has_the_new_certificate_and_an_old_one_goes_on(watched, files, authority):
    new = trustme.CA()
    async with (
        served(watched, asks_clients=True) as address,
        httpx.AsyncClient(verify=client_context(authority, authority.issue_cert("client"))) as kept,
    ):
        assert (await kept.get(f"https://{address}/")).text == "https"
        issue(files, new)
        trust(files, (new,))
        watched.refresh()
        assert (await kept.get(f"https://{address}/")).text == "https"
        assert await get(address, client_context(new, new.issue_cert("client"))) == "https"
        with pytest.raises(httpx.HTTPError):
            await get(address, client_context(new, authority.issue_cert("client")))
        files.key.write_bytes(b"broken")
        watched.refresh()
        assert await get(address, client_context(new, new.issue_cert("client"))) == "https"


def write_weak_certificate(files):
    """Write a certificate with a key that fits, but is too short for OpenSSL."""
    key = rsa.generate_private_key(65537, 1024)
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    files.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


async def test_a_certificate_that_openssl_refuses_leaves_the_last_one(watched, files, authority, caplog):
    async with served(watched) as address:
        write_weak_certificate(files)
        assert watched.refresh() is Outcome.LOADED
        for _ in range(2):
            assert await get(address, client_context(authority)) == "https"
    assert caplog.text.count("cannot be used for HTTPS") == 1


async def test_a_connection_that_begins_no_handshake_is_closed(watched, monkeypatch):
    monkeypatch.setattr(tls_connections, "HANDSHAKE_SECONDS", 0.1)
    async with served(watched) as address:
        reader, writer = await asyncio.open_connection(*address.split(":"))
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()


async def test_handshakes_count_among_the_connections_and_make_room(watched, authority):
    limits = ConnectionLimits(max_connections=3, max_per_host=3)
    async with served(watched, limits=limits) as address:
        silent = [await asyncio.open_connection(*address.split(":")) for _ in range(4)]
        async with asyncio.timeout(5):
            assert await silent[0][0].read() == b"", "the oldest makes room"
            assert await get(address, client_context(authority)) == "https"
            assert await silent[1][0].read() == b""
        for reader, _ in silent[2:]:
            assert not reader.at_eof()
        for _, writer in silent:
            writer.close()


async def test_a_handshake_in_progress_does_not_delay_the_end(watched):
    async with asyncio.timeout(5):
        async with served(watched) as address:
            reader, writer = await asyncio.open_connection(*address.split(":"))
            await asyncio.sleep(0.05)
        assert await reader.read() == b""
        writer.close()


async def test_only_clients_of_known_names_are_served(watched, authority):
    async with served(watched, asks_clients=True, client_names=("proxy", "gateway")) as address:
        for name in ("gateway", "proxy"):
            assert await get(address, client_context(authority, authority.issue_cert(name))) == "https"
        for certificate in (
            authority.issue_cert("similarity"),
            authority.issue_cert("10.0.0.1", common_name="somebody"),
        ):
            with pytest.raises(httpx.HTTPError):
                await get(address, client_context(authority, certificate))
        named = authority.issue_cert("10.0.0.1", common_name="proxy")
        assert await get(address, client_context(authority, named)) == "https"
