"""Requests counted in a real Redis, by two gateways."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from chladni_contract.errors import ChladniError, Reason
from chladni_fixtures.state_servers import program, redis_server
from chladni_gateway.access.principals import Principal
from chladni_gateway.config import GatewaySettings
from chladni_gateway.rest.middleware.rate_limit import RateLimit
from chladni_gateway.rest.middleware.token_buckets import Rate
from chladni_gateway.storage.rate_redis import RedisRateLimiter
from chladni_gateway.stores import CallLimiter


def limiter(url):
    own = RateLimit(Rate(60, 3), clients_per_host=2, clock=lambda: 0.0)
    return RedisRateLimiter(url, per_minute=60, burst=3, clients_per_host=2, fallback=own)


@pytest.fixture
def host():
    return uuid.uuid4().hex


async def test_gateways_count_together(redis, host):
    first, second = limiter(redis.url), limiter(redis.url)
    for gateway in (first, second, first):
        assert await gateway.take(client="ann", host=host) == 0
    wait_seconds = await second.take(client="ann", host=host)
    assert 0 < wait_seconds <= 3
    assert await second.take(client="bob", host=host) == 0
    for gateway in (first, second):
        await gateway.close()


async def test_gateways_count_the_calls_of_an_owner_together_and_apart_from_requests(redis, host):
    settings = GatewaySettings(
        session_key="k" * 32, redis_url=redis.url, rate_limit_per_minute=60, rate_limit_burst=3
    )
    first, second = CallLimiter(settings), CallLimiter(settings)
    ann = Principal("ann", owner=host, scopes=frozenset())
    await first.check(ann)  # Nothing is counted before the gateway is open.
    over_http = limiter(redis.url)
    assert await over_http.take(client=host, host=host) == 0
    async with first.counting(), second.counting():
        for gateway in (first, second, first):
            await gateway.check(ann)
        with pytest.raises(ChladniError) as caught:
            await second.check(ann)
    assert caught.value.reason is Reason.RATE_LIMITED
    await over_http.close()


async def test_a_host_does_not_get_more_by_calling_itself_ever_something_else(redis, host):
    gateway = limiter(redis.url)
    waits = [await gateway.take(client=str(number), host=host) for number in range(9)]
    assert waits[:6] == [0] * 6
    assert all(wait > 0 for wait in waits[6:])
    await gateway.close()


async def test_requests_that_come_at_once_get_no_more_than_others(redis, host):
    first, second = limiter(redis.url), limiter(redis.url)
    waits = await asyncio.gather(
        *(gateway.take(client="ann", host=host) for _ in range(10) for gateway in (first, second))
    )
    assert sum(wait == 0 for wait in waits) == 3
    assert await first.take(client="ann", host=host) > 0
    for gateway in (first, second):
        await gateway.close()


async def test_without_redis_each_gateway_counts_by_itself(tmp_path):
    if program("redis-server") is None:
        pytest.skip("NOT TESTED: no redis-server; apt-get install redis-server")
    with redis_server(tmp_path) as server:
        gateway = limiter(server.url)
        assert await gateway.take(client="ann", host="h") == 0
        server.kill()
        waits = [await gateway.take(client="ann", host="h") for _ in range(4)]
        assert waits[:3] == [0] * 3
        assert waits[3] > 0
        server.start()
        assert await gateway.take(client="ann", host="h") == 0
        await gateway.close()
