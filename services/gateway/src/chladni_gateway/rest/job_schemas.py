"""Bodies of jobs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import BaseModel, Field

from chladni_gateway.creation.job import JobState
from chladni_gateway.rest.errors import error_detail
from chladni_gateway.rest.schemas import CreatedImage, ErrorDetail, to_created_image

if TYPE_CHECKING:
    from chladni_gateway.creation.job import Job


class JobBody(BaseModel):
    """An image in the making. What does not apply, or is not known yet, is null."""

    job_id: UUID
    state: JobState = Field(description="How far it is; the last three are final.")
    stage: str = Field(description="Stage in progress, or the one that it ended in.")
    file_name: str = Field(description="Name of the recording; empty if it had none.")
    created_at: datetime = Field(description="When it was asked for.")
    finished_at: datetime | None = Field(None, description="When it ended.")
    position: int | None = Field(
        None, description="Requests that the model serves first, while it is queued."
    )
    step: int | None = Field(None, description="Denoising steps done.")
    total_steps: int | None = Field(None, description="Denoising steps in all.")
    elapsed_seconds: float | None = Field(None, description="Time since denoising started.")
    remaining_seconds: float | None = Field(None, description="Time that denoising is expected to take.")
    recipe_stage: str = Field(
        "",
        description="Part of the recipe in progress, or that it ended in; empty if it has one part.",
    )
    fallback: str = Field("", description="Why another way than the recipe's own was taken; empty if not.")
    image: CreatedImage | None = Field(None, description="The image, of a completed job.")
    error: ErrorDetail | None = Field(None, description="Why there is no image, of a failed job.")
    events_url: str = Field(description="Where to follow it, relative to this host.")


class JobList(BaseModel):
    """The jobs of a session, the newest first."""

    jobs: list[JobBody]


def to_job_body(job: Job) -> JobBody:
    """Returns the body that describes a job."""
    status = job.status
    return JobBody(
        job_id=job.job_id,
        state=status.state,
        stage=status.stage,
        file_name=job.file_name,
        created_at=job.created_at,
        finished_at=job.finished_at,
        position=status.position,
        step=status.step,
        total_steps=status.total_steps,
        elapsed_seconds=status.elapsed_seconds,
        remaining_seconds=status.remaining_seconds,
        recipe_stage=status.recipe_stage,
        fallback=status.fallback,
        image=None if status.record is None else to_created_image(status.record),
        error=None if status.error is None else error_detail(status.error, at=job.finished_at),
        events_url=f"/api/jobs/{job.job_id}/events",
    )
