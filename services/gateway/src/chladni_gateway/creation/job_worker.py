"""The work on a job that this gateway has claimed: each try of it, what it says, and how it ends."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractContextManager, aclosing, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from chladni_contract.errors import ChladniError, FaultError, QueueFullError, Reason, UnavailableError
from chladni_gateway.creation.job import Cancelled, Done, Failed, Job, JobEvent, to_job_event
from chladni_gateway.creation.job_codec import decode_details, encode_event
from chladni_gateway.creation.operations import Operation
from chladni_gateway.creation.webhook_reports import encode_report
from chladni_gateway.domain.events import Accepted, Analyzed, CreationEvent, Progressed
from chladni_gateway.domain.request import CreationRequest, Webhook
from chladni_gateway.domain.stages import Stage
from chladni_gateway.domain.storage.job_store import ClaimedJob, JobBounds, JobStore
from chladni_runtime.execution.deadlines import Deadline
from chladni_runtime.failpoints import NO_FAILPOINTS, Failpoint, Failpoints
from chladni_runtime.telemetry.scope import current_telemetry

MAX_ATTEMPTS: Final = 20
"""Claims of a job without progress after which it fails: what it asks for may be what ends its gateways.

A claim counts only if its gateway ended, and all are forgiven when the job takes a step that it never took.
"""
_RETRIED: Final = frozenset(
    {Reason.BACKEND_UNAVAILABLE, Reason.MODEL_NOT_READY, Reason.DRAINING, Reason.STORAGE_UNAVAILABLE}
)
"""Why a creation fails that may succeed a moment later, when what has died is up again."""
_FIRST_DELAY_SECONDS: Final = 0.2
_MAX_DELAY_SECONDS: Final = 2.0
_QUEUE: Final = "jobs"

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
        max_unfinished: Unfinished jobs in all, and jobs that this gateway works on.
        max_unfinished_per_owner: Unfinished jobs of one owner.
        max_unfinished_per_caller: Unfinished jobs of one caller, who may be as many owners as it likes.
        max_remembered: Finished jobs in all; the oldest are forgotten first.
        retention: Time for which a finished job is remembered.
        timeout_seconds: Time for one job, its wait in queues included, without that of gateways that died.
        retry_seconds: Time for which a job is tried again if a service cannot be reached.
        lease_seconds: Time for which a claim holds without being renewed.
    """

    max_unfinished: int
    max_unfinished_per_owner: int
    max_unfinished_per_caller: int
    max_remembered: int
    retention: timedelta
    timeout_seconds: float
    retry_seconds: float = 0.0
    lease_seconds: float = 15.0

    @property
    def bounds(self) -> JobBounds:
        """The bounds that the store applies."""
        return JobBounds(
            total=self.max_unfinished,
            per_owner=self.max_unfinished_per_owner,
            per_caller=self.max_unfinished_per_caller,
        )


class _LostClaimError(Exception):
    """Another gateway has the job now."""


class JobWorker:
    """Works on jobs that this gateway has claimed.

    Args:
        creator: Creates the images.
        store: Keeps the jobs.
        limits: Bounds.
        now: Clock for dates.
        hold: Returns a context in which a job, whose clip has so many bytes, counts as work of the service,
            which stops it when the service has to end.
        failpoints: For tests of robustness.
    """

    def __init__(
        self,
        *,
        creator: Creator,
        store: JobStore,
        limits: JobLimits,
        now: Callable[[], datetime],
        hold: Callable[[int], AbstractContextManager[None]],
        failpoints: Failpoints = NO_FAILPOINTS,
    ) -> None:
        self._creator = creator
        self._store = store
        self._limits = limits
        self._now = now
        self._hold = hold
        self._failpoints = failpoints

    async def work(
        self,
        job: Job,
        claimed: ClaimedJob,
        *,
        is_cancelled: Callable[[], bool],
        is_replaced: Callable[[], bool],
    ) -> None:
        """Work on a job, and record how it ends. If the work is stopped, give the claim back.

        Args:
            job: The job, with all of its events so far.
            claimed: The claim.
            is_cancelled: Returns whether work that is stopped is stopped because the owner cancelled it.
            is_replaced: Returns whether other work of this gateway has the job, and the claim, now.
        """
        try:
            try:
                end = await self._end_of(job, claimed)
            except asyncio.CancelledError:
                if not is_cancelled():
                    raise
                end = Cancelled(Stage(job.status.stage))
            if end is not None and not job.is_over:
                await self._record(job, end, _webhook_of(claimed))
        except _LostClaimError:
            _log.info("another gateway has the job", extra={"job_id": str(job.job_id)})
            if not is_replaced():
                await self._release(job)
        except asyncio.CancelledError:
            if not is_replaced():
                await self._release(job)
            raise

    async def _release(self, job: Job) -> None:
        with suppress(ChladniError):  # Then the claim runs out.
            await self._store.release(job.job_id)

    async def _end_of(self, job: Job, claimed: ClaimedJob) -> JobEvent | None:
        """Do the work; return how it ends, or `None` if that is recorded or the claim is given back."""
        if claimed.is_cancelled:
            return Cancelled(Stage(job.status.stage))
        if claimed.attempt > MAX_ATTEMPTS:
            _log.error("a job has been tried too often", extra={"job_id": str(job.job_id)})
            return Failed(FaultError(Reason.INTERNAL, "The service ended again and again during this job."))
        while True:
            try:
                with self._hold(len(claimed.clip)):
                    self._record_wait(job)
                    return await self._create(job, claimed)
            except QueueFullError:  # The requests in progress hold too many bytes.
                await asyncio.sleep(_MAX_DELAY_SECONDS)
            except UnavailableError:  # The service stops.
                await self._store.release(job.job_id)
                return None

    async def _create(self, job: Job, claimed: ClaimedJob) -> JobEvent | None:
        details = decode_details(claimed.job.details)
        request = details.with_clip(claimed.clip)
        operation = Operation(job.job_id, details.seed, is_rerun=claimed.attempt > 1)
        deadline = Deadline.after(self._limits.timeout_seconds)
        retries_end_at = time.monotonic() + min(self._limits.retry_seconds, self._limits.timeout_seconds)
        delay_seconds = _FIRST_DELAY_SECONDS
        while True:
            try:
                creation = self._creator.create(request, deadline, operation=operation)
                async with aclosing(creation) as events:
                    async for event in events:
                        if not _is_repeated(event, job):
                            await self._record(job, to_job_event(event), request.webhook)
            except _LostClaimError:
                raise
            except ChladniError as error:
                if error.reason not in _RETRIED or time.monotonic() + delay_seconds > retries_end_at:
                    return Failed(error)
                _log.warning(
                    "a job is tried again", extra={"job_id": str(job.job_id), "detail": error.message}
                )
            except Exception as error:  # noqa: BLE001 - logged as a whole; the job fails
                _log.error("a job failed unexpectedly", exc_info=error)
                return Failed(
                    FaultError(
                        Reason.INTERNAL,
                        "The service failed unexpectedly. The operator's log has the details.",
                    )
                )
            else:
                if job.is_over:
                    return None
                return Failed(FaultError(Reason.INTERNAL, "The job ended without an image."))
            await asyncio.sleep(delay_seconds)
            delay_seconds = min(2 * delay_seconds, _MAX_DELAY_SECONDS)
            operation = replace(operation, is_rerun=True)

    def _record_wait(self, job: Job) -> None:
        """Record how long a job waited for its turn, which a job that was left behind has had already."""
        if job.last_number:
            return
        seconds = max(0.0, (self._now() - job.created_at).total_seconds())
        now = time.monotonic()
        current_telemetry().record_wait(_QUEUE, now - seconds, now)

    async def _record(self, job: Job, event: JobEvent, webhook: Webhook | None) -> None:
        """Record an event in the store, however long that takes, and then show it to the followers.

        The last one is recorded together with its report to the webhook, if there is one.

        Raises:
            _LostClaimError: Another gateway has the job.
        """
        now = self._now()
        stored = encode_event(job.last_number + 1, event)
        is_progress = isinstance(event, Progressed) and event.step > job.furthest_step
        finished_at, report = None, b""
        if isinstance(event, Done | Failed | Cancelled):
            finished_at = now
            report = encode_report(job, event, webhook, now=now) if webhook else b""
        delay_seconds = _FIRST_DELAY_SECONDS
        while True:
            try:
                await self._failpoints.reach(Failpoint.EVENT_BEFORE)
                is_added = await _uninterrupted(
                    self._store.append(
                        job.job_id, stored, finished_at=finished_at, report=report, is_progress=is_progress
                    ),
                    then=lambda is_added: _show(job, stored.number, event, now) if is_added else None,
                )
            except UnavailableError:
                await asyncio.sleep(delay_seconds)
                delay_seconds = min(2 * delay_seconds, _MAX_DELAY_SECONDS)
            else:
                if not is_added:
                    raise _LostClaimError
                break
        with suppress(UnavailableError):  # The event is recorded: its job goes on.
            await self._failpoints.reach(
                Failpoint.EVENT_AFTER if finished_at is None else Failpoint.FINISH_AFTER
            )


def _webhook_of(claimed: ClaimedJob) -> Webhook | None:
    try:
        return decode_details(claimed.job.details).request.webhook
    except ValueError:  # Of a version that this gateway does not know.
        return None


def _show(job: Job, number: int, event: JobEvent, now: datetime) -> None:
    """Show an event to the followers, unless they have found it in the store meanwhile."""
    if number > job.last_number:
        job.add(event, now=now, number=number)


async def _uninterrupted(work: Coroutine[Any, Any, bool], *, then: Callable[[bool], object]) -> bool:
    """Do work to its end even if its task is cancelled meanwhile, and then what follows from its result."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        if not task.cancelled() and task.exception() is None:
            then(task.result())
        raise
    then(task.result())
    return task.result()


def _is_repeated(event: CreationEvent, job: Job) -> bool:
    """Return whether an event of a further try says what the job has said already."""
    return isinstance(event, Accepted | Analyzed) and job.has_seen(type(event))
