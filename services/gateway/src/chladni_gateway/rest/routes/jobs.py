"""`/api/v1/jobs`: the creation of images that continues without its client."""

from __future__ import annotations

from contextlib import aclosing
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import WithJsonSchema

from chladni_contract.errors import NotFoundError, Reason, UnavailableError
from chladni_gateway.creation.job import parse_job_id
from chladni_gateway.creation.job_runner import page_of
from chladni_gateway.domain.request import DEFAULT_PAGE_SIZE
from chladni_gateway.rest.creation_events import to_job_server_event
from chladni_gateway.rest.errors import error_detail
from chladni_gateway.rest.middleware.sessions import session_of
from chladni_gateway.rest.openapi import API, JOB, JOB_ID, event_stream_content, json_example
from chladni_gateway.rest.requests import (
    CALLER_PARAMETER,
    JobForm,
    PageSize,
    PageToken,
    caller_of,
    read_job_request,
)
from chladni_gateway.rest.routes.responses import (
    OF_A_JOB,
    OF_A_REQUEST,
    OF_AN_UPLOAD,
    error_responses,
)
from chladni_gateway.rest.schemas import JobBody, JobList, to_created_image
from chladni_gateway.rest.sse import EventStreamResponse, ServerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from chladni_gateway.application import Application
    from chladni_gateway.creation.job import Job, NumberedEvent
    from chladni_gateway.domain.generation import PreviewRequest
    from chladni_gateway.rest.forms.uploads import UploadReader

JobId = Annotated[
    str,
    Path(
        description="Identifier of a job of this session.",
        examples=[JOB_ID],
        json_schema_extra={"format": "uuid"},
    ),
]
_MAX_EVENT_NUMBER: Final = 2**31 - 1
LastEventId = Annotated[
    int | None,
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": _MAX_EVENT_NUMBER}),
    Header(alias="Last-Event-ID", ge=0, le=_MAX_EVENT_NUMBER, description="Number of the last event seen."),
]
LastEventIdQuery = Annotated[
    int,
    Query(ge=0, le=_MAX_EVENT_NUMBER, description="The same, for clients that cannot send the header."),
]

_EVENT_NAMES: Final = (
    "accepted", "analyzed", "fell_back", "drafted", "queued", "started", "progress", "created", "failed",
    "cancelled",
)  # fmt: skip
_START: Final = """Starts a job that turns a recording into an image, and answers at once.

The work continues if the client leaves. The job belongs to the session, that is, to the cookie that the
answer sets: send it to follow the job. The number of unfinished jobs is limited; finished ones are kept
for an hour, their images as long as others."""
_EVENTS: Final = """Follows a job by server-sent events, from its first event on.

Events have numbers. After a broken connection, send the last number in the header `Last-Event-ID`, as
browsers do, or as `last_event_id`: the answer continues with the next event. `accepted`, `analyzed`,
`fell_back`, `drafted`, `queued`, `started`, `progress`, and at the end one of `created`, `failed`,
`cancelled`; the data is that of `POST /api/v1/generate`. Only the newest preview is kept, and drafts only
while the job runs. If no event is left, the answer is 204, by which browsers know not to connect again."""
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    202: {
        "description": "The job has started.",
        "content": json_example(JOB),
        "headers": {"Location": {"description": "Address of the job.", "schema": {"type": "string"}}},
    },
    **error_responses(OF_AN_UPLOAD, OF_A_REQUEST),
}


