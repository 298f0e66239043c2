"""The films of all owners: started, worked on one after the other, stopped, resumed, and removed in time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
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
from chladni_gateway.film.store import FilmFolder, FilmStore
from chladni_runtime.background import repeating
from chladni_runtime.execution.cancellation import run_in_thread

_RETRY_AFTER_SECONDS: Final = 30.0
_SWEEP_SECONDS: Final = 60.0
_LOCK_SECONDS: Final = 15.0

_log = logging.getLogger(__name__)


class Progress:
    """How much of a film is done, and when the rest will be.

    Attributes:
        share: How much of the work is done, 0 to 1.
        part: Part in progress; `None` before the first one.
    """

    def __init__(self) -> None:
        self.share = 0.0
        self.part: FilmPart | None = None
        self._started_at = time.monotonic()
        self._started_share: float | None = None

    def begin_here(self) -> None:
        """Leave what was done so far out of the estimate: it was made earlier."""
        self._started_share = None

    def move_to(self, share: float) -> None:
        """Note how much is done."""
        if self._started_share is None and share > 0:
            self._started_share, self._started_at = share, time.monotonic()
        self.share = min(1.0, max(self.share, share))

    @property
    def remaining_seconds(self) -> float | None:
        """Time that the rest will take, by what was done since this gateway began; `None` while unknown."""
        done = self.share - (self._started_share or 0.0)
        if self._started_share is None or done < 0.01:
            return None
        return (time.monotonic() - self._started_at) * (1.0 - self.share) / done


Report = Callable[[FilmRecord, Progress], None]


class Maker(Protocol):
    """Makes films."""

    async def make(self, folder: FilmFolder, record: FilmRecord, report: Report) -> FilmRecord:
        """Make what is missing of a film, and return its record with all of its files."""
        ...


@dataclass(frozen=True, slots=True)
class FilmLimits:
    """How many films there may be.

    Attributes:
        max_unfinished: Films of all owners that wait or are worked on.
        max_per_owner: Films of one owner that are kept.
        retention_seconds: Time after its end for which a film is kept.
    """

    max_unfinished: int = 16
    max_per_owner: int = 8
    retention_seconds: float = 86_400.0


@dataclass(eq=False)
class Film:
    """A film, as far as this gateway knows.

    Attributes:
        record: What its folder keeps.
        share: How much of the work is done, 0 to 1.
        part: Part in progress; `None` before the first one.
        remaining_seconds: Time that the rest will take; `None` while unknown.
    """

    record: FilmRecord
    share: float = 0.0
    part: FilmPart | None = None
    remaining_seconds: float | None = None
    has_changed: asyncio.Event = field(default_factory=asyncio.Event)

    def notify(self) -> None:
        """Wake those who watch."""
        self.has_changed.set()
        self.has_changed = asyncio.Event()


class UnknownFilmError(NotFoundError):
    """The owner has no such film."""

    def __init__(self, film_id: UUID) -> None:
        super().__init__(
            Reason.UNKNOWN_JOB,
            f"No film has the identifier {film_id}, or it has been removed. Start it again.",
            metadata={"job_id": str(film_id)},
        )


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
        self._films: dict[UUID, Film] = {}
        self._waiting: asyncio.Queue[UUID] = asyncio.Queue()
        self._background = AsyncExitStack()
        self._working: asyncio.Task[None] | None = None
        self._current: tuple[UUID, asyncio.Task[None]] | None = None

    @property
    def unfinished_count(self) -> int:
        """Films that wait or are worked on."""
        return sum(not film.record.state.is_final for film in self._films.values())

    async def open(self) -> None:
        """Find the films that are kept, and go on with those that had not ended."""
        await asyncio.to_thread(self._store.remove_left_folders)
        for record in await asyncio.to_thread(self._store.records):
            film = self._films[record.film_id] = Film(record)
            film.share = float(record.state is FilmState.COMPLETED)
            if not record.state.is_final:
                self._waiting.put_nowait(record.film_id)
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
        owned = (film.record for film in self._films.values() if film.record.owner == owner)
        if not (request_id or any(record.request_id for record in owned)):
            self.check_room(owner)

    def check_room(self, owner: str) -> None:
        """Require that an owner may have one more film.

        Raises:
            QueueFullError: Too many are unfinished, or the owner has too many.
        """
        owned = sum(film.record.owner == owner for film in self._films.values())
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
        film = self._films[record.film_id] = Film(record)
        try:
            await run_in_thread(self._store.add, record, song)
        except BaseException as error:
            self._films.pop(record.film_id, None)
            await run_in_thread(self._store.folder(record.film_id).remove)
            if isinstance(error, OSError):
                raise UnavailableError(
                    Reason.STORAGE_UNAVAILABLE,
                    f"The server cannot keep the song: {error.strerror or error}. Try again later.",
                ) from error
            raise
        self._waiting.put_nowait(record.film_id)
        return film

    def find(self, film_id: UUID, *, owner: str) -> Film:
        """Return a film of an owner.

        Raises:
            UnknownFilmError: The owner has no such film.
        """
        film = self._films.get(film_id)
        if film is None or not owner or film.record.owner != owner:
            raise UnknownFilmError(film_id)
        return film

    def list_owned(self, owner: str) -> list[Film]:
        """Return the films of an owner, the newest first."""
        owned = [film for film in self._films.values() if owner and film.record.owner == owner]
        return sorted(owned, key=lambda film: film.record.created_at, reverse=True)

    async def watch(self, film: Film, *, interval_seconds: float = 1.0) -> AsyncGenerator[Film, None]:
        """Yield a film whenever it has got on, and a last time when it has ended."""
        while True:
            changed = film.has_changed
            is_last = film.record.state.is_final  # It may end while its state is on its way.
            yield film
            if is_last:
                return
            await changed.wait()
            if not film.record.state.is_final:
                await asyncio.sleep(interval_seconds)

    async def cancel(self, film_id: UUID, *, owner: str) -> Film:
        """Stop a film, and return it once the work has stopped; one that has ended is left as it is."""
        film = self.find(film_id, owner=owner)
        if film.record.state.is_final:
            return film
        self._keep(film, ended(film.record, FilmState.CANCELLED))
        if self._current is not None and self._current[0] == film_id:
            task = self._current[1]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return film

    async def resume(self, film_id: UUID, *, owner: str) -> Film:
        """Go on with a film that was cancelled or has failed; others are left as they are."""
        film = self.find(film_id, owner=owner)
        if film.record.state in {FilmState.CANCELLED, FilmState.FAILED}:
            self._keep(film, replace(film.record, state=FilmState.QUEUED, ended_at=None, error=None))
            self._waiting.put_nowait(film_id)
        return film

    async def delete(self, film_id: UUID, *, owner: str) -> None:
        """Remove a film, stopping it first."""
        film = await self.cancel(film_id, owner=owner)
        self._films.pop(film_id, None)
        film.notify()
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

    async def _work(self) -> None:
        while True:
            film_id = await self._waiting.get()
            film = self._films.get(film_id)
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
                if not is_locked:  # Another gateway works on it; look again later.
                    await asyncio.sleep(_LOCK_SECONDS)
                self._learn(film, await asyncio.to_thread(folder.read_record))
                if is_locked and not film.record.state.is_final:
                    self._keep(film, replace(film.record, state=FilmState.RUNNING))
                    made = await self._maker.make(folder, film.record, lambda *found: _note(film, *found))
                    await run_in_thread(folder.remove_working_files)
                    film.share, film.remaining_seconds = 1.0, None
                    self._end(film, ended(made, FilmState.COMPLETED))
            if not film.record.state.is_final:
                self._waiting.put_nowait(film.record.film_id)
        except ChladniError as error:
            _log.warning("a film failed", exc_info=error, extra={"film_id": str(film.record.film_id)})
            self._end(film, ended(film.record, FilmState.FAILED, _to_film_error(error)))
        except OSError as error:
            _log.exception("a film failed", extra={"film_id": str(film.record.film_id)})
            fault = FilmError(
                Reason.STORAGE_UNAVAILABLE.value,
                f"The server cannot keep the film: {error.strerror or 'its disk fails'}. Resume it later.",
            )
            self._end(film, ended(film.record, FilmState.FAILED, fault))
        except Exception:  # noqa: BLE001 - whatever failed, the next film must not suffer for it
            _log.exception("a film failed", extra={"film_id": str(film.record.film_id)})
            fault = FilmError(Reason.INTERNAL.value, "The film failed unexpectedly.")
            self._end(film, ended(film.record, FilmState.FAILED, fault))

    async def _sweep(self) -> None:
        oldest = datetime.now(UTC) - timedelta(seconds=self._limits.retention_seconds)
        for film_id, film in list(self._films.items()):
            if film.record.ended_at is not None and film.record.ended_at < oldest:
                self._films.pop(film_id, None)  # Its owner may have removed it meanwhile.
                await asyncio.to_thread(self._store.folder(film_id).remove)

    def _by_request(self, owner: str, request_id: UUID) -> Film | None:
        return next(
            (
                film
                for film in self._films.values()
                if film.record.owner == owner and film.record.request_id == request_id
            ),
            None,
        )

    def _learn(self, film: Film, record: FilmRecord) -> None:
        """Take over what the folder says, which another gateway may have written."""
        if film.record != record:
            film.record = record
            film.share = 1.0 if record.state is FilmState.COMPLETED else film.share
            film.notify()

    def _end(self, film: Film, record: FilmRecord) -> None:
        """Keep how the work on a film ended, unless it was stopped meanwhile."""
        if not film.record.state.is_final:
            self._keep(film, record)

    def _keep(self, film: Film, record: FilmRecord) -> None:
        film.record = record
        try:
            self._store.folder(record.film_id).write_record(record)
        except FileNotFoundError:  # The film is being removed.
            pass
        except OSError:
            _log.exception("the state of a film cannot be kept", extra={"film_id": str(record.film_id)})
        film.notify()


def _note(film: Film, record: FilmRecord, progress: Progress) -> None:
    if film.record.state is FilmState.RUNNING:
        film.record = replace(record, state=FilmState.RUNNING)
    film.share, film.part = progress.share, progress.part
    film.remaining_seconds = progress.remaining_seconds
    film.notify()


def _to_film_error(error: ChladniError) -> FilmError:
    return FilmError(error.reason.value, error.message, dict(error.metadata))
