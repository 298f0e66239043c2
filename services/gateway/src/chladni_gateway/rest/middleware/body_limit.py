"""Request bodies, read piece by piece, never beyond their limit and never at a trickle.

The HTTP server drops what a client still sends after its request was refused, for a few seconds, so that the
client can read the answer.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers

from chladni_contract.errors import ChladniError, DeadlineExceededError, InvalidInputError, Reason
from chladni_gateway.rest.errors import error_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_GRACE_SECONDS: Final = 10.0


async def read_body(
    receive: Receive,
    headers: Headers,
    *,
    limit_bytes: int,
    min_bytes_per_second: int,
    too_large: Callable[[], ChladniError],
) -> AsyncIterator[bytes]:
    """Yield the pieces of a body.

    Args:
        receive: The connection.
        headers: Headers of the request; a Content-Length over the limit is refused before the body comes.
        limit_bytes: Largest body.
        min_bytes_per_second: Rate at which it must arrive, after its first seconds.
        too_large: Makes the error for a larger one.

    Raises:
        ChladniError: The body is larger than the limit or too slow, or the client left (CANCELLED).
    """
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit_bytes:
        raise too_large()
    received_bytes = 0
    has_more = True
    started_at = asyncio.get_running_loop().time()
    while has_more:
        due_at = started_at + _GRACE_SECONDS + received_bytes / min_bytes_per_second
        try:
            async with asyncio.timeout_at(due_at):
                message = await receive()
        except TimeoutError:
            raise DeadlineExceededError(
                f"The body came at less than {min_bytes_per_second} bytes a second, the limit."
            ) from None
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
        min_bytes_per_second: Rate at which it must arrive, after its first seconds.
        exempt_paths: Paths whose handlers read the body themselves, under a limit of their own.
        limits_of_paths: Largest bodies of the paths that have a limit of their own.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limit_bytes: int,
        min_bytes_per_second: int,
        exempt_paths: frozenset[str],
        limits_of_paths: Mapping[str, int],
    ) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._limits_of_paths = limits_of_paths
        self._min_bytes_per_second = min_bytes_per_second
        self._exempt_paths = exempt_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection."""
        if scope["type"] != "http" or scope["path"] in self._exempt_paths:
            await self._app(scope, receive, send)
            return
        limit_bytes = self._limits_of_paths.get(scope["path"], self._limit_bytes)
        try:
            pieces = read_body(
                receive,
                Headers(scope=scope),
                limit_bytes=limit_bytes,
                min_bytes_per_second=self._min_bytes_per_second,
                too_large=partial(_too_large, limit_bytes),
            )
            body = b"".join([piece async for piece in pieces])
        except ChladniError as error:
            await error_response(error)(scope, receive, send)
            return
        await self._app(scope, _replayed(body, receive), send)


def _too_large(limit_bytes: int) -> ChladniError:
    return InvalidInputError(
        Reason.MESSAGE_TOO_LARGE,
        f"body is larger than {limit_bytes} bytes, the limit.",
        field="body",
        metadata={"max_bytes": limit_bytes},
    )


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives a body that was read already, and then what follows it."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay
