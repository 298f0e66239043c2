"""The films of all owners: started, worked on one after the other, stopped, resumed, and removed in time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, Protocol
from uuid import UUID, uuid4

from chladni_contract.errors import (
    ChladniError,
    InvalidInputError,
    NotFoundError,
    QueueFullError,
    Reason,
    UnavailableError,
)
from chladni_gateway.domain.films.options import FilmOptions, FilmPart
from chladni_gateway.domain.films.record import FilmError, FilmRecord, FilmState, ended
from chladni_gateway.film.index import Film, FilmIndex, Notes, Report, UnknownFilmError, learn
from chladni_gateway.film.store import FilmFolder, FilmStore
from chladni_runtime.background import repeating
from chladni_runtime.execution.cancellation import run_in_thread

_RETRY_AFTER_SECONDS: Final = 30.0
_SWEEP_SECONDS: Final = 60.0
_LOCK_SECONDS: Final = 15.0
_LOOK_SECONDS: Final = 1.0
"""Time after which the folder of a film is looked at, for what other gateways wrote there."""
_STOP_LOOK_SECONDS: Final = 0.1
_STOP_SECONDS: Final = 60.0

_log = logging.getLogger(__name__)


class Maker(Protocol):
    """Makes films."""

    async def make(self, folder: FilmFolder, record: FilmRecord, report: Report) -> FilmRecord:
        """Make what is missing of a film, and return its record with all of its files."""
        ...


@dataclass(frozen=True, slots=True)
class FilmLimits:
    """How many films there may be.

    Attributes:
        max_unfinished: Films of all owners that wait or are worked on, at all gateways of one folder.
        max_per_owner: Films of one owner that are kept.
        retention_seconds: Time after its end for which a film is kept.
    """

    max_unfinished: int = 16
    max_per_owner: int = 8
    retention_seconds: float = 86_400.0


class FilmRunner:
    """Works on films. One event loop owns it.

    Args:
        store: Keeps them.
        maker: Makes them.
        limits: Bounds.
    """

    def __init__(self, *, store: FilmStore, maker: Maker, limits: FilmLimits) -> None:
        self._store = store
        self._maker = maker
        self._limits = limits
        self._index = FilmIndex(store)
        self._waiting: asyncio.Queue[UUID] = asyncio.Queue()
        self._queued: set[UUID] = set()
        self._background = AsyncExitStack()
        self._working: asyncio.Task[None] | None = None
        self._current: tuple[UUID, asyncio.Task[None]] | None = None

    @property
    def unfinished_count(self) -> int:
        """Films that wait or are worked on, as far as was last seen."""
        return sum(not film.record.state.is_final for film in self._index)

    async def open(self) -> None:
        """Find the films that are kept, and go on with those that had not ended."""
        await asyncio.to_thread(self._store.remove_left_folders)
        await self._index.refresh()
        self._queue_unfinished()
        await self._background.enter_async_context(repeating(self._sweep, interval_seconds=_SWEEP_SECONDS))
        self._working = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Stop; a film in progress goes on when a gateway opens its folder."""
        await self._background.aclose()
        tasks = [task for task in (self._working, self._current and self._current[1]) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def limits(self) -> FilmLimits:
        """How many films there may be."""
        return self._limits

    def check_new(self, owner: str, *, request_id: str) -> None:
        """Require room for a film of which only the options are known, unless it may be one that is there.

        Args:
            owner: Whose film it is to be.
            request_id: The request's identifier, as far as it is known; empty for none.

        Raises:
            QueueFullError: As `check_room`.
        """
        if not (request_id or any(film.record.request_id for film in self._index.of_owner(owner))):
            self.check_room(owner)

    def check_room(self, owner: str) -> None:
        """Require that an owner may have one more film.

        Raises:
            QueueFullError: Too many are unfinished, or the owner has too many.
        """
        owned = len(self._index.of_owner(owner))
        for count, maximum in (
            (self.unfinished_count, self._limits.max_unfinished),
            (owned, self._limits.max_per_owner),
        ):
            if count >= maximum:
                raise QueueFullError(
                    f"There are {count} films already, the limit. Delete one, or try again later.",
                    retry_after_seconds=_RETRY_AFTER_SECONDS,
                    metadata={"count": count, "maximum": maximum},
                )

    async def start(
        self,
        song: Path,
        *,
        sha256: str,
        owner: str,
        caller: str,
        options: FilmOptions,
        display_name: str = "",
        request_id: UUID | None = None,
    ) -> Film:
        """Start a film, or find the one that an earlier try of the same request started; return it.

        Raises:
            InvalidInputError: The song is empty, or another film has the request's identifier.
            QueueFullError: There are too many.
            UnavailableError: The disk is full or fails.
        """
        if not (await asyncio.to_thread(song.stat)).st_size:
            raise InvalidInputError(
                Reason.EMPTY_AUDIO, "content is empty; send the bytes of a song.", field="content"
            )
        await self._index.refresh()
        if request_id is not None and (found := self._by_request(owner, request_id)):
            record = found.record
            if (record.song_sha256, replace(record.options, seed=options.seed)) != (sha256, options):
                raise InvalidInputError(
                    Reason.INVALID_FIELD,
                    "request_id is that of a film of another song or with other options; draw a new one.",
                    field="config.request_id",
                )
            return await self.resume(record.film_id, owner=owner)
        self.check_room(owner)
        record = FilmRecord(
            film_id=uuid4(),
            owner=owner,
            caller=caller,
            options=options,
            created_at=datetime.now(UTC),
            song_sha256=sha256,
            display_name=display_name,
            request_id=request_id,
        )
        film = Film(record, is_here=True)
        self._index.add(film)
        try:
            await run_in_thread(self._store.add, record, song)
        except BaseException as error:
            self._index.remove(record.film_id)
            await run_in_thread(self._store.folder(record.film_id).remove)
            if isinstance(error, OSError):
                raise UnavailableError(
                    Reason.STORAGE_UNAVAILABLE,
                    f"The server cannot keep the song: {error.strerror or error}. Try again later.",
                ) from error
            raise
        film.is_here = False
        self._queue(record.film_id)
        return film

    async def find(self, film_id: UUID, *, owner: str) -> Film:
        """Return a film of an owner, as its folder says if another gateway works on it.

        Raises:
            UnknownFilmError: The owner has no such film.
        """
        await self._index.look(film_id)
        film = self._index.get(film_id)
        if film is None or not owner or film.record.owner != owner:
            raise UnknownFilmError(film_id)
        return film

    async def list_owned(self, owner: str) -> list[Film]:
        """Return the films of an owner, likewise, the newest first."""
        await self._index.refresh()
        return self._index.of_owner(owner)

    async def watch(self, film: Film, *, interval_seconds: float = 1.0) -> AsyncGenerator[Film, None]:
        """Yield a film whenever it has got on, and a last time when it has ended."""
        while True:
            changed = film.has_changed
            is_last = film.record.state.is_final  # It may end while its state is on its way.
            yield film
            if is_last:
                return
            while not changed.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await changed.wait()
                if not film.is_here:
                    await self._index.look(film.record.film_id)
            if not film.record.state.is_final:
                await asyncio.sleep(interval_seconds)

    async def cancel(self, film_id: UUID, *, owner: str) -> Film:
        """Stop a film, and return it once the work has stopped; one that has ended is left as it is."""
        film = await self.find(film_id, owner=owner)
        if film.record.state.is_final:
            return film
        if film.is_here and self._current is not None and self._current[0] == film_id:
            task = self._current[1]
            self._index.keep(film, ended(film.record, FilmState.CANCELLED))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        else:
            await self._stop(film)
        return film

    async def resume(self, film_id: UUID, *, owner: str) -> Film:
        """Go on with a film that was cancelled or has failed; others are left as they are."""
        film = await self.find(film_id, owner=owner)
        if film.record.state in {FilmState.CANCELLED, FilmState.FAILED}:
            self._store.folder(film_id).forget_to_stop()
            self._index.keep(film, replace(film.record, state=FilmState.QUEUED, ended_at=None, error=None))
            self._queue(film_id)
        return film

    async def delete(self, film_id: UUID, *, owner: str) -> None:
        """Remove a film, stopping it first."""
        await self.cancel(film_id, owner=owner)
        self._index.remove(film_id)
        await asyncio.to_thread(self._store.folder(film_id).remove)

    def file(self, film: Film, part: FilmPart) -> Path:
        """Return where the file of a part is.

        Raises:
            NotFoundError: It is not made.
        """
        if all(file.part != part for file in film.record.files):
            raise NotFoundError(
                Reason.UNKNOWN_JOB,
                f"The film has no {part.value} yet. Wait until it is made.",
                metadata={"job_id": str(film.record.film_id)},
            )
        return self._store.folder(film.record.film_id).file(part)

    async def _stop(self, film: Film) -> None:
        """Stop a film on which nobody works, or another gateway.

        Raises:
            UnknownFilmError: It was removed meanwhile.
            UnavailableError: The other gateway takes too long, or the disk fails.
        """
        film_id = film.record.film_id
        folder = self._store.folder(film_id)
        try:
            folder.ask_to_stop()
            async with asyncio.timeout(_STOP_SECONDS):
                while not self._has_stopped(film, folder):  # noqa: ASYNC110 - it is another process that stops
                    await asyncio.sleep(_STOP_LOOK_SECONDS)
        except FileNotFoundError:
            self._index.remove(film_id)
            raise UnknownFilmError(film_id) from None
        except (OSError, ValueError, TimeoutError) as error:
            raise UnavailableError(
                Reason.STORAGE_UNAVAILABLE,
                "The film was asked to stop, and has not yet. Try again later.",
            ) from error

    def _has_stopped(self, film: Film, folder: FilmFolder) -> bool:
        """Return whether nobody works on a film, and note then that it is cancelled if it had not ended."""
        with folder.locked() as is_locked:
            if is_locked:
                learn(film, folder.read())
                if not film.record.state.is_final:
                    self._index.keep(film, ended(film.record, FilmState.CANCELLED))
                folder.forget_to_stop()
            return is_locked

    def _queue(self, film_id: UUID) -> None:
        if film_id not in self._queued:
            self._queued.add(film_id)
            self._waiting.put_nowait(film_id)

    def _queue_unfinished(self) -> None:
        """Queue the films of all gateways: whichever is free first locks one and makes it."""
        for film in sorted(self._index, key=lambda film: film.record.created_at):
            if not film.record.state.is_final and not film.is_here:
                self._queue(film.record.film_id)

    async def _work(self) -> None:
        while True:
            film_id = await self._waiting.get()
            self._queued.discard(film_id)
            film = self._index.get(film_id)
            if film is None or film.record.state.is_final:
                continue
            task = asyncio.create_task(self._make(film))
            self._current = (film_id, task)
            await asyncio.gather(task, return_exceptions=True)
            self._current = None

    async def _make(self, film: Film) -> None:
        folder = self._store.folder(film.record.film_id)
        try:
            with folder.locked() as is_locked:
                if not is_locked:  # Another gateway works on it; look again later, and at the next one now.
                    later = asyncio.get_running_loop().call_later
                    later(_LOCK_SECONDS, self._queue, film.record.film_id)
                    return
                film.is_here = True
                learn(film, await asyncio.to_thread(folder.read))
                if not film.record.state.is_final:
                    look = partial(self._look_for_stop, film, folder, asyncio.current_task())
                    async with repeating(look, interval_seconds=_LOOK_SECONDS):
                        await self._make_locked(film, folder)
        except Exception as error:  # noqa: BLE001 - the folder cannot be used, but those of others may be
            self._end(film, _failed(film.record, error))
        finally:
            film.is_here = False

    async def _make_locked(self, film: Film, folder: FilmFolder) -> None:
        """Make a film that nobody else works on, and keep how that ended."""
        try:
            self._index.keep(film, replace(film.record, state=FilmState.RUNNING))
            made = await self._maker.make(folder, film.record, Notes(film, folder))
            await run_in_thread(folder.remove_working_files)
            film.share, film.remaining_seconds = 1.0, None
            self._end(film, ended(made, FilmState.COMPLETED))
        except Exception as error:  # noqa: BLE001 - whatever failed, the next film must not suffer for it
            self._end(film, _failed(film.record, error))
        finally:
            folder.remove_partial_files()

    async def _look_for_stop(self, film: Film, folder: FilmFolder, making: asyncio.Task[None] | None) -> None:
        """Stop a film if another gateway was asked to stop or to remove it."""
        must_stop = await asyncio.to_thread(folder.must_stop)
        if must_stop and making is not None and not film.record.state.is_final:
            self._index.keep(film, ended(film.record, FilmState.CANCELLED))
            making.cancel()

    async def _sweep(self) -> None:
        oldest = datetime.now(UTC) - timedelta(seconds=self._limits.retention_seconds)
        await self._index.refresh()
        for film in self._index:
            if film.is_unkept:
                self._index.keep(film, film.record)
            if film.record.ended_at is not None and film.record.ended_at < oldest:
                self._index.remove(film.record.film_id)  # Its owner may have removed it meanwhile.
                await asyncio.to_thread(self._store.folder(film.record.film_id).remove)
        self._queue_unfinished()

    def _by_request(self, owner: str, request_id: UUID) -> Film | None:
        return next(
            (film for film in self._index.of_owner(owner) if film.record.request_id == request_id), None
        )

    def _end(self, film: Film, record: FilmRecord) -> None:
        """Keep how the work on a film ended, unless it was stopped meanwhile."""
        if not film.record.state.is_final:
            self._index.keep(film, record)


def _failed(record: FilmRecord, error: Exception) -> FilmRecord:
    """Return the record of a film that an error ended."""
    facts = {"film_id": str(record.film_id)}
    if isinstance(error, ChladniError):
        _log.warning("a film failed", exc_info=error, extra=facts)
        fault = FilmError(error.reason.value, error.message, dict(error.metadata))
    else:
        _log.error("a film failed", exc_info=error, extra=facts)
        fault = FilmError(Reason.INTERNAL.value, "The film failed unexpectedly.")
    if isinstance(error, OSError):
        fault = FilmError(
            Reason.STORAGE_UNAVAILABLE.value,
            f"The server cannot keep the film: {error.strerror or 'its disk fails'}. Resume it later.",
        )
    return ended(record, FilmState.FAILED, fault)
