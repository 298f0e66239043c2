"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

FastAPI's own event streams need an endpoint that always streams. Those of this API decide when a request
has come whether they answer with events, with JSON, with an error or with nothing, so they return a response.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fastapi.sse import EventSourceResponse, format_sse_event

from chladni_contract.errors import ChladniError
from chladni_gateway.rest.errors import error_body, internal_error
from chladni_gateway.rest.requests import while_connected

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import Receive, Scope, Send

# A comment after a silence, so that no proxy closes the connection.
_HEARTBEAT: Final = format_sse_event(comment="still here")
_HEARTBEAT_SECONDS: Final = 10.0

_log = logging.getLogger(__name__)


class ServerEvent(NamedTuple):
    """An event: its name, its data, which becomes JSON, and its number if it has one of its own."""

    name: str
    data: dict[str, Any]
    number: int | None = None


class EventStreamResponse(EventSourceResponse):
    """A response that sends events as they come.

    It closes `events` when the client leaves. An error ends the stream with an event `error`, whose data is
    the body of that error and its stage.

    Args:
        events: The events.
    """

    def __init__(self, events: AsyncGenerator[ServerEvent, None]) -> None:
        self._chunks = _encode_all(events)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(self._chunks, headers=headers)

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        try:
            await while_connected(receive, self.stream_response(send))
        except ChladniError as error:
            _log.info("event stream ended early", extra={"reason": error.reason.value})

    async def stream_response(self, send: Send) -> None:
        """Send all events, and close them even if the client leaves during a send."""
        async with aclosing(self._chunks):
            await super().stream_response(send)


def accepts_events(accept: str) -> bool:
    """Return whether a header Accept asks for server-sent events."""
    media_types = (item.partition(";")[0].strip().lower() for item in accept.split(","))
    return EventSourceResponse.media_type in media_types


async def _encode_all(events: AsyncGenerator[ServerEvent, None]) -> AsyncGenerator[bytes, None]:
    number = 0
    try:
        async with aclosing(events), aclosing(_with_silences(events)) as coming:
            async for event in coming:
                if event is None:
                    yield _HEARTBEAT
                    continue
                number = number + 1 if event.number is None else event.number
                yield _encode(event, number)
    except ChladniError as error:
        yield _encode(_error_event(error), number + 1)
    except Exception as error:  # noqa: BLE001 - the answer has begun; all that is left is to report the error
        _log.error("an event stream failed", exc_info=error)
        yield _encode(_error_event(internal_error()), number + 1)


async def _with_silences(
    events: AsyncGenerator[ServerEvent, None],
) -> AsyncGenerator[ServerEvent | None, None]:
    """Yield the events, and `None` after each stretch of silence."""
    coming = asyncio.ensure_future(anext(events))
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
            coming = asyncio.ensure_future(anext(events))
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)


def _encode(event: ServerEvent, number: int) -> bytes:
    data = json.dumps(event.data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return format_sse_event(data_str=data, event=event.name, id=str(number))


def _error_event(error: ChladniError) -> ServerEvent:
    body = error_body(error)
    return ServerEvent("error", {"stage": body["error"]["stage"], **body})
