"""Films of the domain, from and to messages of `chladni.gateway.v1alpha1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chladni.gateway.v1 import job_service_pb2
from chladni.gateway.v1 import server_service_pb2 as server_pb2
from chladni.gateway.v1alpha1 import film_service_pb2 as film_pb2
from chladni_contract.errors import InvalidInputError, Reason
from chladni_contract.status import WIRE_STATUS
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
from chladni_gateway.grpc_api.images import to_duration, to_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from chladni_gateway.film.index import Film
    from chladni_gateway.film.runner import FilmLimits

PARTS: Final = {
    FilmPart.VISUALIZER: film_pb2.FILM_PART_VISUALIZER,
    FilmPart.LOOP: film_pb2.FILM_PART_LOOP,
    FilmPart.COVER: film_pb2.FILM_PART_COVER,
}
_STATES: Final = {
    FilmState.QUEUED: film_pb2.FILM_STATE_QUEUED,
    FilmState.RUNNING: film_pb2.FILM_STATE_RUNNING,
    FilmState.COMPLETED: film_pb2.FILM_STATE_COMPLETED,
    FilmState.FAILED: film_pb2.FILM_STATE_FAILED,
    FilmState.CANCELLED: film_pb2.FILM_STATE_CANCELLED,
}
_OPTIONAL: Final = ("width_pixels", "height_pixels", "frames_per_second")


def to_film_options(message: film_pb2.FilmOptions, *, draw_seed: Callable[[], int]) -> FilmOptions:
    """Return the options that a message holds; they are not checked yet.

    Args:
        message: The message.
        draw_seed: Gives the seed if the message has none.

    Raises:
        InvalidInputError: A part is not known.
    """
    parts = {value: part for part, value in PARTS.items()}
    if unknown := [part for part in message.parts if part not in parts]:
        raise InvalidInputError(
            Reason.INVALID_FIELD,
            f"options.parts names {unknown[0]}, which is no part of a film.",
            field="options.parts",
        )
    given = {name: getattr(message, name) for name in _OPTIONAL if message.HasField(name)}
    if message.HasField("loop_duration"):
        given["loop_seconds"] = message.loop_duration.ToNanoseconds() / 1e9
    return FilmOptions(
        seed=message.seed if message.HasField("seed") else draw_seed(),
        look=message.look,
        model=message.model,
        parts=tuple(dict.fromkeys(parts[part] for part in message.parts)) or ALL_PARTS,
        **given,
    )


def to_film_message(film: Film) -> film_pb2.Film:
    """Return the message of a film."""
    record, options = film.record, film.record.options
    message = film_pb2.Film(
        film_id=str(record.film_id),
        state=_STATES[record.state],
        display_name=record.display_name,
        create_time=to_timestamp(record.created_at),
        end_time=None if record.ended_at is None else to_timestamp(record.ended_at),
        options=film_pb2.FilmOptions(
            width_pixels=options.width_pixels,
            height_pixels=options.height_pixels,
            frames_per_second=options.frames_per_second,
            loop_duration=to_duration(options.loop_seconds),
            look=options.look,
            seed=options.seed,
            model=options.model,
            parts=[PARTS[part] for part in options.parts],
        ),
        progress=film.share,
        remaining=None if film.remaining_seconds is None else to_duration(film.remaining_seconds),
        part=None if film.part is None else PARTS[film.part],
        song_duration=None if record.song_seconds is None else to_duration(record.song_seconds),
        files=[
            film_pb2.FilmFile(
                part=PARTS[file.part],
                size_bytes=file.size_bytes,
                sha256=file.sha256,
                content_type=file.part.content_type,
            )
            for file in record.files
        ],
    )
    if record.error is not None:
        error = record.error
        code: int = WIRE_STATUS[Reason(error.reason)].grpc.value[0]
        message.error.CopyFrom(
            job_service_pb2.JobError(
                grpc_code=code, reason=error.reason, message=error.message, metadata=error.metadata
            )
        )
    return message


def to_film_limits_message(limits: FilmLimits, *, max_song_bytes: int) -> film_pb2.FilmLimits:
    """Return the message of what songs and films may be."""
    return film_pb2.FilmLimits(
        max_song_bytes=max_song_bytes,
        min_song_duration=to_duration(MIN_SONG_SECONDS),
        max_song_duration=to_duration(MAX_SONG_SECONDS),
        side_pixels=server_pb2.NumberRange(min=MIN_SIDE_PIXELS, max=MAX_SIDE_PIXELS),
        side_step_pixels=SIDE_STEP_PIXELS,
        frames_per_second=server_pb2.NumberRange(min=MIN_FRAMES_PER_SECOND, max=MAX_FRAMES_PER_SECOND),
        min_loop_duration=to_duration(MIN_LOOP_SECONDS),
        max_loop_duration=to_duration(MAX_LOOP_SECONDS),
        max_films=limits.max_per_owner,
        retention=to_duration(limits.retention_seconds),
    )
