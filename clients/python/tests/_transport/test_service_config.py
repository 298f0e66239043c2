"""The shipped service config as this client uses it: replicas, health, and what gRPC repeats."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack, contextmanager

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import HealthServicer

import chladni_client as chladni
from chladni_client._transport.service_config import service_config, shipped_service_config

IMAGE_ID = "0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11"


@contextmanager
def running(start_server, script, health):
    server, address = start_server(script, health)
    yield address
    server.stop(None).wait()


@pytest.fixture
def replicas(start_server, script):
    """Address of three servers at once, and the health service and the script of each."""
    servers = [(type(script)(), HealthServicer()) for _ in range(3)]
    with ExitStack() as stack:
        addresses = [stack.enter_context(running(start_server, *server)) for server in servers]
        yield "ipv4:" + ",".join(addresses), servers


async def test_calls_go_to_all_replicas_that_serve(replicas):
    target, servers = replicas
    async with chladni.AsyncClient(target) as client:
        while not all(script.requests for script, _ in servers):
            await client.list_recipes()
        (unwell, health), *others = servers
        health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        await asyncio.sleep(0.3)
        for script, _ in servers:
            script.requests.clear()
        for _ in range(6):
            await client.list_recipes()
    assert [len(script.requests) for script, _ in (servers[0], *others)] == [0, 3, 3]
    assert not unwell.requests


async def test_a_server_that_does_not_serve_says_so(async_client, health, script):
    health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    with pytest.raises(chladni.UnavailableError, match="starting or shutting down") as caught:
        await async_client.list_recipes()
    assert caught.value.reason == "NOT_SERVING"
    assert not script.requests


async def test_a_server_that_serves_again_is_found_by_the_retries(target, health, script):
    health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    async with chladni.AsyncClient(target) as client:
        call = asyncio.create_task(client.list_recipes())
        await asyncio.sleep(0.3)
        assert not call.done()
        health.set("", health_pb2.HealthCheckResponse.SERVING)
        assert await call
    assert len(script.requests) == 1


def test_the_policy_takes_the_place_of_what_is_shipped():
    policy = chladni.RetryPolicy(max_attempts=2, initial_backoff_seconds=0, max_backoff_seconds=1.25)
    config = json.loads(service_config(policy))
    repeated = [entry["retryPolicy"] for entry in config["methodConfig"] if "retryPolicy" in entry]
    assert repeated
    for entry in repeated:
        assert (entry["maxAttempts"], entry["initialBackoff"], entry["maxBackoff"]) == (2, "0.010s", "1.250s")
    assert "retryPolicy" not in service_config(chladni.RetryPolicy(max_attempts=1))
    assert "timeout" not in service_config(policy)


def test_the_defaults_are_those_that_are_shipped():
    shipped = {json.dumps(entry["retryPolicy"]) for entry in shipped_service_config()["methodConfig"]
               if "retryPolicy" in entry}  # fmt: skip
    (policy,) = map(json.loads, shipped)
    default = chladni.RetryPolicy()
    assert policy["maxAttempts"] == default.max_attempts
    assert float(policy["initialBackoff"].removesuffix("s")) == default.initial_backoff_seconds
    assert float(policy["maxBackoff"].removesuffix("s")) == default.max_backoff_seconds


async def test_retries_stop_if_a_server_refuses_everything(target, script, rich_error):
    script.errors.extend([rich_error(grpc.StatusCode.UNAVAILABLE, "DRAINING")] * 200)
    policy = chladni.RetryPolicy(max_attempts=5, initial_backoff_seconds=0, max_backoff_seconds=0)
    async with chladni.AsyncClient(target, retry_policy=policy) as client:
        for _ in range(30):
            with pytest.raises(chladni.UnavailableError):
                await client.get_image(IMAGE_ID)
    assert 50 <= len(script.requests) <= 80  # instead of 150
