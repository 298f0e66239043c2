"""`/api/v1/live`: mel frames of live sound, over a WebSocket.

    client   {"sample_rate_hz": 48000}   then sound   ...            {"type": "end"}
    server   {"type": "ready", ...}      then {"type": "frames"} ... {"type": "summary"}, and closes

`/api/v1/live/images`: images that live sound moves, likewise; each is {"type": "image", ...} and its bytes.

Sound is mono, little-endian 16-bit integers. Reading waits for the analysis, so that what a client sends
too fast stays in its own hands.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from chladni_contract.errors import ChladniError, InvalidInputError, MetadataValue, QueueFullError, Reason
from chladni_contract.status import WIRE_STATUS
from chladni_gateway.domain.live import MAX_LIVE_IMAGE_SECONDS, LiveImage
from chladni_gateway.domain.stages import STAGE_KEY, Stage, at_stage
from chladni_gateway.rest.errors import error_response, internal_error
from chladni_gateway.rest.live_messages import (
    encode,
    error_message,
    event_message,
    image_event_message,
    parse_chunk,
    parse_image_opening,
    parse_opening,
)
from chladni_gateway.rest.middleware.sessions import session_of
from chladni_gateway.rest.openapi import API
from chladni_runtime.execution.deadlines import Deadline
from chladni_runtime.server.peers import customer_of_host

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine

    from chladni_gateway.application import Application
    from chladni_gateway.domain.live import LiveChunk, LiveEvent, LiveImageEvent

    _Converse = Callable[[WebSocket, Application], Awaitable[None]]

_OPENING_SECONDS: Final = 5.0
_IDLE_SECONDS: Final = 15.0
_ENDING_SECONDS: Final = 30.0
_WAITING_CHUNKS: Final = 4
_CLOSE_DONE: Final = 1000
_CLOSE_REFUSED: Final = 1008
_CLOSE_FAILED: Final = 1011
_CLOSE_TRY_LATER: Final = 1013

_log = logging.getLogger(__name__)


def live_routes(application: Application) -> APIRouter:
    """Return the route of live sound.

    Browsers do not apply the rules for other requests to WebSockets; `OriginMiddleware` does.

    Args:
        application: What the gateway does.
    """
    router = APIRouter()

    async def hold_and_serve(socket: WebSocket, converse: _Converse) -> None:
        try:
            host = customer_of_host(socket.client.host if socket.client else "")
            client = f"{host} {session_of(socket).owner}"
            with application.live_connections.hold(client, host=host):
                await socket.accept()
                await _serve(socket, application, converse)
        except QueueFullError as error:
            if socket.application_state is WebSocketState.CONNECTING:
                await socket.send_denial_response(error_response(error))

    @router.websocket(f"{API}/live")
    async def live(socket: WebSocket) -> None:
        await hold_and_serve(socket, _converse)

    @router.websocket(f"{API}/live/images")
    async def live_images(socket: WebSocket) -> None:
        await hold_and_serve(socket, _converse_in_images)

    return router


async def _serve(socket: WebSocket, application: Application, converse: _Converse) -> None:
    """Serve an accepted connection, and close it with a reason."""
    code = _CLOSE_DONE
    try:
        await converse(socket, application)
    except WebSocketDisconnect:
        return
    except ChladniError as error:
        code = await _report(socket, error)
    except Exception as error:  # noqa: BLE001 - the connection is open; all that is left is to report the error
        _log.error("a live sound failed", exc_info=error)
        code = await _report(socket, internal_error())
    _log.info("live sound ended", extra={"close_code": code})
    with suppress(WebSocketDisconnect, RuntimeError):
        await socket.close(code)


async def _converse(socket: WebSocket, application: Application) -> None:
    limits = application.limits
    sample_rate_hz = parse_opening((await _receive(socket, _OPENING_SECONDS)).get("text"))
    chunks: asyncio.Queue[LiveChunk | None] = asyncio.Queue(_WAITING_CHUNKS)
    deadline = Deadline.after(limits.max_live_seconds + _ENDING_SECONDS)
    events = application.live_analyzer.stream(sample_rate_hz, _until_end(chunks), deadline)
    await _until_done(
        socket, chunks, _send_all(socket, events), deadline, max_seconds=limits.max_live_seconds
    )


async def _converse_in_images(socket: WebSocket, application: Application) -> None:
    opening = (await _receive(socket, _OPENING_SECONDS)).get("text")
    wanted = parse_image_opening(opening, caller=session_of(socket).owner)
    chunks: asyncio.Queue[LiveChunk | None] = asyncio.Queue(_WAITING_CHUNKS)
    deadline = Deadline.after(MAX_LIVE_IMAGE_SECONDS + _ENDING_SECONDS)
    events = application.live_images.stream(wanted, _audio_until_end(chunks), deadline)
    await _until_done(
        socket, chunks, _send_images(socket, events), deadline, max_seconds=MAX_LIVE_IMAGE_SECONDS
    )


async def _until_done(
    socket: WebSocket,
    chunks: asyncio.Queue[LiveChunk | None],
    sender: Coroutine[None, None, None],
    deadline: Deadline,
    *,
    max_seconds: float,
) -> None:
    """Receive sound and send what becomes of it, until one of the two is done."""
    receiving = asyncio.create_task(_receive_all(socket, chunks))
    sending = asyncio.create_task(sender)
    try:
        done, _ = await asyncio.wait(
            (receiving, sending), timeout=deadline.remaining_seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if not done:  # A client that reads nothing could keep its connection forever.
            raise _refused(
                f"a live sound may last {max_seconds:g} s, the limit.",
                reason=Reason.AUDIO_TOO_LONG,
                max_seconds=max_seconds,
            )
        (sending if sending.done() else receiving).result()
    finally:
        for task in (receiving, sending):
            task.cancel()
        await asyncio.gather(receiving, sending, return_exceptions=True)


async def _receive_all(socket: WebSocket, chunks: asyncio.Queue[LiveChunk | None]) -> None:
    """Receive the sound as it comes; end only with an error, for example when the client leaves."""
    while (chunk := parse_chunk(await _receive(socket, _IDLE_SECONDS))) is not None:
        await chunks.put(chunk)
    await chunks.put(None)
    await _receive(socket, _ENDING_SECONDS)
    raise _refused("the sound has ended; open another connection for another one.")


async def _send_all(socket: WebSocket, events: AsyncGenerator[LiveEvent, None]) -> None:
    with at_stage(Stage.AUDIO_FEATURES):
        async with aclosing(events):
            async for event in events:
                await socket.send_text(encode(event_message(event)))


async def _send_images(socket: WebSocket, events: AsyncGenerator[LiveImageEvent, None]) -> None:
    async with aclosing(events):
        async for event in events:
            await socket.send_text(encode(image_event_message(event)))
            if isinstance(event, LiveImage):
                await socket.send_bytes(event.content)


async def _audio_until_end(chunks: asyncio.Queue[LiveChunk | None]) -> AsyncGenerator[bytes, None]:
    async for chunk in _until_end(chunks):
        if isinstance(chunk, bytes):
            yield chunk


async def _until_end(chunks: asyncio.Queue[LiveChunk | None]) -> AsyncGenerator[LiveChunk, None]:
    while (chunk := await chunks.get()) is not None:
        yield chunk


async def _receive(socket: WebSocket, timeout_seconds: float) -> dict[str, Any]:
    """Return the next message.

    Raises:
        WebSocketDisconnect: The client left.
        InvalidInputError: Nothing came in time.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            message = await socket.receive()
    except TimeoutError:
        raise _refused(
            f"nothing came for {timeout_seconds:g} s, the limit.", maximum=timeout_seconds
        ) from None
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", _CLOSE_DONE))
    return dict(message)


async def _report(socket: WebSocket, error: ChladniError) -> int:
    """Send an error; return the code to close with."""
    with suppress(WebSocketDisconnect, RuntimeError):
        await socket.send_text(encode(error_message(error)))
    status = WIRE_STATUS[error.reason].http
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        return _CLOSE_TRY_LATER
    return _CLOSE_FAILED if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _CLOSE_REFUSED


def _refused(
    message: str, *, reason: Reason = Reason.INVALID_FIELD, **metadata: MetadataValue
) -> InvalidInputError:
    return InvalidInputError(
        reason, message, field="message", metadata={STAGE_KEY: Stage.VALIDATION.value, **metadata}
    )
