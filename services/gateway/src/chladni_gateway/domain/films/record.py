"""A film: how far it is, and what is made of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from chladni_gateway.domain.films.options import FilmOptions, FilmPart


class FilmState(StrEnum):
    """How far a film is."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing happens by itself any more."""
        return self not in {FilmState.QUEUED, FilmState.RUNNING}


@dataclass(frozen=True, slots=True)
class FilmError:
    """Why a film failed.

    Attributes:
        reason: Name of the reason.
        message: What is wrong, for people.
        metadata: Facts of the message.
    """

    reason: str
    message: str
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FilmFile:
    """A file of a film.

    Attributes:
        part: Which part it is.
        size_bytes: Its size.
        sha256: SHA-256 of it, in hexadecimal.
    """

    part: FilmPart
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmRecord:
    """A film, as its folder keeps it.

    Attributes:
        film_id: Identifier.
        owner: Whose film it is.
        caller: Who asked for it, for the fair share.
        options: How it is made.
        created_at: When it was asked for.
        display_name: Name of the song, for people.
        request_id: Identifier that the caller chose; `None` for none.
        song_sha256: SHA-256 of the song.
        state: How far it is.
        ended_at: When it ended.
        song_seconds: Length of the song, once it is known.
        files: The files that are made.
        error: Why it failed.
    """

    film_id: UUID
    owner: str
    caller: str
    options: FilmOptions
    created_at: datetime
    song_sha256: str
    display_name: str = ""
    request_id: UUID | None = None
    state: FilmState = FilmState.QUEUED
    ended_at: datetime | None = None
    song_seconds: float | None = None
    files: tuple[FilmFile, ...] = ()
    error: FilmError | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return fields | {
            "film_id": str(self.film_id),
            "options": self.options.to_json(),
            "created_at": self.created_at.isoformat(),
            "request_id": None if self.request_id is None else str(self.request_id),
            "ended_at": None if self.ended_at is None else self.ended_at.isoformat(),
            "files": [asdict(file) for file in self.files],
            "error": None if self.error is None else asdict(self.error),
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> FilmRecord:
        """Return the record that JSON holds.

        Raises:
            ValueError: It is no record, or one of another version.
        """
        try:
            return cls(
                **fields
                | {
                    "film_id": UUID(fields["film_id"]),
                    "options": FilmOptions.from_json(fields["options"]),
                    "created_at": datetime.fromisoformat(fields["created_at"]),
                    "request_id": UUID(fields["request_id"]) if fields["request_id"] else None,
                    "state": FilmState(fields["state"]),
                    "ended_at": datetime.fromisoformat(fields["ended_at"]) if fields["ended_at"] else None,
                    "files": tuple(
                        FilmFile(**file | {"part": FilmPart(file["part"])}) for file in fields["files"]
                    ),
                    "error": FilmError(**fields["error"]) if fields["error"] else None,
                }
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"the record of a film is damaged: {error}") from error


def ended(record: FilmRecord, state: FilmState, error: FilmError | None = None) -> FilmRecord:
    """Return a record of a film that has ended now."""
    return replace(record, state=state, error=error, ended_at=datetime.now(UTC))
