"""From messages to results: jobs and their events."""

from __future__ import annotations

from typing import Final

from google.protobuf.duration_pb2 import Duration

from chladni.gateway.v1 import creation_pb2, job_service_pb2
from chladni.gateway.v1alpha1 import film_service_pb2 as film_pb2
from chladni_client._messages.image_results import to_creation_event, to_datetime, to_image
from chladni_client.types.jobs import (
    Film,
    FilmFile,
    FilmLimits,
    FilmPart,
    FilmState,
    Job,
    JobCancelled,
    JobError,
    JobEvent,
    JobEventContent,
    JobFailed,
    JobState,
)

_STATES: Final = {
    job_service_pb2.JOB_STATE_ANALYZING: JobState.ANALYZING,
    job_service_pb2.JOB_STATE_QUEUED: JobState.QUEUED,
    job_service_pb2.JOB_STATE_RUNNING: JobState.RUNNING,
    job_service_pb2.JOB_STATE_COMPLETED: JobState.COMPLETED,
    job_service_pb2.JOB_STATE_FAILED: JobState.FAILED,
    job_service_pb2.JOB_STATE_CANCELLED: JobState.CANCELLED,
}
PARTS: Final = {
    FilmPart.VISUALIZER: film_pb2.FILM_PART_VISUALIZER,
    FilmPart.LOOP: film_pb2.FILM_PART_LOOP,
    FilmPart.COVER: film_pb2.FILM_PART_COVER,
}
_PARTS_BY_NUMBER: Final = {number: part for part, number in PARTS.items()}
_FILM_STATES: Final = {
    film_pb2.FILM_STATE_QUEUED: FilmState.QUEUED,
    film_pb2.FILM_STATE_RUNNING: FilmState.RUNNING,
    film_pb2.FILM_STATE_COMPLETED: FilmState.COMPLETED,
    film_pb2.FILM_STATE_FAILED: FilmState.FAILED,
    film_pb2.FILM_STATE_CANCELLED: FilmState.CANCELLED,
}


def to_job(message: job_service_pb2.Job) -> Job:
    """Return the job that a message holds."""
    return Job(
        job_id=message.job_id,
        state=_STATES.get(message.state, JobState.UNKNOWN),
        stage=_stage_name(message.stage),
        part=message.part,
        display_name=message.display_name,
        created_at=to_datetime(message.create_time) if message.HasField("create_time") else None,
        ended_at=to_datetime(message.end_time) if message.HasField("end_time") else None,
        position=message.position if message.HasField("position") else None,
        step=message.step if message.HasField("step") else None,
        total_steps=message.total_steps if message.HasField("total_steps") else None,
        elapsed_seconds=message.elapsed.ToNanoseconds() / 1e9 if message.HasField("elapsed") else None,
        remaining_seconds=message.remaining.ToNanoseconds() / 1e9 if message.HasField("remaining") else None,
        fallback_reason=message.fallback_reason,
        image=to_image(message.image) if message.HasField("image") else None,
        error=to_job_error(message.error) if message.HasField("error") else None,
    )


def to_job_event(message: job_service_pb2.WatchJobResponse) -> JobEvent | None:
    """Return the event of a message; `None` for a heartbeat and for one that this client does not know."""
    event: JobEventContent | None = None
    match message.WhichOneof("event"):
        case "creation":
            event = to_creation_event(message.creation)
        case "failed":
            event = JobFailed(to_job_error(message.failed))
        case "cancelled":
            event = JobCancelled()
    return None if event is None else JobEvent(message.number, event)


def to_job_error(message: job_service_pb2.JobError) -> JobError:
    """Return why a job, or a film, failed."""
    return JobError(message.reason, message.message, dict(message.metadata), message.grpc_code)


def _stage_name(number: int) -> str:
    if number not in creation_pb2.Stage.values() or number == creation_pb2.STAGE_UNSPECIFIED:
        return ""
    return creation_pb2.Stage.Name(number).removeprefix("STAGE_").lower()


def to_film(message: film_pb2.Film) -> Film:
    """Return the film that a message holds; files of parts that this client does not know are left out."""
    return Film(
        film_id=message.film_id,
        state=_FILM_STATES.get(message.state, FilmState.UNKNOWN),
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


def to_film_limits(message: film_pb2.FilmLimits) -> FilmLimits:
    """Return the limits of films that a message holds."""
    return FilmLimits(
        max_song_bytes=message.max_song_bytes,
        song_seconds=_seconds(message.min_song_duration, message.max_song_duration),
        side_pixels=(message.side_pixels.min, message.side_pixels.max),
        side_step_pixels=message.side_step_pixels,
        frames_per_second=(message.frames_per_second.min, message.frames_per_second.max),
        loop_seconds=_seconds(message.min_loop_duration, message.max_loop_duration),
        max_films=message.max_films,
        retention_seconds=message.retention.ToNanoseconds() / 1e9,
    )


def _seconds(shortest: Duration, longest: Duration) -> tuple[float, float]:
    return shortest.ToNanoseconds() / 1e9, longest.ToNanoseconds() / 1e9
