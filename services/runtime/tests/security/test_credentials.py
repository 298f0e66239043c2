"""TLS of real servers and clients, whose certificates and authorities are replaced while they work."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni_fakes.generation_on_command import SERVICE_NAME, ScriptedServicer, compose_around
from chladni_fakes.loopback import LoopbackSettings
from chladni_fakes.security.certificates import issue, new_files, trust
from chladni_runtime.client.channel import Connection
from chladni_runtime.security.certificates import watched_certificates
from chladni_runtime.security.credentials import CLEAR_TEXT, ChannelSecurity
from chladni_runtime.server.server import running_service

CHECK_SECONDS = 0.02


@pytest.fixture
def authority():
    return trustme.CA()


@pytest.fixture
def server_files(tmp_path, authority):
    files = new_files(tmp_path, "server")
    issue(files, authority)
    return files


@pytest.fixture
def client_files(tmp_path, authority):
    files = new_files(tmp_path, "client")
    issue(files, authority, names=("gateway",))
    return files


def watch(files, *, with_certificate=True):
    own = {"certificate": files.certificate, "key": files.key} if with_certificate else {}
    return watched_certificates("client", authorities=files.authorities, **own)


@asynccontextmanager
async def served(files, *, asks_clients=True):
    settings = LoopbackSettings(
        tls_certificate=files.certificate,
        tls_key=files.key,
        tls_client_ca=files.authorities if asks_clients else None,
        file_check_seconds=CHECK_SECONDS,
    )
    compose = compose_around(ScriptedServicer())
    async with running_service(settings, service_names=[SERVICE_NAME], compose=compose) as running:
        yield running


def connection_to(address, security):
    return Connection(
        target=address,
        make_stub=image_grpc.ImageGenerationServiceStub,
        clock=time.monotonic,
        security=security,
    )


async def call(connection, seconds=5):
    async with connection.stub() as stub:
        await stub.ListModels(image_pb2.ListModelsRequest(), timeout=seconds)


async def test_a_client_with_a_certificate_of_the_authority_is_answered(server_files, client_files):
    async with served(server_files) as running:
        connection = connection_to(running.address, ChannelSecurity(watch(client_files)))
        await call(connection)
        await connection.close()


async def test_without_authorities_of_clients_none_needs_a_certificate(server_files, client_files):
    async with served(server_files, asks_clients=False) as running:
        security = ChannelSecurity(watch(client_files, with_certificate=False))
        connection = connection_to(running.address, security)
        await call(connection)
        await connection.close()


@pytest.mark.parametrize("caller", ["in clear text", "without a certificate", "of another authority"])
async def test_a_caller_without_the_right_certificate_gets_nothing(
    server_files, client_files, tmp_path, authority, caller
):
    if caller == "in clear text":
        security = CLEAR_TEXT
    elif caller == "without a certificate":
        security = ChannelSecurity(watch(client_files, with_certificate=False))
    else:
        files = new_files(tmp_path, "stranger")
        issue(files, trustme.CA(), trusted=(authority,))
        security = ChannelSecurity(watch(files))
    async with served(server_files) as running:
        channel = security.open_channel(running.address)
        calls = [
            image_grpc.ImageGenerationServiceStub(channel).ListModels(
                image_pb2.ListModelsRequest(), timeout=0.5
            ),
            health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=0.5),
        ]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        await channel.close()
    assert {answer.code() for answer in answers} <= {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }


async def test_a_server_of_another_authority_is_not_called(server_files, client_files):
    trust(client_files, (trustme.CA(),))
    async with served(server_files) as running:
        connection = connection_to(running.address, ChannelSecurity(watch(client_files)))
        with pytest.raises(grpc.aio.AioRpcError, match="CERTIFICATE_VERIFY_FAILED"):
            await call(connection, seconds=0.5)
        await connection.close()


async def test_certificates_and_authorities_are_replaced_under_load_without_a_failed_call(
    server_files, client_files, tmp_path, authority
):
    """Rotate as operators do: trust both authorities, replace the certificates, trust the new one alone."""
    old, new = authority, trustme.CA()
    old_client = new_files(tmp_path, "old client")
    issue(old_client, old, trusted=(old, new))
    watched = watch(client_files)
    security = ChannelSecurity(watched)
    failures, done = [], [0]
    is_over = False

    async def load(connection):
        while not is_over:
            try:
                await call(connection)
            except grpc.aio.AioRpcError as error:
                failures.append(error)
            done[0] += 1

    async def settle():
        await asyncio.sleep(4 * CHECK_SECONDS)
        watched.refresh()
        before = done[0]
        async with asyncio.timeout(10):
            while done[0] < before + 20:
                await asyncio.sleep(0.01)

    async with served(server_files) as running:
        connections = [connection_to(running.address, security) for _ in range(3)]
        tasks = [asyncio.create_task(load(connection)) for connection in connections]
        await settle()
        trust(server_files, (old, new))
        trust(client_files, (old, new))
        await settle()
        issue(server_files, new, trusted=(old, new))
        issue(client_files, new, trusted=(old, new))
        await settle()
        trust(server_files, (new,))
        trust(client_files, (new,))
        await settle()
        server_files.key.write_bytes(b"broken")
        await settle()
        fresh = connection_to(running.address, security)
        await call(fresh)
        stale = connection_to(running.address, ChannelSecurity(watch(old_client)))
        with pytest.raises(grpc.aio.AioRpcError):
            await call(stale, seconds=0.5)
        is_over = True
        await asyncio.gather(*tasks)
        for connection in (*connections, fresh, stale):
            await connection.close()
    assert failures == []
    assert done[0] >= 100
