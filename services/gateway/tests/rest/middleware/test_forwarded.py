"""Clients behind proxies, and clients that say they are."""

from __future__ import annotations

import pytest

from chladni_gateway.rest.middleware.forwarded import ForwardedMiddleware
from chladni_runtime.server.peers import PeerSet


async def seen_by_application(host, *headers):
    """The client's host and the names of the headers that reach the application."""
    scopes = []

    async def application(scope, _receive, _send):
        scopes.append(scope)

    raw = [(name.encode(), value.encode()) for name, value in headers]
    scope = {"type": "http", "client": (host, 1), "headers": raw}
    middleware = ForwardedMiddleware(application, trusted=PeerSet(["192.0.2.0/24"]))
    await middleware(scope, None, None)
    return scopes[0]["client"][0], [name.decode() for name, _ in scopes[0]["headers"]]


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("203.0.113.9, 198.51.100.7, 192.0.2.2", "198.51.100.7"),
        ("192.0.2.3", "192.0.2.3"),
        ("2001:db8::1", "2001:db8::1"),
        ("invented", "192.0.2.1"),
        ("", "192.0.2.1"),
    ],
)
async def test_a_trusted_proxy_names_the_client_and_the_client_cannot(forwarded, client):
    seen, names = await seen_by_application(
        "192.0.2.1", ("x-forwarded-for", forwarded), ("x-caller-id", "team")
    )
    assert seen == client
    assert "x-caller-id" in names


async def test_from_others_it_means_nothing():
    seen, names = await seen_by_application(
        "198.51.100.7", ("x-forwarded-for", "203.0.113.9"), ("x-caller-id", "team"), ("accept", "*/*")
    )
    assert seen == "198.51.100.7"
    assert "x-caller-id" not in names
    assert "accept" in names


async def test_limits_are_by_host_behind_a_trusted_proxy(open_gateway_with):
    limits = {"rate_limit_per_minute": 1, "rate_limit_burst": 1, "rate_limit_clients_per_host": 1}

    async def statuses(gateway):
        answers = []
        for number in range(2):
            async with gateway.browser() as client:
                forwarded = {"X-Forwarded-For": f"198.51.100.{number}"}
                answers.append((await client.post("/api/v1/search", json={}, headers=forwarded)).status_code)
        return answers

    async with open_gateway_with(trusted_peers=("127.0.0.1",), **limits) as gateway:
        assert await statuses(gateway) == [400, 400]
    async with open_gateway_with(**limits) as gateway:
        assert await statuses(gateway) == [400, 429]
