"""`POST /api/v1/generate`: a recording goes in, an image comes out."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from chladni_contract.errors import FaultError, Reason
from chladni_gateway.domain.events import Created, CreationEvent
from chladni_gateway.rest.creation_events import to_server_event
from chladni_gateway.rest.openapi import API, CREATED_IMAGE, FIRST_API, event_stream_content, json_example
from chladni_gateway.rest.requests import (
    CALLER_PARAMETER,
    GenerationForm,
    api_of,
    read_creation_request,
    while_connected,
)
from chladni_gateway.rest.routes.responses import OF_A_CREATION, OF_AN_UPLOAD, error_responses
from chladni_gateway.rest.schemas import CreatedImage, to_created_image
from chladni_gateway.rest.sse import EventStreamResponse, ServerEvent, accepts_events
from chladni_runtime.execution.deadlines import Deadline

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from chladni_gateway.application import Application
    from chladni_gateway.domain.generation import PreviewRequest
    from chladni_gateway.rest.forms.uploads import UploadReader

_EVENT_NAMES: Final = (
    "accepted", "analyzed", "fell_back", "drafted", "queued", "started", "progress", "created", "error",
)  # fmt: skip
_DESCRIPTION: Final = """Turns a recording into an image.

Each recipe takes some of the fields from `prompt` to `refiner_start`; `GET /api/v1/recipes` lists them. A
field that the recipe does not take is an error.

With `Accept: text/event-stream` the answer is a stream of server-sent events: `accepted` (with the `seed`),
`analyzed`, `queued`, `started`, `progress` (some with a `preview` as a data URL), and `created`, whose data
is this call's usual answer, or `error`. `drafted` reports an image from which the next part of a recipe
starts (its `image` as a data URL, its `provenance` or null), and `fell_back` a fallback of the recipe
(`reason`, `fallback`). The data of each event names its `stage` and, if the recipe has several parts, its
`part`. Errors before the sound is analysed are ordinary answers in both cases.
Closing the connection stops the work; `POST /api/v1/jobs` starts work that continues without its client."""
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The image.",
        "content": {
            **json_example(CREATED_IMAGE),
            **event_stream_content(*_EVENT_NAMES),
        },
    },
    **error_responses(OF_AN_UPLOAD, OF_A_CREATION),
}


def generate_routes(
    application: Application, *, uploads: UploadReader, previews: PreviewRequest
) -> APIRouter:
    """Return the routes of creation.

    Args:
        application: What the gateway does.
        uploads: Reads recordings.
        previews: Previews of event streams.
    """
    router = APIRouter()

    @router.post(f"{FIRST_API}/generate", include_in_schema=False)
    @router.post(
        f"{API}/generate",
        summary="Create an image",
        operation_id="createImage",
        description=_DESCRIPTION,
        response_model=CreatedImage,
        responses=_RESPONSES,
        openapi_extra={"requestBody": GenerationForm.request_body(), "parameters": [CALLER_PARAMETER]},
    )
    async def generate(request: Request) -> Response:
        is_stream = accepts_events(request.headers.get("accept", ""))
        asked = await read_creation_request(request, uploads, previews=previews if is_stream else None)
        deadline = Deadline.after(application.limits.creation_timeout_seconds)
        events = application.creator.create(asked, deadline)
        if not is_stream:
            created = await while_connected(request.receive, _last(events))
            return JSONResponse(to_created_image(created.record, api=api_of(request)).model_dump(mode="json"))
        first = await while_connected(request.receive, _beginning(events))
        return EventStreamResponse(_server_events(first, events))

    return router


async def _beginning(events: AsyncGenerator[CreationEvent, None]) -> list[CreationEvent]:
    """Return the first two events: an error before the second one is an ordinary answer, with its status."""
    return [await anext(events), await anext(events)]


async def _last(events: AsyncGenerator[CreationEvent, None]) -> Created:
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Created):
                return event
    raise FaultError(Reason.INTERNAL, "The creation ended without an image.")


async def _server_events(
    first: Iterable[CreationEvent], events: AsyncGenerator[CreationEvent, None]
) -> AsyncGenerator[ServerEvent, None]:
    async with aclosing(events):
        for event in first:
            yield to_server_event(event)
        async for event in events:
            yield to_server_event(event)
