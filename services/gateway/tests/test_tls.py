"""A whole gateway with TLS on both ports, whose certificates are replaced."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager

import grpc
import httpx
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chladni_fakes.loopback import free_port
from chladni_fakes.security.certificates import issue, new_files
from chladni_gateway.composition import SERVICE_NAMES, compose
from chladni_gateway.config import GatewaySettings
from chladni_gateway.limits import http_tls_of
from chladni_runtime.server.server import request_gate, running_service


@asynccontextmanager
async def served(files, folder):
    settings = GatewaySettings(
        grpc_port=0,
        metrics_port=0,
        http_port=free_port(),
        image_folder=folder,
        drain_delay_seconds=0,
        session_key="k" * 32,
        tls_certificate=files.certificate,
        tls_key=files.key,
        tls_client_ca=files.authorities,
        http_client_certificates=False,
        backend_tls_ca=files.authorities,
        backend_tls_certificate=files.certificate,
        backend_tls_key=files.key,
        file_check_seconds=0.02,
    )
    gate = request_gate(settings)
    async with running_service(
        settings, service_names=SERVICE_NAMES, compose=compose(settings, gate=gate), gate=gate
    ) as running:
        yield settings, running


async def page_over_https(settings, authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with httpx.AsyncClient(verify=context) as client:
        return (await client.get(f"https://127.0.0.1:{settings.http_port}/")).status_code


async def state_over_grpc(running, files):
    credentials = grpc.ssl_channel_credentials(
        files.authorities.read_bytes(), files.key.read_bytes(), files.certificate.read_bytes()
    )
    async with grpc.aio.secure_channel(running.address, credentials) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    return answer.status


async def test_both_ports_take_new_certificates_and_a_broken_one_changes_nothing(tmp_path):
    old, new = trustme.CA(), trustme.CA()
    files = new_files(tmp_path, "gateway")
    issue(files, old)
    async with served(files, tmp_path / "images") as (settings, running):
        assert await page_over_https(settings, old) == 200
        assert await state_over_grpc(running, files) == health_pb2.HealthCheckResponse.SERVING
        issue(files, new)
        async with asyncio.timeout(5):
            while settings.server_certificates.state[0] == 1 or settings.backend_certificates.state[0] == 1:
                await asyncio.sleep(0.01)
        assert await page_over_https(settings, new) == 200
        with pytest.raises(httpx.ConnectError):
            await page_over_https(settings, old)
        assert await state_over_grpc(running, files) == health_pb2.HealthCheckResponse.SERVING
        good = files.key.read_bytes()
        files.key.write_bytes(b"broken")
        async with httpx.AsyncClient() as client, asyncio.timeout(5):
            address = f"http://127.0.0.1:{running.metrics_port}/metrics"
            while (
                'files="server certificates",outcome="refused"} 1.0' not in (await client.get(address)).text
            ):
                await asyncio.sleep(0.02)
            assert "chladni_certificate_expiry_timestamp_seconds" in (await client.get(address)).text
        assert await page_over_https(settings, new) == 200
        files.key.write_bytes(good)


@pytest.mark.parametrize(
    ("settings", "is_warned"),
    [
        ({"host": "0.0.0.0", "oidc_issuer": "https://issuer.example", "oidc_audience": "chladni"}, True),
        ({"host": "::1", "oidc_issuer": "https://issuer.example", "oidc_audience": "chladni"}, False),
        ({"host": "0.0.0.0"}, False),
    ],
)
def test_tokens_over_clear_text_are_warned_of(settings, is_warned, caplog):
    assert http_tls_of(GatewaySettings(**settings)) is None
    assert ("tokens come over clear text" in caplog.text) is is_warned
