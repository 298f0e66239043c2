"""Films of songs: a visualiser of the whole song, a loop without a seam, and a cover."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chladni_client.types.jobs import JobError


class FilmPart(StrEnum):
    """A part of a release kit."""

    VISUALIZER = "visualizer"
    """The film of the whole song, an MP4 with the sound."""
    LOOP = "loop"
    """The loop at 9:16, an MP4 with the sound."""
    COVER = "cover"
    """The cover, a square PNG."""

    @property
    def file_name(self) -> str:
        """Usual name of its file."""
        return f"{self.value}.png" if self is FilmPart.COVER else f"{self.value}.mp4"


class FilmState(StrEnum):
    """How far a film is."""

    UNKNOWN = "unknown"
    """A state that this client does not know."""
    QUEUED = "queued"
    """It waits for its turn."""
    RUNNING = "running"
    """The song is analysed, or frames are made."""
    COMPLETED = "completed"
    """All files are made. Final."""
    FAILED = "failed"
    """Something is missing or failed; `resume_film` tries again."""
    CANCELLED = "cancelled"
    """The caller stopped it; `resume_film` goes on."""

    @property
    def is_final(self) -> bool:
        """Whether nothing happens by itself any more."""
        return self in {FilmState.COMPLETED, FilmState.FAILED, FilmState.CANCELLED}


@dataclass(frozen=True, slots=True)
class FilmFile:
    """A file of a film.

    Attributes:
        part: Which part it is.
        size_bytes: Its size.
        sha256: SHA-256 of it, in hexadecimal.
        content_type: Its type, such as ``video/mp4``.
    """

    part: FilmPart
    size_bytes: int
    sha256: str
    content_type: str


@dataclass(frozen=True, slots=True)
class Film:
    """A film; what does not apply, or is not known, is `None` or empty.

    Attributes:
        film_id: Identifier.
        state: How far it is.
        display_name: Name of the song.
        created_at: When it was asked for.
        ended_at: When it ended.
        seed: Seed of its frames.
        progress: How much of the work is done, 0 to 1.
        remaining_seconds: Time that the rest will take.
        part: Part in progress.
        song_seconds: Length of the song.
        files: The files that are made.
        error: Why it failed.
    """

    film_id: str
    state: FilmState
    display_name: str
    created_at: datetime | None
    ended_at: datetime | None
    seed: int
    progress: float
    remaining_seconds: float | None
    part: FilmPart | None
    song_seconds: float | None
    files: tuple[FilmFile, ...]
    error: JobError | None
