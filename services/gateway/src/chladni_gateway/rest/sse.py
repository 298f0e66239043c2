"""Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from starlette.responses import Response

from chladni_contract.errors import ChladniError
from chladni_gateway.rest.errors import error_body, internal_error
from chladni_gateway.rest.requests import while_connected

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import Receive, Scope, Send

MEDIA_TYPE: Final = "text/event-stream"
# A comment after a silence, so that no proxy gives the connection up.
_HEARTBEAT: Final = b": still here\n\n"
_HEARTBEAT_SECONDS: Final = 10.0

_log = logging.getLogger(__name__)


class ServerEvent(NamedTuple):
    """An event: its name, its data, which becomes JSON, and its number where it has one of its own."""

    name: str
    data: dict[str, Any]
    number: int | None = None


class EventStreamResponse(Response):
    """Sends events as they come.

    Closes `events` when the client leaves. An error ends the stream with an event `error`, whose data is
    the body of that error and its stage.

    Args:
        events: The events.
    """

    def __init__(self, events: AsyncGenerator[ServerEvent, None]) -> None:
        super().__init__(
            media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        try:
            await while_connected(receive, self._send_all(send))
        except ChladniError as error:
            _log.info("event stream ended early", extra={"reason": error.reason.value})

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with aclosing(self._encoded()) as chunks:
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _encoded(self) -> AsyncGenerator[bytes, None]:
        number = 0
        try:
            async with aclosing(self._events), aclosing(self._with_silences()) as events:
                async for event in events:
                    if event is None:
                        yield _HEARTBEAT
                        continue
                    number = number + 1 if event.number is None else event.number
                    yield encode(event, number)
        except ChladniError as error:
            yield encode(_error_event(error), number + 1)
        except Exception as error:  # noqa: BLE001 - the answer has begun; what is left is to say so
            _log.error("an event stream failed", exc_info=error)
            yield encode(_error_event(internal_error()), number + 1)

    async def _with_silences(self) -> AsyncGenerator[ServerEvent | None, None]:
        """Yields the events, and `None` after each stretch of silence."""
        coming = asyncio.ensure_future(anext(self._events))
        try:
            while True:
                done, _ = await asyncio.wait((coming,), timeout=_HEARTBEAT_SECONDS)
                if not done:
                    yield None
                    continue
                try:
                    event = coming.result()
                except StopAsyncIteration:
                    return
                yield event
                coming = asyncio.ensure_future(anext(self._events))
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)


def encode(event: ServerEvent, number: int) -> bytes:
    """Returns an event as it goes over the wire, numbered."""
    data = json.dumps(event.data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return f"id: {number}\nevent: {event.name}\ndata: {data}\n\n".encode()


def accepts_events(accept: str) -> bool:
    """Returns whether a header Accept asks for server-sent events."""
    return any(item.partition(";")[0].strip().lower() == MEDIA_TYPE for item in accept.split(","))


def _error_event(error: ChladniError) -> ServerEvent:
    body = error_body(error)
    return ServerEvent("error", {"stage": body["error"]["stage"], **body})
