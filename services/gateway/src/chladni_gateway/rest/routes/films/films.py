"""`/api/v1/films`: films of songs."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial
from http import HTTPStatus
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from chladni_contract.errors import InvalidInputError, Reason
from chladni_gateway.domain.films.options import FilmPart
from chladni_gateway.domain.images import parse_uuid
from chladni_gateway.domain.request import parse_request_id
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.rest.middleware.sessions import session_of
from chladni_gateway.rest.openapi import API, JOB_ID, event_stream_content, json_example
from chladni_gateway.rest.requests import caller_of
from chladni_gateway.rest.routes.films.bodies import (
    EXAMPLE,
    LIST_EXAMPLE,
    FilmBody,
    FilmForm,
    FilmList,
    to_film_body,
    to_film_limits,
)
from chladni_gateway.rest.routes.responses import OF_A_JOB, OF_A_SERVICE, OF_AN_UPLOAD, error_responses
from chladni_gateway.rest.sse import EventStreamResponse, ServerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from uuid import UUID

    from chladni_gateway.application import Application
    from chladni_gateway.film.index import Film
    from chladni_gateway.film.runner import FilmRunner
    from chladni_gateway.rest.forms.uploads import UploadReader

FILMS_PATH: Final = f"{API}/films"

FilmId = Annotated[
    str,
    Path(
        description="Identifier of a film of this session.",
        examples=[JOB_ID],
        json_schema_extra={"format": "uuid"},
    ),
]
PartName = Annotated[str, Path(description="Part of the film: visualizer, loop or cover.", examples=["loop"])]

_START: Final = """Starts a film of a song, and answers once the song has come: a visualiser of all of it,
a loop without a seam at 9:16, and a cover.

Send the file as the last field: what is wrong with the others is then told before it has come. The limits
of songs are with the list of films.

