"""What is sent for films: the form that starts one, and the body that describes one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import UUID

from pydantic import BaseModel, Field

from chladni_contract.errors import ChladniError, InvalidInputError, Reason
from chladni_gateway.domain.films.options import (
    ALL_PARTS,
    MAX_FRAMES_PER_SECOND,
    MAX_LOOP_SECONDS,
    MAX_SIDE_PIXELS,
    MIN_FRAMES_PER_SECOND,
    MIN_LOOP_SECONDS,
    MIN_SIDE_PIXELS,
    SIDE_STEP_PIXELS,
    FilmOptions,
    FilmPart,
)
from chladni_gateway.domain.films.record import FilmState
from chladni_gateway.domain.films.song import MAX_SONG_SECONDS, MIN_SONG_SECONDS
from chladni_gateway.film.index import Film
from chladni_gateway.film.runner import FilmLimits
from chladni_gateway.rest.errors import error_detail
from chladni_gateway.rest.forms.fields import Number, WholeNumber
from chladni_gateway.rest.forms.uploads import UploadForm
from chladni_gateway.rest.openapi import API, JOB_ID
from chladni_gateway.rest.schemas import ErrorDetail, Range

_OF_A_PART: Final = ("start_seconds", "end_seconds")
EXAMPLE: Final[dict[str, Any]] = {
    "film_id": JOB_ID,
    "state": "running",
    "display_name": "song.flac",
    "create_time": "2026-01-15T10:30:00Z",
    "end_time": None,
    "seed": 7,
    "progress": 0.42,
    "remaining_seconds": 310.5,
    "part": "visualizer",
    "song_seconds": 184.2,
    "files": [
        {
            "part": "cover",
            "size_bytes": 1048576,
            "sha256": "ab" * 32,
            "content_type": "image/png",
            "url": f"{API}/films/{JOB_ID}/files/cover",
        }
    ],
    "error": None,
}
"""A film in progress, for the document."""

LIST_EXAMPLE: Final[dict[str, Any]] = {
    "films": [EXAMPLE],
    "limits": {
        "max_song_bytes": 209715200,
        "min_song_duration_seconds": 3.0,
        "max_song_duration_seconds": 600.0,
        "side_pixels": {"min": 256, "max": 1024},
        "side_step_pixels": 64,
        "frames_per_second": {"min": 6, "max": 30},
        "loop_seconds": {"min": 3.0, "max": 8.0},
        "max_films": 8,
        "retention_seconds": 86400.0,
    },
}
"""The films of a session, for the document."""


class FilmForm(UploadForm):
    """The form of `POST /api/v1/films`."""

    examples: ClassVar[Mapping[str, Any]] = {
        "song": {"summary": "The whole kit of a song", "value": {"file": "song.flac", "seed": 7}}
    }

    width_pixels: WholeNumber = Field(
        None, description="Width of the visualiser, 256 to 1024, a multiple of 64. Absent: 512."
    )
    height_pixels: WholeNumber = Field(None, description="Its height, likewise.")
    frames_per_second: WholeNumber = Field(None, description="Its frames a second, 6 to 30. Absent: 12.")
    loop_seconds: Number = Field(None, description="About how long the loop is, 3 to 8. Absent: 8.")
    look: str = Field("", description="Look of all parts.", json_schema_extra={"maxLength": 256})
    seed: WholeNumber = Field(None, description="Seed of all frames. Absent: drawn.", examples=[7])
    model: str = Field("", description="Model; the server's choice if empty.")
    parts: str = Field(
        "", description="Parts to make: visualizer, loop, cover, separated by commas. Absent: all."
    )
    request_id: str = Field(
        "",
        description="A UUID; with the same one, an equal request is the same film, resumed if it stopped.",
    )

    @classmethod
    def request_body(cls) -> dict[str, Any]:
        """Return the body of a request as OpenAPI describes it, without parts of songs: they are refused."""
        body = super().request_body()
        for content in body["content"].values():
            for name in _OF_A_PART:
                del content["schema"]["properties"][name]
        return body

    def to_options(self, *, seed: int) -> FilmOptions:
        """Return the options of the film; they are not checked yet.

        Args:
            seed: Seed if the form has none.

        Raises:
            InvalidInputError: A part is not known, or a part of the song is chosen.
        """
        if self.start_seconds is not None or self.end_seconds is not None:
            raise InvalidInputError(
                Reason.INVALID_FIELD,
                "start_seconds and end_seconds are not taken: a film is of the whole song. Cut the file.",
                field="start_seconds",
            )
        names = [name.strip() for name in self.parts.split(",") if name.strip()]
        if unknown := [name for name in names if name not in set(FilmPart)]:
            raise InvalidInputError(
                Reason.INVALID_FIELD,
                f"parts names {unknown[0][:32]!r}; parts are {', '.join(FilmPart)}.",
                field="parts",
            )
        given = {
            name: value
            for name in ("width_pixels", "height_pixels", "frames_per_second", "loop_seconds")
            if (value := getattr(self, name)) is not None
        }
        return FilmOptions(
            seed=seed if self.seed is None else self.seed,
            look=self.look,
            model=self.model,
            parts=tuple(dict.fromkeys(map(FilmPart, names))) or ALL_PARTS,
            **given,
        )


class FilmFileBody(BaseModel):
    """A file of a film."""

    part: FilmPart
    size_bytes: int
    sha256: str
    content_type: str
    url: str = Field(description="Its address, relative to this host.")


class FilmBody(BaseModel):
    """A film. What does not apply, or is not known yet, is null."""

    film_id: UUID
    state: FilmState = Field(description="State; films that failed or were cancelled can be resumed.")
    display_name: str = Field(description="Name of the song; empty if it had none.")
    create_time: datetime = Field(description="When it was started.")
    end_time: datetime | None = Field(None, description="When it ended.")
    seed: int = Field(description="Seed of all frames.")
    progress: float = Field(description="How much of the work is done, 0 to 1.")
    remaining_seconds: float | None = Field(None, description="Time that the rest is expected to take.")
    part: FilmPart | None = Field(None, description="Part in progress.")
    song_seconds: float | None = Field(None, description="Length of the song.")
    files: list[FilmFileBody] = Field(description="The files that are made.")
    error: ErrorDetail | None = Field(None, description="Why it failed.")


class FilmLimitsBody(BaseModel):
    """What films may be, to be looked at before a song is sent."""

    max_song_bytes: int = Field(description="Largest file of a song.")
    min_song_duration_seconds: float = Field(description="Shortest song.")
    max_song_duration_seconds: float = Field(description="Longest song.")
    side_pixels: Range = Field(description="Widths and heights of a visualiser.")
    side_step_pixels: int = Field(description="Widths and heights are multiples of it.")
    frames_per_second: Range = Field(description="Rates of a visualiser.")
    loop_seconds: Range = Field(description="Lengths of a loop.")
    max_films: int = Field(description="Films of one session that are kept.")
    retention_seconds: float = Field(description="Time that a film is kept after its end.")


class FilmList(BaseModel):
    """The films of a session, the newest first."""

    films: list[FilmBody]
    limits: FilmLimitsBody


def to_film_limits(limits: FilmLimits, *, max_song_bytes: int) -> FilmLimitsBody:
    """Return the body that describes the limits of films."""
    return FilmLimitsBody(
        max_song_bytes=max_song_bytes,
        min_song_duration_seconds=MIN_SONG_SECONDS,
        max_song_duration_seconds=MAX_SONG_SECONDS,
        side_pixels=Range(min=MIN_SIDE_PIXELS, max=MAX_SIDE_PIXELS),
        side_step_pixels=SIDE_STEP_PIXELS,
        frames_per_second=Range(min=MIN_FRAMES_PER_SECOND, max=MAX_FRAMES_PER_SECOND),
        loop_seconds=Range(min=MIN_LOOP_SECONDS, max=MAX_LOOP_SECONDS),
        max_films=limits.max_per_owner,
        retention_seconds=limits.retention_seconds,
    )


def to_film_body(film: Film) -> FilmBody:
    """Return the body that describes a film."""
    record = film.record
    error = record.error
    return FilmBody(
        film_id=record.film_id,
        state=record.state,
        display_name=record.display_name,
        create_time=record.created_at,
        end_time=record.ended_at,
        seed=record.options.seed,
        progress=film.share,
        remaining_seconds=film.remaining_seconds,
        part=film.part,
        song_seconds=record.song_seconds,
        files=[
            FilmFileBody(
                part=file.part,
                size_bytes=file.size_bytes,
                sha256=file.sha256,
                content_type=file.part.content_type,
                url=f"{API}/films/{record.film_id}/files/{file.part.value}",
            )
            for file in record.files
        ],
        error=None
        if error is None
        else error_detail(
            ChladniError(Reason(error.reason), error.message, metadata=error.metadata), at=record.ended_at
        ),
    )
