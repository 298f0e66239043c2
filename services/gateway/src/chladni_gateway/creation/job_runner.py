"""The jobs of all owners: started, found, cancelled, and remembered for a while."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractContextManager, aclosing, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from chladni_contract.errors import (
    ChladniError,
    FaultError,
    NotFoundError,
    QueueFullError,
    Reason,
    UnavailableError,
)
from chladni_gateway.creation.job import Cancelled, Failed, Job, JobEvent, to_job_event
from chladni_gateway.creation.operations import Operation
from chladni_gateway.domain.events import CreationEvent
from chladni_gateway.domain.request import CreationRequest, last_seen_of, token_after
from chladni_gateway.domain.stages import Stage
from chladni_runtime.execution.deadlines import Deadline

_RETRY_AFTER_SECONDS: Final = 2.0

_log = logging.getLogger(__name__)


class Creator(Protocol):
    """Creates images, as `ImageCreator` does."""

    def check(self, request: CreationRequest) -> None:
        """Require that a request keeps its limits."""

    def accept(self, request: CreationRequest) -> Operation:
        """Return the operation of a request."""
        ...

    def create(
        self, request: CreationRequest, deadline: Deadline, *, operation: Operation | None = None
    ) -> AsyncGenerator[CreationEvent, None]:
        """Yield what happens on the way to the image."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """Limits of a job runner.

    Attributes:
        max_unfinished: Unfinished jobs in all.
        max_unfinished_per_owner: Unfinished jobs of one owner.
        max_unfinished_per_caller: Unfinished jobs of one caller, who may be as many owners as it likes.
        max_remembered: Finished jobs in all; the oldest are forgotten first.
        retention: Time for which a finished job is remembered.
        timeout_seconds: Time for one job, its wait in queues included.
    """

    max_unfinished: int
    max_unfinished_per_owner: int
    max_unfinished_per_caller: int
    max_remembered: int
    retention: timedelta
    timeout_seconds: float


class UnknownJobError(NotFoundError):
    """The owner has no such job.

    Args:
        job_id: The identifier that was asked for.
    """

    def __init__(self, job_id: UUID) -> None:
        super().__init__(
            Reason.UNKNOWN_JOB,
            f"No job has the identifier {job_id}, or it has been forgotten. Start it again.",
            metadata={"job_id": str(job_id)},
        )


class JobRunner:
    """Runs jobs and remembers them in memory. One event loop owns it.

    Args:
        creator: Creates the images.
        limits: Bounds.
        now: Clock for dates.
        hold: Returns a context in which a job, whose clip has so many bytes, counts as work of the service,
            which stops it when the service has to end.
    """

    def __init__(
        self,
        *,
        creator: Creator,
        limits: JobLimits,
        now: Callable[[], datetime],
        hold: Callable[[int], AbstractContextManager[None]] = lambda _byte_count: nullcontext(),
    ) -> None:
        self.limits: Final = limits
        self._creator = creator
        self._now = now
        self._hold = hold
        self._jobs: dict[UUID, Job] = {}  # In the order of their start.
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._is_closing = False

    @property
    def unfinished_count(self) -> int:
        """Unfinished jobs of all owners."""
        return sum(not job.is_over for job in self._jobs.values())

    def start(self, request: CreationRequest) -> Job:
        """Start a job of the request's owner, or find the one that an earlier try of it started; return it.

        Raises:
            QueueFullError: Too many jobs are unfinished.
            ChladniError: The request breaks a limit.
        """
        self._creator.check(request)
        self._forget_old()
        operation = self._creator.accept(request)
        known = self._jobs.get(operation.operation_id)
        if known is not None:
            return known
        self.check_room(request.owner, caller=request.caller)
        job = Job(
            job_id=operation.operation_id,
            owner=request.owner,
            caller=request.caller,
            file_name=request.clip.name,
            created_at=self._now(),
        )
        self._jobs[job.job_id] = job
        task = asyncio.create_task(self._work(job, request, operation))
        self._tasks[job.job_id] = task
        task.add_done_callback(lambda ended: self._end(job, ended))
        return job

    def check_room(self, owner: str, *, caller: str) -> None:
        """Require that an owner may start a job, which the start demands again.

        Args:
            owner: The owner.
            caller: Who calls on its behalf.

        Raises:
            QueueFullError: Too many jobs are unfinished.
        """
        own_count = sum(job.owner == owner and not job.is_over for job in self._jobs.values())
        if own_count >= self.limits.max_unfinished_per_owner:
            raise _no_room(f"You have {own_count} unfinished jobs, the limit", own_count)
        caller_count = sum(job.caller == caller and not job.is_over for job in self._jobs.values())
        if caller_count >= self.limits.max_unfinished_per_caller:
            raise _no_room(f"Your host has {caller_count} unfinished jobs, the limit", caller_count)
        if (count := self.unfinished_count) >= self.limits.max_unfinished:
            raise _no_room(f"The server works on {count} jobs, the limit", count)

    def find(self, job_id: UUID, *, owner: str) -> Job:
        """Return a job.

        Raises:
            UnknownJobError: The owner has none of this identifier.
        """
        self._forget_old()
        job = self._jobs.get(job_id)
        if job is None or not owner or job.owner != owner:
            raise UnknownJobError(job_id)
        return job

    def list_owned(self, owner: str) -> tuple[Job, ...]:
        """Return the jobs of an owner, the newest first."""
        self._forget_old()
        return tuple(job for job in reversed(self._jobs.values()) if owner and job.owner == owner)

    async def cancel(self, job_id: UUID, *, owner: str) -> None:
        """Stop an unfinished job, which is remembered as cancelled; leave a finished one as it is.

        Returns once the work has stopped.

        Raises:
            UnknownJobError: The owner has none of this identifier.
        """
        job = self.find(job_id, owner=owner)
        if not job.is_over:
            task = self._tasks[job_id]
            task.cancel()
            await asyncio.wait((task,))

    def remove(self, job_id: UUID, *, owner: str) -> None:
        """Remove a finished job; its image stays.

        Raises:
            UnknownJobError: The owner has none of this identifier.
            ValueError: It is not finished.
        """
        if not self.find(job_id, owner=owner).is_over:
            raise ValueError("the job is not finished")
        del self._jobs[job_id]

    async def close(self) -> None:
        """End all jobs; those at work fail, because the service stops."""
        self._is_closing = True
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, job: Job, request: CreationRequest, operation: Operation) -> None:
        deadline = Deadline.after(self.limits.timeout_seconds)
        creation = self._creator.create(request, deadline, operation=operation)
        with self._hold(len(request.clip.content)):
            async with aclosing(creation) as events:
                async for event in events:
                    job.add(to_job_event(event), now=self._now())

    def _end(self, job: Job, task: asyncio.Task[None]) -> None:
        """Take down how a task ended, whatever ended it."""
        del self._tasks[job.job_id]
        end = Failed(_stopped()) if task.cancelled() and self._is_closing else _end_of(job, task)
        if not job.is_over:
            job.add(end, now=self._now())

    def _forget_old(self) -> None:
        """Remove finished jobs that are too old or too many."""
        finished = sorted(
            ((job.finished_at, job.job_id) for job in self._jobs.values() if job.finished_at is not None),
        )
        excess_count = len(finished) - self.limits.max_remembered
        for rank, (finished_at, job_id) in enumerate(finished):
            if rank < excess_count or finished_at + self.limits.retention <= self._now():
                del self._jobs[job_id]


def page_of(jobs: Sequence[Job], *, size: int, token: str) -> tuple[Sequence[Job], str]:
    """Return a page of jobs and the token of the next page, which is empty if there is none.

    Args:
        jobs: All of them.
        size: Jobs of a page at most.
        token: Token of the page; empty for the first one.

    Raises:
        InvalidInputError: The server did not give this token.
        UnknownJobError: The job after which the page begins is not there any more.
    """
    last_seen = last_seen_of(token)
    if last_seen is not None:
        ids = [job.job_id for job in jobs]
        if last_seen not in ids:
            raise UnknownJobError(last_seen)
        jobs = jobs[ids.index(last_seen) + 1 :]
    listed = jobs[:size]
    return listed, token_after(listed[-1].job_id) if len(jobs) > size else ""


def _end_of(job: Job, task: asyncio.Task[None]) -> JobEvent:
    if task.cancelled():
        return Cancelled(Stage(job.status.stage))
    match task.exception():
        case ChladniError() as error:
            return Failed(error)
        case BaseException() as error:
            _log.error("a job failed unexpectedly", exc_info=error)
            return Failed(
                FaultError(
                    Reason.INTERNAL, "The service failed unexpectedly. The operator's log has the details."
                )
            )
        case None:
            return Failed(FaultError(Reason.INTERNAL, "The job ended without an image."))


def _stopped() -> UnavailableError:
    return UnavailableError(
        Reason.DRAINING,
        "The service is shutting down and had to stop this job. Start it again.",
        retry_after_seconds=_RETRY_AFTER_SECONDS,
    )


def _no_room(problem: str, count: int) -> QueueFullError:
    return QueueFullError(
        f"{problem}. Wait for one to end, or cancel one.",
        retry_after_seconds=_RETRY_AFTER_SECONDS,
        metadata={"count": count, "maximum": count},
    )
