"""Limits how often a client may send work; refuses further requests before their bodies are read."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

from chladni_contract.errors import ChladniError, Reason
from chladni_gateway.rest.errors import error_response
from chladni_gateway.rest.middleware.authentication import principal_of
from chladni_gateway.rest.middleware.sessions import session_of
from chladni_gateway.rest.middleware.token_buckets import Rate, TokenBuckets
from chladni_runtime.server.peers import customer_of_host

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from chladni_gateway.domain.storage.rate_limiter import RateLimiter
    from chladni_runtime.execution.deadlines import Clock


class RateLimit:
    """Limits clients and their hosts, in this process.

    Args:
        rate: Rate of one client.
        clients_per_host: Number of clients whose rates a host may use together.
        clock: Monotonic clock in seconds.
    """

    def __init__(self, rate: Rate, *, clients_per_host: int, clock: Clock) -> None:
        self._clients = TokenBuckets(rate, clock=clock)
        self._hosts = TokenBuckets(rate.times(clients_per_host), clock=clock)

    async def take(self, *, client: str, host: str) -> float:
        """Count a request; see `RateLimiter`."""
        key = hashlib.sha256(f"{host}\n{client}".encode()).hexdigest()
        wait_seconds = max(self._clients.wait_seconds(key), self._hosts.wait_seconds(host))
        if wait_seconds == 0.0:
            self._clients.take(key)
            self._hosts.take(host)
        return wait_seconds

    async def close(self) -> None:
        """Do nothing: it is connected to nothing."""


def rate_limited(wait_seconds: float) -> ChladniError:
    """Return the error of a client that sends too many requests."""
    retry_after_seconds = math.ceil(wait_seconds)
    return ChladniError(
        Reason.RATE_LIMITED,
        f"Too many requests. Try again in {retry_after_seconds} s.",
        retry_after_seconds=retry_after_seconds,
        metadata={"wait_seconds": retry_after_seconds},
    )


class RateLimitMiddleware:
    """ASGI middleware that counts every POST of a client: the owner of a token, or a session at a host.

    It needs the session, so `SessionMiddleware` must surround it.

    Args:
        app: The application.
        limit: How often a client may send a POST.
    """

    def __init__(self, app: ASGIApp, *, limit: RateLimiter) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection."""
        wait_seconds = await self._count(scope) if _is_post(scope) else 0.0
        if wait_seconds == 0.0:
            await self._app(scope, receive, send)
            return
        await error_response(rate_limited(wait_seconds))(scope, receive, send)

    async def _count(self, scope: Scope) -> float:
        connection = HTTPConnection(scope)
        session = session_of(connection)
        if principal_of(connection) is not None:
            return await self._limit.take(client=session.owner, host=session.owner)
        # Requests without a cookie count as one client: a cookie set by this answer identifies nobody yet.
        client = "" if session.is_new else session.owner
        host = customer_of_host(connection.client.host if connection.client else "")
        return await self._limit.take(client=client, host=host)


def _is_post(scope: Scope) -> bool:
    return (scope["type"], scope.get("method")) == ("http", "POST")
