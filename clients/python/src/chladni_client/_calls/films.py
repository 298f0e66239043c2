"""Films of songs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.duration_pb2 import Duration

from chladni.gateway.v1alpha1 import film_service_pb2 as film_pb2
from chladni.gateway.v1alpha1 import film_service_pb2_grpc as film_grpc
from chladni_client._calls.base import Calls
from chladni_client._messages.job_results import PARTS, to_film, to_film_limits
from chladni_client._transport.retries import Attempts
from chladni_client.errors import FaultError, TemporaryError
from chladni_client.types.jobs import FilmPart

if TYPE_CHECKING:
    from chladni_client.types.jobs import Film, FilmLimits

_PIECE_BYTES: Final = 512 * 1024
_UPLOAD_SECONDS: Final = 1800.0
_MAX_NAME_LENGTH: Final = 255


class FilmCalls(Calls):
    """The films of a session."""

    async def create_film(
        self,
        song: str | os.PathLike[str],
        *,
        width_pixels: int | None = None,
        height_pixels: int | None = None,
        frames_per_second: int | None = None,
        loop_seconds: float | None = None,
        look: str = "",
        seed: int | None = None,
        model: str = "",
        parts: Sequence[FilmPart | str] = (),
        request_id: str = "",
        timeout_seconds: float | None = None,
    ) -> Film:
        """Start a film of a song, and return it once the song is sent.

        Args:
            song: Path of the song, of 3 s to 10 minutes.
            width_pixels: Width of the visualiser, 256 to 1024, a multiple of 64; 512 if absent.
            height_pixels: Its height, likewise.
            frames_per_second: Its rate, 6 to 30; 12 if absent.
            loop_seconds: About how long the loop is, 3 to 8; 8 if absent.
            look: Look of all parts, as for `create_image`.
            seed: Seed of all frames; drawn by the server if absent.
            model: Model; the server's default if empty.
            parts: Parts to make; all if empty.
            request_id: Identifier for this request, a UUID: with the same one, an equal request gives the
                same film, and goes on with it if it had stopped.
            timeout_seconds: Time for the song to be sent; half an hour if absent.

        Raises:
            OSError: The song cannot be read.
        """
        options = film_pb2.FilmOptions(
            width_pixels=width_pixels,
            height_pixels=height_pixels,
            frames_per_second=frames_per_second,
            loop_duration=None if loop_seconds is None else _duration(loop_seconds),
            look=look,
            seed=seed,
            model=model,
            parts=[PARTS[FilmPart(part)] for part in parts],
        )
        config = film_pb2.FilmConfig(
            options=options, display_name=Path(song).stem[:_MAX_NAME_LENGTH], request_id=request_id
        )
        path = Path(song)
        await asyncio.to_thread(path.stat)
        seconds = _UPLOAD_SECONDS if timeout_seconds is None else timeout_seconds
        response = await self._gateway.call(self._film_stub.CreateFilm, _messages(config, path), seconds)
        return to_film(response.film)

    async def get_film(self, film_id: str, *, timeout_seconds: float | None = None) -> Film:
        """Return a film of this session.

        Args:
            film_id: Identifier from `Film.film_id`.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        request = film_pb2.GetFilmRequest(film_id=film_id)
        return to_film((await self._call(self._film_stub.GetFilm, request, timeout_seconds)).film)

    async def list_films(self, *, timeout_seconds: float | None = None) -> list[Film]:
        """Return the films of this session, the newest first.

        Args:
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        response = await self._call(self._film_stub.ListFilms, film_pb2.ListFilmsRequest(), timeout_seconds)
        return [to_film(film) for film in response.films]

    async def film_limits(self, *, timeout_seconds: float | None = None) -> FilmLimits | None:
        """Return what songs and films may be; `None` if the server does not say it.

        Args:
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.

        Raises:
            NotOfferedError: The server makes no films.
        """
        response = await self._call(self._film_stub.ListFilms, film_pb2.ListFilmsRequest(), timeout_seconds)
        return to_film_limits(response.limits) if response.HasField("limits") else None

    async def watch_film(
        self, film_id: str, *, timeout_seconds: float | None = None
    ) -> AsyncGenerator[Film, None]:
        """Yield a film whenever it has got on, and a last time when it has ended.

        A lost connection is opened again. Leaving the loop early does not stop the film.

        Args:
            film_id: Identifier from `Film.film_id`.
            timeout_seconds: Time for all of it; no limit if absent.
        """
        attempts = Attempts(self._retry_policy, timeout_seconds)
        while True:
            try:
                with self._gateway.calling() as metadata:
                    call: Any = self._film_stub.WatchFilm(
                        film_pb2.WatchFilmRequest(film_id=film_id),
                        timeout=attempts.remaining_seconds,
                        metadata=metadata,
                    )
                    try:
                        async for response in call:
                            if response.WhichOneof("event") == "film":
                                film = to_film(response.film)
                                attempts.number = 1
                                yield film
                                if film.state.is_final:
                                    return
                    finally:
                        call.cancel()  # does nothing to a call that has ended
            except TemporaryError as error:
                await attempts.wait_after(error)
            else:
                return

    async def cancel_film(self, film_id: str, *, timeout_seconds: float | None = None) -> Film:
        """Stop a film of this session, and return it once the work has stopped.

        Args:
            film_id: Identifier from `Film.film_id`.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        request = film_pb2.CancelFilmRequest(film_id=film_id)
        return to_film((await self._call(self._film_stub.CancelFilm, request, timeout_seconds)).film)

    async def resume_film(self, film_id: str, *, timeout_seconds: float | None = None) -> Film:
        """Go on with a film of this session that was cancelled or has failed.

        Args:
            film_id: Identifier from `Film.film_id`.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        request = film_pb2.ResumeFilmRequest(film_id=film_id)
        return to_film((await self._call(self._film_stub.ResumeFilm, request, timeout_seconds)).film)

    async def delete_film(self, film_id: str, *, timeout_seconds: float | None = None) -> None:
        """Remove a film of this session and its files, which stops it if it is unfinished.

        Args:
            film_id: Identifier from `Film.film_id`.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        request = film_pb2.DeleteFilmRequest(film_id=film_id)
        await self._call(self._film_stub.DeleteFilm, request, timeout_seconds)

    async def download_film(
        self,
        film_id: str,
        part: FilmPart | str,
        target: str | os.PathLike[str],
        *,
        timeout_seconds: float | None = None,
    ) -> Path:
        """Write a file of a film to a path, which appears when it is whole, and return the path.

        Args:
            film_id: Identifier from `Film.film_id`.
            part: Which file.
            target: Where it is written.
            timeout_seconds: Time for the file; `Timeouts.creation_seconds` for each part of it if absent.

        Raises:
            OSError: The file cannot be written.
        """
        attempts = Attempts(self._retry_policy, timeout_seconds)
        path = Path(target)
        partial = path.with_name(f".{path.name}.partial")
        try:
            with partial.open("wb") as file:
                while True:
                    try:
                        total = await self._fetch(film_id, FilmPart(part), file, attempts)
                    except TemporaryError as error:
                        await attempts.wait_after(error)
                    else:
                        break
                if file.tell() != total:
                    raise FaultError(
                        "The server sent another number of bytes than it said.", reason="INTERNAL"
                    )
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return path

    async def _fetch(self, film_id: str, part: FilmPart, file: Any, attempts: Attempts) -> int:
        """Write what follows of a file of a film, and return its size."""
        request = film_pb2.DownloadFilmRequest(film_id=film_id, part=PARTS[part], offset_bytes=file.tell())
        total = 0
        with self._gateway.calling() as metadata:
            call: Any = self._film_stub.DownloadFilm(
                request, timeout=attempts.remaining_seconds, metadata=metadata
            )
            try:
                async for response in call:
                    file.write(response.content)
                    total = response.total_bytes
            finally:
                call.cancel()  # does nothing to a call that has ended
        return total

    @property
    def _film_stub(self) -> film_grpc.FilmServiceAsyncStub:
        return film_grpc.FilmServiceStub(self._gateway.channel)


async def _messages(config: film_pb2.FilmConfig, path: Path) -> AsyncIterator[film_pb2.CreateFilmRequest]:
    yield film_pb2.CreateFilmRequest(config=config)
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
            yield film_pb2.CreateFilmRequest(content=piece)


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration
