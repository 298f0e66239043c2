"""Jobs: creations that go on without the program that started them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from chladni_client.types.events import CreationEvent, ImageCreated
from chladni_client.types.images import Image


class JobState(StrEnum):
    """How far a job is."""

    UNKNOWN = "unknown"
    """A state that this client does not know."""
    ANALYZING = "analyzing"
    """The audio is analysed."""
    QUEUED = "queued"
    """It waits for a model."""
    RUNNING = "running"
    """The image is generated."""
    COMPLETED = "completed"
    """The image is made. Final."""
    FAILED = "failed"
    """There will be no image. Final."""
    CANCELLED = "cancelled"
    """The caller, or the end of the server, stopped it. Final."""


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job failed.

    Attributes:
        reason: Stable name: one of `chladni.errors.v1.ErrorReason` without its prefix.
        message: What is wrong and what to do, for people.
        metadata: Facts of the message for programs.
        grpc_code: Number of the gRPC status code that a call would have failed with.
    """

    reason: str
    message: str
    metadata: Mapping[str, str]
    grpc_code: int


@dataclass(frozen=True, slots=True)
class Job:
    """The creation of an image that goes on without its caller. What does not apply is `None` or empty.

    Attributes:
        job_id: Identifier.
        state: How far it is.
        stage: Stage in progress, or the one that it ended in, such as ``image_generation``.
        part: Part of the recipe in progress, or that it ended in; empty if the recipe has one part.
        display_name: Name of the audio for people.
        created_at: When it was created.
        ended_at: When it ended.
        position: Requests that the model serves first, while it is queued.
        step: Denoising steps done.
        total_steps: Denoising steps in all.
        elapsed_seconds: Time since denoising started.
        remaining_seconds: Time that denoising is expected to take from now.
        fallback_reason: Why the recipe used its fallback; empty if it did not.
        image: The image, of a completed job; `get_image` returns its file.
        error: Why there is none, of a failed job.
    """

    job_id: str
    state: JobState
    stage: str
    part: str
    display_name: str
    created_at: datetime | None
    ended_at: datetime | None
    position: int | None
    step: int | None
    total_steps: int | None
    elapsed_seconds: float | None
    remaining_seconds: float | None
    fallback_reason: str
    image: Image | None = field(repr=False)
    error: JobError | None

    @property
    def is_finished(self) -> bool:
        """Whether the job has ended."""
        return self.state in (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class JobFailed:
    """There will be no image; a last event.

    Attributes:
        error: Why.
    """

    error: JobError


@dataclass(frozen=True, slots=True)
class JobCancelled:
    """The job was cancelled; a last event."""


JobEventContent: TypeAlias = CreationEvent | JobFailed | JobCancelled


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something that happened in a job.

    Attributes:
        number: Number of the event in its job, 1 for the first; `watch_job` goes on after it.
        event: What happened: an event of `stream_image`, `JobFailed` or `JobCancelled`.
    """

    number: int
    event: JobEventContent

    @property
    def is_last(self) -> bool:
        """Whether the job ends with it."""
        return isinstance(self.event, ImageCreated | JobFailed | JobCancelled)


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


@dataclass(frozen=True, slots=True)
class FilmLimits:
    """What songs and films may be; a range is a pair of the smallest and the largest allowed value.

    Attributes:
        max_song_bytes: Largest file of a song.
        song_seconds: Lengths of songs.
        side_pixels: Widths and heights of a visualiser.
        side_step_pixels: Widths and heights are multiples of it.
        frames_per_second: Rates of a visualiser.
        loop_seconds: Lengths of a loop.
        max_films: Films of one session that are kept.
        retention_seconds: Time for which a film is kept after its end.
    """

    max_song_bytes: int
    song_seconds: tuple[float, float]
    side_pixels: tuple[float, float]
    side_step_pixels: int
    frames_per_second: tuple[float, float]
    loop_seconds: tuple[float, float]
    max_films: int
    retention_seconds: float
