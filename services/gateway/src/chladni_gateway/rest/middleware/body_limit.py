"""Request bodies, read piece by piece and never beyond their limit.

The HTTP server drops what a client still sends after its request was refused, so that the client can read
the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from chladni_contract.errors import ChladniError, InvalidInputError, Reason
from chladni_gateway.rest.errors import error_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send


async def read_body(
    receive: Receive, headers: Headers, *, limit_bytes: int, too_large: Callable[[], ChladniError]
) -> AsyncIterator[bytes]:
    """Yield the pieces of a body.

    Args:
        receive: The connection.
        headers: Headers of the request; a Content-Length over the limit is refused before the body comes.
        limit_bytes: Largest body.
        too_large: Makes the error for a larger one.

    Raises:
        ChladniError: The body is larger than the limit, or the client left (CANCELLED).
    """
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit_bytes:
        raise too_large()
    received_bytes = 0
    has_more = True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ChladniError(Reason.CANCELLED, "The client left before its request had arrived.")
        piece = message.get("body", b"")
        has_more = message.get("more_body", False)
        received_bytes += len(piece)
        if received_bytes > limit_bytes:
            raise too_large()
        if piece:
            yield piece


class BodyLimitMiddleware:
    """ASGI middleware that refuses large bodies before an application reads them.

    Args:
        app: The application.
        limit_bytes: Largest body.
        exempt_paths: Paths whose handlers read the body themselves, under a limit of their own.
    """

    def __init__(self, app: ASGIApp, *, limit_bytes: int, exempt_paths: frozenset[str]) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._exempt_paths = exempt_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection."""
        if scope["type"] != "http" or scope["path"] in self._exempt_paths:
            await self._app(scope, receive, send)
            return
        try:
            pieces = read_body(
                receive, Headers(scope=scope), limit_bytes=self._limit_bytes, too_large=self._too_large
            )
            body = b"".join([piece async for piece in pieces])
        except ChladniError as error:
            await error_response(error)(scope, receive, send)
            return
        await self._app(scope, _replayed(body, receive), send)

    def _too_large(self) -> ChladniError:
        return InvalidInputError(
            Reason.MESSAGE_TOO_LARGE,
            f"body is larger than {self._limit_bytes} bytes, the limit.",
            field="body",
            metadata={"max_bytes": self._limit_bytes},
        )


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives a body that was read already, and then what follows it."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay
