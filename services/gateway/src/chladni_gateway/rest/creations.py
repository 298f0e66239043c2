"""`POST /api/generate`: a recording goes in, a picture comes out."""

from __future__ import annotations

import base64
import time
from contextlib import aclosing
from dataclasses import asdict
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from chladni_gateway.collaborators import PreviewRequest
from chladni_gateway.events import Analyzed, Created, CreationEvent, Progressed, Queued, Started
from chladni_gateway.rest.callers import CALLER_PARAMETER, caller_of
from chladni_gateway.rest.disconnection import while_connected
from chladni_gateway.rest.event_stream import EventStreamResponse, ServerEvent, accepts_events
from chladni_gateway.rest.schemas import CreatedImage, to_created_image
from chladni_gateway.rest.upload_schema import UPLOAD_EXAMPLES, UPLOAD_SCHEMA
from chladni_gateway.rest.uploads import read_upload
from chladni_runtime.admission import Admission
from chladni_runtime.deadlines import Deadline
from chladni_runtime.errors import FaultError, Reason

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from chladni_gateway.pictures import Picture
    from chladni_gateway.workshop import Workshop

_DESCRIPTION = """Turns a recording into a picture.

With `Accept: text/event-stream` the answer is a stream of server-sent events: `analyzed`, `queued`,
`started`, `progress` (some with a `preview` as a data URL), and `created`, whose data is this call's usual
answer, or `error`. The data of each names its `stage`. Errors before the sound is analysed are ordinary
answers in both cases.
Closing the connection stops the work."""


def creation_routes(workshop: Workshop, *, previews: PreviewRequest) -> APIRouter:
    """Returns the routes of creation.

    Args:
        workshop: What the gateway does.
        previews: Previews of event streams.
    """
    router = APIRouter()
    limits = workshop.limits
    uploads = Admission(limits.max_concurrent_uploads, clock=time.monotonic)

    @router.post(
        "/api/generate",
        summary="Create a picture",
        description=_DESCRIPTION,
        response_model=CreatedImage,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"multipart/form-data": {"schema": UPLOAD_SCHEMA, "examples": UPLOAD_EXAMPLES}},
            },
            "parameters": [CALLER_PARAMETER],
        },
    )
    async def generate(request: Request) -> Response:
        caller = caller_of(request)
        is_stream = accepts_events(request.headers.get("accept", ""))
        with uploads.admit():
            upload = await read_upload(
                request,
                caller=caller,
                max_audio_bytes=limits.max_audio_bytes,
                timeout_seconds=limits.upload_timeout_seconds,
                previews=previews if is_stream else None,
            )
        deadline = Deadline.after(limits.creation_timeout_seconds)
        events = workshop.creator.create(upload, deadline)
        if not is_stream:
            created = await while_connected(request.receive, _last(events))
            return JSONResponse(to_created_image(created.record).model_dump(mode="json"))
        first = await while_connected(request.receive, _next(events))
        return EventStreamResponse(_server_events(first, events))

    return router


async def _next(events: AsyncGenerator[CreationEvent, None]) -> CreationEvent:
    return await anext(events)


async def _last(events: AsyncGenerator[CreationEvent, None]) -> Created:
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Created):
                return event
    raise FaultError(Reason.INTERNAL, "The creation ended without a picture.")


async def _server_events(
    first: CreationEvent, events: AsyncGenerator[CreationEvent, None]
) -> AsyncGenerator[ServerEvent, None]:
    async with aclosing(events):
        yield to_server_event(first)
        async for event in events:
            yield to_server_event(event)


def to_server_event(event: CreationEvent) -> ServerEvent:
    """Returns an event as the REST API sends it."""
    match event:
        case Analyzed():
            name, data = "analyzed", asdict(event)
        case Queued():
            name, data = "queued", asdict(event)
        case Started():
            name = "started"
            data = {
                "seed": event.seed,
                "total_steps": event.total_steps,
                "model": event.model,
                "guidance": event.guidance_scale,
            }
        case Progressed():
            name = "progress"
            data = {
                "step": event.step,
                "total_steps": event.total_steps,
                "elapsed_seconds": event.elapsed_seconds,
                "remaining_seconds": event.remaining_seconds,
                "preview": None if event.preview is None else _data_url(event.preview),
            }
        case Created():
            name, data = "created", to_created_image(event.record).model_dump(mode="json")
    return ServerEvent(name, {"stage": event.stage.value, **data})


def _data_url(picture: Picture) -> str:
    return f"data:{picture.media_type};base64,{base64.b64encode(picture.content).decode()}"
