"""A whole gateway on loopback, over scripted services, and small tools for the tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import grpc
import httpx
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from chladni.gateway.v1 import anomaly_service_pb2_grpc as anomaly_grpc
from chladni.gateway.v1 import audio_service_pb2_grpc as audio_grpc
from chladni.gateway.v1 import image_service_pb2_grpc as image_grpc
from chladni.gateway.v1 import job_service_pb2_grpc as job_grpc
from chladni.gateway.v1 import server_service_pb2_grpc as server_grpc
from chladni_fakes import ScriptedBackends, scripted_backends
from chladni_fakes.loopback import free_port, loopback_service
from chladni_gateway.composition import SERVICE_NAMES, compose
from chladni_gateway.config import GatewaySettings
from chladni_gateway.grpc_api.callers.authentication import call_authentication
from chladni_gateway.sessions import SessionTokens
from chladni_gateway.stores import CallLimiter
from chladni_runtime.server.lifecycle import RequestGate
from chladni_runtime.server.server import request_gate

SEED = 4711
"""Seed of every request that names none, as if it was drawn."""
SESSION_KEY = "k" * 32
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "


@dataclass
class RunningGateway:
    """A gateway with clients to it."""

    http: httpx.AsyncClient
    channel: grpc.aio.Channel
    settings: GatewaySettings
    grpc_address: str
    metrics_port: int
    gate: RequestGate

    @property
    def images(self) -> image_grpc.ImageServiceStub:
        return image_grpc.ImageServiceStub(self.channel)

    @property
    def jobs(self) -> job_grpc.JobServiceStub:
        return job_grpc.JobServiceStub(self.channel)

    @property
    def audio(self) -> audio_grpc.AudioServiceStub:
        return audio_grpc.AudioServiceStub(self.channel)

    @property
    def anomaly(self) -> anomaly_grpc.AnomalyServiceStub:
        return anomaly_grpc.AnomalyServiceStub(self.channel)

    @property
    def server(self) -> server_grpc.ServerServiceStub:
        return server_grpc.ServerServiceStub(self.channel)

    @staticmethod
    def draw_token() -> str:
        """A session that the gateway has issued."""
        return SessionTokens(SESSION_KEY).draw()

    def browser(self, **options) -> httpx.AsyncClient:
        """A client with cookies of its own."""
        return httpx.AsyncClient(base_url=self.http.base_url, timeout=20, verify=False, **options)

    async def create(self, content: bytes = WAV, name: str = "voice.wav", **fields) -> httpx.Response:
        return await self.http.post("/api/v1/generate", files={"file": (name, content)}, data=fields)

    async def create_job(self, content: bytes = WAV, **fields) -> httpx.Response:
        return await self.http.post("/api/v1/jobs", files={"file": ("voice.wav", content)}, data=fields)

    async def create_events(self, content: bytes = WAV, **fields) -> list[tuple[str, dict]]:
        response = await self.http.post(
            "/api/v1/generate",
            files={"file": ("voice.wav", content)},
            data=fields,
            headers={"Accept": "text/event-stream"},
        )
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].startswith("text/event-stream")
        return parse_events(response.text)

    async def metric(self, name: str, **labels: str) -> float:
        async with httpx.AsyncClient(verify=False) as client:
            text = (await client.get(f"http://127.0.0.1:{self.metrics_port}/metrics")).text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


def parse_events(text: str) -> list[tuple[str, dict]]:
    events = []
    for block in text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            events.append((lines["event"], json.loads(lines["data"])))
    return events


@asynccontextmanager
async def running_gateway(
    backends: ScriptedBackends, folder, *, tracer=None, **overrides
) -> AsyncIterator[RunningGateway]:
    values = {
        "grpc_port": 0,
        "metrics_port": 0,
        "http_port": free_port(),
        "drain_delay_seconds": 0.0,
        "drain_timeout_seconds": 2.0,
        "image_folder": folder,
        "audio_features_target": backends.servers["audio-features"].target,
        "image_generation_target": backends.servers["image-generation"].target,
        "rate_limit_per_minute": 0,
        "model_listing_seconds": 0,
        "job_retry_seconds": 0,
        "session_key": SESSION_KEY,
        "similarity_target": backends.servers["similarity"].target,
    }
    settings = GatewaySettings(**(values | overrides))
    gate, calls = request_gate(settings), CallLimiter(settings)
    async with (
        loopback_service(
            compose(settings, gate=gate, calls=calls, draw_seed=lambda: SEED),
            service_names=SERVICE_NAMES,
            settings=settings,
            gate=gate,
            authenticate=call_authentication(settings.authenticator, check_rate=calls.check),
            tracer=tracer,
        ) as (
            service,
            channel,
        ),
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{settings.http_port}", timeout=20, verify=False
        ) as http,
    ):
        yield RunningGateway(http, channel, settings, service.address, service.metrics_port, gate)


def pytest_collection_modifyitems(items):
    """Runs the tests that share servers on the event loop that these run on."""
    for item in items:
        if pytest_asyncio.is_async_test(item) and "shared_backends" in item.fixturenames:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_backends() -> AsyncIterator[ScriptedBackends]:
    async with scripted_backends() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_gateway(shared_backends, tmp_path_factory) -> AsyncIterator[RunningGateway]:
    async with running_gateway(shared_backends, tmp_path_factory.mktemp("images")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def backends(shared_backends) -> ScriptedBackends:
    """The scripted services, all running and with nothing remembered."""
    await shared_backends.reset()
    return shared_backends


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(backends, shared_gateway) -> AsyncIterator[RunningGateway]:
    """A gateway that the tests of a run share; see `open_gateway_with` for one of its own."""
    async with asyncio.timeout(30):
        while (await shared_gateway.http.get("/api/v1/health")).status_code != 200:
            await asyncio.sleep(0.02)  # A test before this one may have killed a service.
    yield shared_gateway
    # What it leaves behind, such as a job that nobody waits for, would be seen by the next test.
    await backends.reset()
    assert await shared_gateway.gate.wait_until_idle(30), "the work of this test goes on"


@pytest.fixture
def open_gateway_with(backends, tmp_path):
    """Opens a gateway of the test's own, with other settings than the default ones."""

    def opener(**overrides):
        return running_gateway(backends, tmp_path / "images", **overrides)

    return opener


@pytest_asyncio.fixture(loop_scope="session")
async def open_session(gateway):
    """Opens browsers, each with cookies of its own."""
    async with AsyncExitStack() as stack:

        async def opener(at=gateway) -> httpx.AsyncClient:
            return await stack.enter_async_context(at.browser())

        yield opener


@pytest.fixture
def eventually():
    """Waits until a condition holds; fails after thirty seconds."""

    async def wait(condition) -> None:
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0.005)

    return wait


@pytest.fixture
def error_of():
    """Returns the error of an answer, whose body must be exactly as documented."""

    def read(response: httpx.Response) -> dict[str, str]:
        body = response.json()
        assert set(body) == {"error"}
        assert set(body["error"]) - {"part"} == {
            "code", "message", "stage", "timestamp", "reason", "metadata", "violations",
        }  # fmt: skip
        assert body["error"]["reason"] == body["error"]["code"]
        assert response.headers["content-type"] == "application/json"
        return body["error"]

    return read