def job_routes(application: Application, *, uploads: UploadReader, previews: PreviewRequest) -> APIRouter:
    """Return the routes of jobs.

    Args:
        application: What the gateway does.
        uploads: Reads recordings.
        previews: Previews of event streams.
    """
    router = APIRouter()
    job_runner = application.job_runner

    async def find(job_id: str, request: Request) -> Job:
        return await job_runner.find(parse_job_id(job_id), owner=session_of(request).owner)

    @router.post(
        f"{API}/jobs",
        status_code=HTTPStatus.ACCEPTED,
        summary="Start a job",
        operation_id="createJob",
        description=_START,
        response_model=JobBody,
        responses=_RESPONSES,
        openapi_extra={"requestBody": JobForm.request_body(), "parameters": [CALLER_PARAMETER]},
    )
    async def start(request: Request) -> Response:
        # Who may not start one need not send its recording.
        await job_runner.check_room(session_of(request).owner, caller=caller_of(request))
        body = _to_job_body(
            await job_runner.start(await read_job_request(request, uploads, previews=previews))
        )
        return JSONResponse(
            body.model_dump(mode="json"),
            status_code=HTTPStatus.ACCEPTED,
            headers={"Location": f"{API}/jobs/{body.job_id}", "Cache-Control": "no-store"},
        )

    @router.get(
        f"{API}/jobs",
        summary="List jobs",
        operation_id="listJobs",
        responses={
            200: {"content": json_example({"jobs": [JOB], "next_page_token": ""})},
            **error_responses(OF_A_JOB),
        },
    )
    async def list_jobs(
        request: Request,
        response: Response,
        page_size: PageSize = DEFAULT_PAGE_SIZE,
        page_token: PageToken = "",
    ) -> JobList:
        """List the jobs of this session, the newest first: unfinished ones, and those of the last hour."""
        response.headers["Cache-Control"] = "no-store"
        jobs = await job_runner.list_owned(session_of(request).owner)
        listed, next_page_token = page_of(jobs, size=page_size, token=page_token)
        return JobList(jobs=[_to_job_body(job) for job in listed], next_page_token=next_page_token)

    @router.get(
        f"{API}/jobs/{{job_id}}",
        summary="Get a job",
        operation_id="getJob",
        responses={200: {"content": json_example(JOB)}, **error_responses(OF_A_JOB)},
    )
    async def job(job_id: JobId, request: Request, response: Response) -> JobBody:
        """Return the state of a job of this session."""
        response.headers["Cache-Control"] = "no-store"
        return _to_job_body(await find(job_id, request))

    @router.delete(
        f"{API}/jobs/{{job_id}}",
        status_code=HTTPStatus.NO_CONTENT,
        summary="Remove a job",
        operation_id="deleteJob",
        responses={204: {"description": "The job is removed."}, **error_responses(OF_A_JOB)},
    )
    async def delete(job_id: JobId, request: Request) -> None:
        """Remove a job; stop it first if it is unfinished. An image that it made stays."""
        job = await find(job_id, request)
        await job_runner.cancel(job.job_id, owner=job.owner)
        await job_runner.remove(job.job_id, owner=job.owner)

    @router.post(
        f"{API}/jobs/{{job_id}}/cancel",
        summary="Stop a job",
        operation_id="cancelJob",
        responses={200: {"content": json_example(JOB)}, **error_responses(OF_A_JOB, {Reason.RATE_LIMITED})},
    )
    async def cancel(job_id: JobId, request: Request, response: Response) -> JobBody:
        """Stop an unfinished job, and answer once the work has stopped; the job stays, as cancelled.

        A finished job is left as it is.
        """
        response.headers["Cache-Control"] = "no-store"
        job = await find(job_id, request)
        await job_runner.cancel(job.job_id, owner=job.owner)
        return _to_job_body(job)

    @router.get(
        f"{API}/jobs/{{job_id}}/events",
        summary="Follow a job",
        operation_id="watchJob",
        description=_EVENTS,
        response_class=Response,
        responses={
            200: {"description": "The events.", "content": event_stream_content(*_EVENT_NAMES)},
            204: {"description": "The job has ended, and the client has seen all of its events."},
            **error_responses(OF_A_JOB, {Reason.QUEUE_FULL}),
        },
    )
    async def events(
        job_id: JobId,
        request: Request,
        last_event_id_header: LastEventId = None,
        last_event_id: LastEventIdQuery = 0,
    ) -> Response:
        followed = await find(job_id, request)
        after = last_event_id if last_event_id_header is None else last_event_id_header
        if followed.has_told_all(after):
            return Response(status_code=HTTPStatus.NO_CONTENT, headers={"Cache-Control": "no-store"})
        return EventStreamResponse(_server_events(followed, followed.follow(after=after)))

    return router


def _to_job_body(job: Job) -> JobBody:
    """Return the body that describes a job."""
    status = job.status
    return JobBody(
        job_id=job.job_id,
        state=status.state,
        stage=status.stage,
        display_name=job.file_name,
        create_time=job.created_at,
        end_time=job.finished_at,
        position=status.position,
        step=status.step,
        total_steps=status.total_steps,
        elapsed_seconds=status.elapsed_seconds,
        remaining_seconds=status.remaining_seconds,
        part=status.part,
        fallback_reason=status.fallback,
        image=None if status.record is None else to_created_image(status.record),
        error=None if status.error is None else error_detail(status.error, at=job.finished_at),
        events_url=f"{API}/jobs/{job.job_id}/events",
    )


async def _server_events(
    job: Job, events: AsyncGenerator[NumberedEvent, None]
) -> AsyncGenerator[ServerEvent, None]:
    async with aclosing(events):
        try:
            async for numbered in events:
                yield to_job_server_event(numbered, finished_at=job.finished_at)
        except (UnavailableError, NotFoundError):
            return  # The service stops, or the job is removed. The client connects again and learns which.
