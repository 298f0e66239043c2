"""Requests over HTTP behind the gate of gRPC calls, so that both are drained together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chladni_contract.errors import ChladniError
from chladni_gateway.rest.errors import error_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from chladni_runtime.server.lifecycle import RequestGate

_READING: frozenset[str] = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that start no work; they are answered to the end, so that clients can follow and fetch."""


class DrainMiddleware:
    """ASGI middleware that refuses new work while the service drains, and counts the work in progress.

    Args:
        app: The application.
        gate: The service's gate.
    """

    def __init__(self, app: ASGIApp, *, gate: RequestGate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection."""
        if scope["type"] not in {"http", "websocket"} or scope.get("method") in _READING:
            await self._app(scope, receive, send)
            return
        has_started = False

        async def observed_send(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            with self._gate.hold():
                await self._app(scope, receive, observed_send)
        except ChladniError as error:
            if not has_started:
                await error_response(error)(scope, receive, send)
