"""Jobs of the domain, to messages of `chladni.gateway.v1`."""

from __future__ import annotations

from typing import Final

from chladni.gateway.v1 import job_service_pb2
from chladni_contract.errors import ChladniError
from chladni_contract.status import WIRE_STATUS
from chladni_gateway.creation.job import Cancelled, Failed, Job, JobState, NumberedEvent
from chladni_gateway.domain.request import Webhook
from chladni_gateway.domain.stages import Stage
from chladni_gateway.grpc_api.events import STAGES, to_event_message
from chladni_gateway.grpc_api.images import to_duration, to_owned_image_message, to_timestamp

_STATES: Final = {
    JobState.ANALYZING: job_service_pb2.JOB_STATE_ANALYZING,
    JobState.QUEUED: job_service_pb2.JOB_STATE_QUEUED,
    JobState.RUNNING: job_service_pb2.JOB_STATE_RUNNING,
    JobState.COMPLETED: job_service_pb2.JOB_STATE_COMPLETED,
    JobState.FAILED: job_service_pb2.JOB_STATE_FAILED,
    JobState.CANCELLED: job_service_pb2.JOB_STATE_CANCELLED,
}


def to_webhook(
    message: job_service_pb2.CreateJobRequest | job_service_pb2.CreateJobFromUploadRequest | None,
) -> Webhook | None:
    """Return where a request wants the end of its job reported; `None` for nowhere."""
    if message is None or not message.HasField("webhook"):
        return None
    return Webhook(message.webhook.url, message.webhook.secret)


def to_job_message(job: Job) -> job_service_pb2.Job:
    """Return the message of a job."""
    status = job.status
    message = job_service_pb2.Job(
        job_id=str(job.job_id),
        state=_STATES[status.state],
        stage=STAGES[Stage(status.stage)],
        part=status.part,
        display_name=job.file_name,
        create_time=to_timestamp(job.created_at),
        end_time=None if job.finished_at is None else to_timestamp(job.finished_at),
        position=status.position,
        step=status.step,
        total_steps=status.total_steps,
        elapsed=None if status.elapsed_seconds is None else to_duration(status.elapsed_seconds),
        remaining=None if status.remaining_seconds is None else to_duration(status.remaining_seconds),
        fallback_reason=status.fallback,
    )
    if status.record is not None:
        message.image.CopyFrom(to_owned_image_message(status.record))
    if status.error is not None:
        message.error.CopyFrom(to_job_error_message(status.error))
    return message


def to_job_event_message(numbered: NumberedEvent) -> job_service_pb2.WatchJobResponse:
    """Return the message of an event of a job."""
    message = job_service_pb2.WatchJobResponse(number=numbered.number)
    match numbered.event:
        case Failed(error):
            message.failed.CopyFrom(to_job_error_message(error))
        case Cancelled():
            message.cancelled.SetInParent()
        case event:
            message.creation.CopyFrom(to_event_message(event))
    return message


def to_job_error_message(error: ChladniError) -> job_service_pb2.JobError:
    """Return the message of why a job failed."""
    code: int = WIRE_STATUS[error.reason].grpc.value[0]
    return job_service_pb2.JobError(
        grpc_code=code, reason=error.reason.value, message=error.message, metadata=error.metadata
    )
