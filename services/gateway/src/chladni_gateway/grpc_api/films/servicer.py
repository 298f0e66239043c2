"""`chladni.gateway.v1alpha1.FilmService`."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from chladni.gateway.v1alpha1 import film_service_pb2 as film_pb2
from chladni.gateway.v1alpha1 import film_service_pb2_grpc as film_grpc
from chladni.generation.v1 import generation_pb2
from chladni_contract.errors import InvalidInputError, Reason
from chladni_gateway.domain.films.options import FilmPart
from chladni_gateway.domain.images import parse_uuid
from chladni_gateway.domain.request import parse_request_id
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.grpc_api.callers.sessions import caller_of, creating_session_of_call, session_of_call
from chladni_gateway.grpc_api.films.messages import (
    PARTS,
    to_film_limits_message,
    to_film_message,
    to_film_options,
)
from chladni_gateway.grpc_api.uploads import file_pieces
from chladni_runtime.execution.heartbeats import with_heartbeats
from chladni_runtime.server.validation import RequestValidator, read_first
from chladni_runtime.spool import draining

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import grpc

    from chladni_gateway.application import Application
    from chladni_gateway.film.index import Film
    from chladni_gateway.film.runner import FilmRunner

_MAX_NAME_LENGTH: Final = 255
_PART_BYTES: Final = 256 * 1024


class FilmServicer(film_grpc.FilmServiceServicer):
    """Offers films over gRPC.

    Args:
        application: What the gateway does.
        draw_seed: Gives the seed of a film that names none.
    """

    def __init__(self, application: Application, *, draw_seed: Callable[[], int]) -> None:
        self._application = application
        self._draw_seed = draw_seed

    @property
    def _runner(self) -> FilmRunner:
        return self._application.film_runner

    async def CreateFilm(
        self,
        request_iterator: AsyncIterator[film_pb2.CreateFilmRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> film_pb2.CreateFilmResponse:
        """Start a film of a song that comes in pieces."""
        with at_stage(Stage.VALIDATION):
            session = creating_session_of_call(context, self._application.tokens)
            async with draining(request_iterator):
                config: film_pb2.FilmConfig = read_first(await anext(request_iterator, None), field="config")
                options = to_film_options(config.options, draw_seed=self._draw_seed)
                request_id = parse_request_id(config.request_id)
                validator = RequestValidator()
                validator.check_length("config.display_name", config.display_name, maximum=_MAX_NAME_LENGTH)
                validator.raise_if_invalid()
                options.check()
                if request_id is None:
                    self._runner.check_room(session.owner)
                async with self._application.spool.hold(field="content") as file:
                    async for piece in file_pieces(request_iterator):
                        await file.write(piece)
                    await file.flush()
                    film = await self._runner.start(
                        file.path,
                        sha256=file.sha256,
                        owner=session.owner,
                        caller=caller_of(context),
                        options=options,
                        display_name=config.display_name,
                        request_id=request_id,
                    )
        return film_pb2.CreateFilmResponse(film=to_film_message(film), session_token=session.new_token)

    async def GetFilm(
        self, request: film_pb2.GetFilmRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> film_pb2.GetFilmResponse:
        """Return a film of the caller."""
        return film_pb2.GetFilmResponse(film=to_film_message(await self._find(request.film_id, context)))

    async def ListFilms(
        self, _request: film_pb2.ListFilmsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> film_pb2.ListFilmsResponse:
        """List the caller's films, the newest first, and the limits of films."""
        runner = self._runner
        films = await runner.list_owned(session_of_call(context).owner)
        max_song_bytes = self._application.spool.limits.max_bytes
        return film_pb2.ListFilmsResponse(
            films=map(to_film_message, films),
            limits=to_film_limits_message(runner.limits, max_song_bytes=max_song_bytes),
        )

    async def WatchFilm(
        self, request: film_pb2.WatchFilmRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[film_pb2.WatchFilmResponse]:
        """Yield a film of the caller as it gets on."""
        watching = self._runner.watch(await self._find(request.film_id, context))
        following = with_heartbeats(watching, self._application.limits.heartbeat_seconds)
        async with aclosing(following) as films:
            async for film in films:
                if film is None:
                    yield film_pb2.WatchFilmResponse(heartbeat=generation_pb2.Heartbeat())
                else:
                    yield film_pb2.WatchFilmResponse(film=to_film_message(film))

    async def CancelFilm(
        self, request: film_pb2.CancelFilmRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> film_pb2.CancelFilmResponse:
        """Stop a film of the caller."""
        owner = session_of_call(context).owner
        film = await self._runner.cancel(parse_film_id(request.film_id), owner=owner)
        return film_pb2.CancelFilmResponse(film=to_film_message(film))

    async def ResumeFilm(
        self, request: film_pb2.ResumeFilmRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> film_pb2.ResumeFilmResponse:
        """Go on with a film of the caller."""
        owner = session_of_call(context).owner
        film = await self._runner.resume(parse_film_id(request.film_id), owner=owner)
        return film_pb2.ResumeFilmResponse(film=to_film_message(film))

    async def DeleteFilm(
        self, request: film_pb2.DeleteFilmRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> film_pb2.DeleteFilmResponse:
        """Remove a film of the caller."""
        await self._runner.delete(parse_film_id(request.film_id), owner=session_of_call(context).owner)
        return film_pb2.DeleteFilmResponse()

    async def DownloadFilm(
        self, request: film_pb2.DownloadFilmRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[film_pb2.DownloadFilmResponse]:
        """Yield a file of a film of the caller in parts, at least one."""
        film = await self._find(request.film_id, context)
        part = _part_of(request.part)
        with at_stage(Stage.STORAGE):
            path = self._runner.file(film, part)
            total = path.stat().st_size
        validator = RequestValidator()
        validator.check_range("offset_bytes", request.offset_bytes, minimum=0, maximum=total, unit="bytes")
        validator.raise_if_invalid()
        with path.open("rb") as file:
            file.seek(request.offset_bytes)
            while True:
                content = await asyncio.to_thread(file.read, _PART_BYTES)
                yield film_pb2.DownloadFilmResponse(content=content, total_bytes=total)
                if len(content) < _PART_BYTES:
                    return

    async def _find(self, film_id: str, context: grpc.aio.ServicerContext[Any, Any]) -> Film:
        return await self._runner.find(parse_film_id(film_id), owner=session_of_call(context).owner)


def parse_film_id(text: str) -> UUID:
    """Return the identifier of a film that a caller wrote.

    Raises:
        InvalidInputError: It is not a UUID.
    """
    return parse_uuid(text, field="film_id", hint="send the identifier that the start of the film returned")


def _part_of(part: film_pb2.FilmPart) -> FilmPart:
    found = next((one for one, message in PARTS.items() if message == part), None)
    if found is None:
        raise InvalidInputError(
            Reason.MISSING_FIELD, "part is missing; say which file of the film is meant.", field="part"
        )
    return found