The work continues if the client leaves, and after a restart of the server. The film belongs to the session,
that is, to the cookie that the answer sets."""
_EVENTS: Final = """Follows a film by server-sent events: `film` whenever it has got on, at most one a second,
and a last time when it has ended; the data is that of `GET /api/v1/films/{film_id}`."""
_NO_STORE: Final = {"Cache-Control": "no-store"}


def film_routes(
    application: Application, *, uploads: UploadReader, draw_seed: Callable[[], int]
) -> APIRouter:
    """Return the routes of films.

    Args:
        application: What the gateway does.
        uploads: Reads songs.
        draw_seed: Gives the seed of a film that names none.
    """
    router = APIRouter()

    async def find(film_id: str, request: Request) -> Film:
        return await application.film_runner.find(_parse(film_id), owner=session_of(request).owner)

    @router.post(
        FILMS_PATH,
        status_code=HTTPStatus.ACCEPTED,
        summary="Start a film",
        operation_id="createFilm",
        description=_START,
        response_model=FilmBody,
        responses={
            202: {
                "description": "The film has started.",
                "content": json_example(EXAMPLE),
                "headers": {
                    "Location": {"description": "Address of the film.", "schema": {"type": "string"}}
                },
            },
            **error_responses(OF_AN_UPLOAD, OF_A_SERVICE),
        },
        openapi_extra={"requestBody": FilmForm.request_body()},
    )
    async def start(request: Request) -> Response:
        runner, owner = application.film_runner, session_of(request).owner
        check_before = partial(_check_new, runner, owner)
        async with uploads.hold(request, FilmForm, check_before=check_before) as (form, file):
            with at_stage(Stage.VALIDATION):
                options = form.to_options(seed=draw_seed())
                options.check()
                film = await runner.start(
                    file.path,
                    sha256=file.sha256,
                    owner=owner,
                    caller=caller_of(request),
                    options=options,
                    display_name=form.clip.name,
                    request_id=parse_request_id(form.request_id),
                )
        body = to_film_body(film)
        return JSONResponse(
            body.model_dump(mode="json"),
            status_code=HTTPStatus.ACCEPTED,
            headers={"Location": f"{FILMS_PATH}/{body.film_id}", **_NO_STORE},
        )

    @router.get(
        FILMS_PATH,
        summary="List films",
        operation_id="listFilms",
        responses={200: {"content": json_example(LIST_EXAMPLE)}, **error_responses(OF_A_JOB)},
    )
    async def films(request: Request, response: Response) -> FilmList:
        """List the films of this session, the newest first, and the limits of films."""
        response.headers.update(_NO_STORE)
        owned = await application.film_runner.list_owned(session_of(request).owner)
        return FilmList(
            films=[to_film_body(film) for film in owned],
            limits=to_film_limits(
                application.film_runner.limits, max_song_bytes=application.spool.limits.max_bytes
            ),
        )

    @router.get(
        f"{FILMS_PATH}/{{film_id}}",
        summary="Get a film",
        operation_id="getFilm",
        responses={200: {"content": json_example(EXAMPLE)}, **error_responses(OF_A_JOB)},
    )
    async def film(film_id: FilmId, request: Request, response: Response) -> FilmBody:
        """Return the state of a film of this session."""
        response.headers.update(_NO_STORE)
        return to_film_body(await find(film_id, request))

    @router.get(
        f"{FILMS_PATH}/{{film_id}}/events",
        summary="Follow a film",
        operation_id="watchFilm",
        description=_EVENTS,
        response_class=Response,
        responses={
            200: {"description": "The events.", "content": event_stream_content("film")},
            **error_responses(OF_A_JOB),
        },
    )
    async def events(film_id: FilmId, request: Request) -> Response:
        watched = application.film_runner.watch(await find(film_id, request))
        return EventStreamResponse(_server_events(watched))

    @router.post(
        f"{FILMS_PATH}/{{film_id}}/cancel",
        summary="Cancel a film",
        operation_id="cancelFilm",
        responses={200: {"content": json_example(EXAMPLE)}, **error_responses(OF_A_JOB)},
    )
    async def cancel(film_id: FilmId, request: Request, response: Response) -> FilmBody:
        """Stop a film, and answer once the work has stopped; it stays, as cancelled."""
        response.headers.update(_NO_STORE)
        owner = session_of(request).owner
        return to_film_body(await application.film_runner.cancel(_parse(film_id), owner=owner))

    @router.post(
        f"{FILMS_PATH}/{{film_id}}/resume",
        summary="Resume a film",
        operation_id="resumeFilm",
        responses={200: {"content": json_example(EXAMPLE)}, **error_responses(OF_A_JOB)},
    )
    async def resume(film_id: FilmId, request: Request, response: Response) -> FilmBody:
        """Go on with a film that was cancelled or has failed, from where it was."""
        response.headers.update(_NO_STORE)
        owner = session_of(request).owner
        return to_film_body(await application.film_runner.resume(_parse(film_id), owner=owner))

    @router.delete(
        f"{FILMS_PATH}/{{film_id}}",
        status_code=HTTPStatus.NO_CONTENT,
        summary="Remove a film",
        operation_id="deleteFilm",
        responses={204: {"description": "The film is removed."}, **error_responses(OF_A_JOB)},
    )
    async def delete(film_id: FilmId, request: Request) -> Response:
        """Remove a film and its files; stop it first if it is unfinished."""
        await application.film_runner.delete(_parse(film_id), owner=session_of(request).owner)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    @router.get(
        f"{FILMS_PATH}/{{film_id}}/files/{{part}}",
        summary="Download a file of a film",
        operation_id="downloadFilm",
        response_class=Response,
        responses={
            200: {"description": "The file.", "content": {"video/mp4": {}, "image/png": {}}},
            206: {"description": "The part of the file that the header Range asks for."},
            **error_responses(OF_A_JOB),
        },
    )
    async def download(film_id: FilmId, part: PartName, request: Request) -> Response:
        """Return a file of a film of this session, or the part of it that a header Range asks for."""
        found, chosen = await find(film_id, request), _part_of(part)
        path = application.film_runner.file(found, chosen)
        return FileResponse(
            path,
            media_type=chosen.content_type,
            filename=_file_name(found.record.display_name, chosen),
            content_disposition_type="inline",
            headers={"Cache-Control": "private, max-age=3600"},
        )

    return router


def _check_new(runner: FilmRunner, owner: str, form: FilmForm) -> None:
    form.to_options(seed=0).check()
    runner.check_new(owner, request_id=form.request_id)


async def _server_events(films: AsyncGenerator[Film, None]) -> AsyncGenerator[ServerEvent, None]:
    async with aclosing(films):
        async for film in films:
            data: dict[str, Any] = to_film_body(film).model_dump(mode="json")
            yield ServerEvent("film", data)


def _file_name(song: str, part: FilmPart) -> str:
    """Return the name under which browsers save a file: that of the song, if it has one, and the part."""
    stem = PurePath(song).stem
    return f"{stem}-{part.file_name}" if stem else part.file_name


def _parse(film_id: str) -> UUID:
    return parse_uuid(
        film_id, field="film_id", hint="send the identifier that the start of the film returned"
    )


def _part_of(name: str) -> FilmPart:
    if name not in set(FilmPart):
        raise InvalidInputError(
            Reason.INVALID_FIELD, f"part must be one of {', '.join(FilmPart)}.", field="part"
        )
    return FilmPart(name)
