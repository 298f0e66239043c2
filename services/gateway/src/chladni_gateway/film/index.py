"""The films that a gateway knows: how far each is, as it and those that share its folder have left them."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

from chladni_contract.errors import NotFoundError, Reason
from chladni_gateway.domain.films.options import FilmPart
from chladni_gateway.domain.films.record import FilmRecord, FilmState, ended
from chladni_gateway.film.store import FilmFolder, FilmStore, KeptFilm

_NOTE_SECONDS: Final = 1.0

_log: Final = logging.getLogger(__name__)


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


@dataclass(eq=False)
class Film:
    """A film, as far as this gateway knows.

    Attributes:
        record: What its folder keeps.
        share: How much of the work is done, 0 to 1.
        part: Part in progress; `None` before the first one.
        remaining_seconds: Time that the rest will take; `None` while unknown.
        is_here: Whether it is worked on here, so that nobody else writes its folder.
        is_unkept: Whether its folder lacks the record, as the disk failed.
    """

    record: FilmRecord
    share: float = 0.0
    part: FilmPart | None = None
    remaining_seconds: float | None = None
    is_here: bool = False
    is_unkept: bool = False
    has_changed: asyncio.Event = field(default_factory=asyncio.Event)

    def notify(self) -> None:
        """Wake those who watch."""
        self.has_changed.set()
        self.has_changed = asyncio.Event()


class Notes:
    """Takes note of how far a film is, and writes it down now and then for other gateways.

    Args:
        film: The film.
        folder: Its folder.
    """

    def __init__(self, film: Film, folder: FilmFolder) -> None:
        self._film = film
        self._folder = folder
        self._written_at = -math.inf

    def __call__(self, record: FilmRecord, progress: Progress) -> None:
        """Take note of a record and of how much is done."""
        film = self._film
        if film.record.state is FilmState.RUNNING:
            film.record = replace(record, state=FilmState.RUNNING)
        film.share, film.part = progress.share, progress.part
        film.remaining_seconds = progress.remaining_seconds
        if time.monotonic() - self._written_at >= _NOTE_SECONDS:
            self._written_at = time.monotonic()
            self._folder.write_progress(
                share=film.share, part=film.part, remaining_seconds=film.remaining_seconds
            )
        film.notify()


class UnknownFilmError(NotFoundError):
    """The owner has no such film."""

    def __init__(self, film_id: UUID) -> None:
        super().__init__(
            Reason.UNKNOWN_JOB,
            f"No film has the identifier {film_id}, or it has been removed. Start it again.",
            metadata={"job_id": str(film_id)},
        )


class FilmIndex:
    """Films by their identifiers. One event loop owns it.

    Args:
        store: Keeps them, for every gateway that shares the folder.
    """

    def __init__(self, store: FilmStore) -> None:
        self._store = store
        self._films: dict[UUID, Film] = {}

    def __iter__(self) -> Iterator[Film]:
        return iter(list(self._films.values()))

    def get(self, film_id: UUID) -> Film | None:
        """Return a film; `None` if it is not known."""
        return self._films.get(film_id)

    def of_owner(self, owner: str) -> list[Film]:
        """Return the films of an owner, the newest first."""
        owned = (film for film in self._films.values() if owner and film.record.owner == owner)
        return sorted(owned, key=lambda film: film.record.created_at, reverse=True)

    def add(self, film: Film) -> None:
        """Add a film."""
        self._films[film.record.film_id] = film

    def remove(self, film_id: UUID) -> None:
        """Remove a film; unknown ones are ignored."""
        film = self._films.pop(film_id, None)
        if film is not None:
            if not film.record.state.is_final:
                film.record = ended(film.record, FilmState.CANCELLED)
            film.notify()

    def keep(self, film: Film, record: FilmRecord) -> None:
        """Take over what is known of a film, and write it down."""
        film.record = record
        film.is_unkept = False
        try:
            self._store.folder(record.film_id).write_record(record)
        except FileNotFoundError:  # The film is being removed.
            pass
        except OSError:
            film.is_unkept = True
            _log.exception("the state of a film cannot be kept", extra={"film_id": str(record.film_id)})
        film.notify()

    async def refresh(self) -> None:
        """Look at all folders: what other gateways started, made, stopped and removed."""
        before = self._known()
        kept = await asyncio.to_thread(self._store.films)
        found = {film.record.film_id: film for film in kept}
        gone = [film_id for film_id in before if film_id not in found]
        for film_id in await asyncio.to_thread(self._store.missing, gone):
            self._learn(film_id, None, before)
        for film_id, seen in found.items():
            self._learn(film_id, seen, before)

    async def look(self, film_id: UUID) -> None:
        """Look at the folder of one film, likewise."""
        before = self._known()
        try:
            kept = await asyncio.to_thread(self._store.film, film_id)
        except (OSError, ValueError):  # The disk fails, or the record is damaged: what is known stays.
            return
        self._learn(film_id, kept, before)

    def _known(self) -> dict[UUID, FilmRecord]:
        """Return what is known of the films of which the folders may know more."""
        films = self._films.items()
        return {film_id: film.record for film_id, film in films if not (film.is_here or film.is_unkept)}

    def _learn(self, film_id: UUID, kept: KeptFilm | None, before: dict[UUID, FilmRecord]) -> None:
        """Take over what a folder said, unless more became known here while it was read."""
        film = self._films.get(film_id)
        if film is None:
            if kept is not None and film_id not in before:
                self.add(Film(kept.record))
                self._learn(film_id, kept, {film_id: kept.record})
        elif film.is_here or film.is_unkept or film.record is not before.get(film_id):
            return
        elif kept is None:
            self.remove(film_id)
        else:
            learn(film, kept)


def learn(film: Film, kept: KeptFilm) -> None:
    """Take over what the folder of a film says, which another gateway may have written."""
    share = 1.0 if kept.record.state is FilmState.COMPLETED else kept.share
    seen = (kept.record, share, kept.part, kept.remaining_seconds)
    if seen != (film.record, film.share, film.part, film.remaining_seconds):
        film.record, film.share, film.part, film.remaining_seconds = seen
        film.notify()
