"""Too many requests are refused, before their bodies are read."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

from chladni_gateway.domain.stages import Stage
from chladni_gateway.rest.errors import plain_error_response
from chladni_gateway.rest.middleware.sessions import session_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from chladni_gateway.rest.middleware.rate_policy import RateLimit


class RateLimiting:
    """Counts every POST of a client, which is a session at a host; ASGI middleware inside of `Sessions`.

    Args:
        app: The application.
        limit: How often a client may ask.
    """

    def __init__(self, app: ASGIApp, *, limit: RateLimit) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a connection."""
        wait_seconds = self._count(scope) if _is_post(scope) else 0.0
        if wait_seconds == 0.0:
            await self._app(scope, receive, send)
            return
        retry_after_seconds = math.ceil(wait_seconds)
        response = plain_error_response(
            HTTPStatus.TOO_MANY_REQUESTS,
            code="RATE_LIMITED",
            message=f"Too many requests. Try again in {retry_after_seconds} s.",
            stage=Stage.VALIDATION.value,
            headers={"Retry-After": str(retry_after_seconds)},
        )
        await response(scope, receive, send)

    def _count(self, scope: Scope) -> float:
        connection = HTTPConnection(scope)
        session = session_of(connection)
        # Those without a cookie yet are one client; a cookie that comes with this answer tells no one apart.
        client = "" if session.is_new else session.owner
        return self._limit.take(client=client, host=connection.client.host if connection.client else "")


def _is_post(scope: Scope) -> bool:
    return (scope["type"], scope.get("method")) == ("http", "POST")
