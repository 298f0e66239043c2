"""From messages to results: films."""

from __future__ import annotations

from typing import Final

from chladni.gateway.v1alpha1 import film_service_pb2 as film_pb2
from chladni_client._messages.image_results import to_datetime
from chladni_client._messages.job_results import to_job_error
from chladni_client.types.films import Film, FilmFile, FilmPart, FilmState

PARTS: Final = {
    FilmPart.VISUALIZER: film_pb2.FILM_PART_VISUALIZER,
    FilmPart.LOOP: film_pb2.FILM_PART_LOOP,
    FilmPart.COVER: film_pb2.FILM_PART_COVER,
}
_PARTS_BY_NUMBER: Final = {number: part for part, number in PARTS.items()}
_STATES: Final = {
    film_pb2.FILM_STATE_QUEUED: FilmState.QUEUED,
    film_pb2.FILM_STATE_RUNNING: FilmState.RUNNING,
    film_pb2.FILM_STATE_COMPLETED: FilmState.COMPLETED,
    film_pb2.FILM_STATE_FAILED: FilmState.FAILED,
    film_pb2.FILM_STATE_CANCELLED: FilmState.CANCELLED,
}


def to_film(message: film_pb2.Film) -> Film:
    """Return the film that a message holds; files of parts that this client does not know are left out."""
    return Film(
        film_id=message.film_id,
        state=_STATES.get(message.state, FilmState.UNKNOWN),
        display_name=message.display_name,
        created_at=to_datetime(message.create_time) if message.HasField("create_time") else None,
        ended_at=to_datetime(message.end_time) if message.HasField("end_time") else None,
        seed=message.options.seed,
        progress=message.progress,
        remaining_seconds=message.remaining.ToNanoseconds() / 1e9 if message.HasField("remaining") else None,
        part=_PARTS_BY_NUMBER.get(message.part),
        song_seconds=(
            message.song_duration.ToNanoseconds() / 1e9 if message.HasField("song_duration") else None
        ),
        files=tuple(
            FilmFile(_PARTS_BY_NUMBER[file.part], file.size_bytes, file.sha256, file.content_type)
            for file in message.files
            if file.part in _PARTS_BY_NUMBER
        ),
        error=to_job_error(message.error) if message.HasField("error") else None,
    )
