"""The jobs of all owners: started, found, cancelled, worked on, and remembered for a while.

Jobs are in a store, which outlives the gateway and may be shared with others. A gateway claims those that
nobody works on: new ones, and those whose gateway has died. It repeats their request, whose seed is kept with
it, so that the image is the same.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, aclosing, nullcontext, suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

from chladni_contract.errors import ChladniError, NotFoundError, Reason, UnavailableError
from chladni_gateway.creation.job import Job
from chladni_gateway.creation.job_codec import JobDetails, decode_details, decode_event, encode_details
from chladni_gateway.creation.job_worker import Creator, JobLimits, JobWorker
from chladni_gateway.creation.webhook_policy import WebhookPolicy
from chladni_gateway.domain.request import CreationRequest, cut_page, last_seen_of
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.domain.storage.job_store import Claim, ClaimedJob, JobStore, StoredJob
from chladni_runtime.failpoints import NO_FAILPOINTS, Failpoints

_RETRY_AFTER_SECONDS: Final = 2.0
_WAIT_SECONDS: Final = 1.0
_SWEEP_SECONDS: Final = 5.0
_RERUN: Final = 2

_log = logging.getLogger(__name__)


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
    """Runs jobs. One event loop owns it.

    Args:
        creator: Creates the images.
        store: Keeps the jobs.
        limits: Bounds.
        now: Clock for dates.
        hold: Returns a context in which a job, whose clip has so many bytes, counts as work of the service,
            which stops it when the service has to end.
        may_claim: Returns whether the service takes work now.
        failpoints: For tests of robustness.
        webhooks: Which webhooks are allowed; none if absent.
    """

    def __init__(
        self,
        *,
        creator: Creator,
        store: JobStore,
        limits: JobLimits,
        now: Callable[[], datetime],
        hold: Callable[[int], AbstractContextManager[None]] = lambda _byte_count: nullcontext(),
        may_claim: Callable[[], bool] = lambda: True,
        failpoints: Failpoints = NO_FAILPOINTS,
        webhooks: WebhookPolicy | None = None,
    ) -> None:
        self.limits: Final = limits
        self._creator = creator
        self._store = store
        self._now = now
        self._worker = JobWorker(
            creator=creator, store=store, limits=limits, now=now, hold=hold, failpoints=failpoints
        )
        self._may_claim = may_claim
        self._webhooks = webhooks or WebhookPolicy()
        self._jobs: dict[UUID, Job] = {}  # Those that are worked on or followed here, and those seen of late.
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._cancelled: set[UUID] = set()
        self._serving: asyncio.Task[None] | None = None
        self._is_closing = False

    @property
    def unfinished_count(self) -> int:
        """Jobs that this gateway works on."""
        return len(self._tasks)

    def open(self) -> None:
        """Begin to claim jobs: the oldest first, so those that a gateway has left behind."""
        if self._serving is None and not self._is_closing:
            self._serving = asyncio.create_task(self._serve())

    async def start(self, request: CreationRequest) -> Job:
        """Start a job of the request's owner, or find the one that an earlier try of it started; return it.

        Raises:
            QueueFullError: Too many jobs are unfinished.
            ChladniError: The request breaks a limit, or another one has its name.
        """
        self._creator.check(request)
        if request.webhook is not None:
            with at_stage(Stage.VALIDATION):
                self._webhooks.check(request.webhook)
        await self._forget_old()
        operation = self._creator.accept(request)
        details = JobDetails(request, operation.seed, operation.digest)
        job = StoredJob(
            job_id=operation.operation_id,
            owner=request.owner,
            caller=request.caller,
            created_at=self._now(),
            details=encode_details(details),
            name=f"{request.owner or request.caller} {request.request_id}" if request.request_id else "",
        )
        added = await self._store.add(job, request.clip.content, self.limits.bounds)
        if added.job_id != job.job_id and decode_details(added.details).digest != details.digest:
            raise ChladniError(
                Reason.REQUEST_CONFLICT,
                f"The request_id {request.request_id} belongs to a different request; draw a new one.",
                metadata={"request_id": str(request.request_id)},
            )
        self.open()
        return await self._current(added)

    async def check_room(self, owner: str, *, caller: str) -> None:
        """Require that an owner may start a job, which the start demands again.

        Args:
            owner: The owner.
            caller: Who calls on its behalf.

        Raises:
            QueueFullError: Too many jobs are unfinished.
        """
        await self._store.check_room(owner, caller, self.limits.bounds)

    async def find(self, job_id: UUID, *, owner: str) -> Job:
        """Return a job as it is now; while it is followed, it changes as the job goes on.

        Raises:
            UnknownJobError: The owner has none of this identifier.
        """
        stored = await self._store.find(job_id)
        if stored is None or not owner or stored.owner != owner or self._is_old(stored):
            raise UnknownJobError(job_id)
        return await self._current(stored)

    async def list_owned(self, owner: str) -> tuple[Job, ...]:
        """Return the jobs of an owner, the newest first."""
        if not owner:
            return ()
        await self._forget_old()
        return tuple([await self._current(stored) for stored in await self._store.list_owned(owner)])

    async def cancel(self, job_id: UUID, *, owner: str) -> None:
        """Stop an unfinished job, which is remembered as cancelled; leave a finished one as it is.

        Returns once the work has stopped, in whichever gateway.

        Raises:
            UnknownJobError: The owner has none of this identifier.
        """
        job = await self.find(job_id, owner=owner)
        if job.is_over:
            return
        await self._store.request_cancel(job_id)
        self.open()
        self._stop_cancelled(job_id)
        with suppress(UnavailableError):  # This gateway stops, and another one ends the job.
            async with aclosing(job.follow(after=job.last_number, is_counted=False)) as events:
                async for _ in events:
                    pass
        if (task := self._tasks.get(job_id)) is not None:
            await asyncio.wait((task,))

    async def remove(self, job_id: UUID, *, owner: str) -> None:
        """Remove a finished job; its image stays.

        Raises:
            UnknownJobError: The owner has none of this identifier.
            UnavailableError: It is not finished, and this gateway stops.
            ValueError: It is not finished.
        """
        if not (await self.find(job_id, owner=owner)).is_over:
            if self._is_closing:
                raise _stopped()
            raise ValueError("the job is not finished")
        await self._store.remove(job_id)
        self._jobs.pop(job_id, None)

    async def close(self) -> None:
        """Stop to work; jobs that are unfinished go on in another gateway, or in the next one."""
        self._is_closing = True
        tasks = [*self._tasks.values(), *([self._serving] if self._serving else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for job in self._jobs.values():
            job.interrupt(_stopped())

    async def _serve(self) -> None:
        """Claim jobs, renew claims, and pass on what happens in other gateways."""
        renewed_at = swept_at = time.monotonic()
        wait_seconds = min(_WAIT_SECONDS, self.limits.lease_seconds / 4)
        while not self._is_closing:
            try:
                now = time.monotonic()
                if now - renewed_at >= self.limits.lease_seconds / 4:
                    await self._renew()
                    renewed_at = now  # Not before: claims that could not be renewed are tried at once again.
                if now - swept_at >= _SWEEP_SECONDS:
                    swept_at = now
                    await self._forget_old()
                await self._claim()
                await self._follow_others()
                await self._store.wait(wait_seconds)
            except ChladniError as error:
                _log.warning("the jobs cannot be looked after now", extra={"detail": error.message})
                await asyncio.sleep(wait_seconds)
            except Exception:  # noqa: BLE001 - logged as a whole; jobs must not wait for a new gateway
                _log.exception("the jobs could not be looked after")
                await asyncio.sleep(wait_seconds)

    async def _claim(self) -> None:
        while self._may_claim() and len(self._tasks) < self.limits.max_unfinished:
            claimed = await self._store.claim(self._tasks)
            if claimed is None:
                return
            job_id = claimed.job.job_id
            task = self._tasks.get(job_id)
            if task is not None:  # The store did not answer for longer than a lease.
                if self._goes_on(task, claimed):
                    continue
                del self._tasks[job_id]  # So the old work gives back nothing: the claim is for the new one.
                task.cancel()
                await asyncio.wait((task,))
                claimed = replace(claimed, attempt=max(claimed.attempt, _RERUN))
            task = asyncio.create_task(self._work(claimed))
            self._tasks[job_id] = task
            task.add_done_callback(partial(self._end, job_id))

    def _goes_on(self, task: asyncio.Task[None], claimed: ClaimedJob) -> bool:
        """Return whether work whose claim ran out can go on under a new one: nobody else added events."""
        job = self._jobs.get(claimed.job.job_id)
        is_known = job is not None and job.last_number == claimed.job.last_number
        return is_known and not task.done() and not task.cancelling()

    def _end(self, job_id: UUID, task: asyncio.Task[None]) -> None:
        if self._tasks.get(job_id) is task:
            del self._tasks[job_id]
        self._cancelled.discard(job_id)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("the work on a job ended unexpectedly", exc_info=error)

    async def _renew(self) -> None:
        for job_id, claim in (await self._store.renew(tuple(self._tasks))).items():
            if claim is Claim.CANCELLED:
                self._stop_cancelled(job_id)
            elif claim is Claim.LOST and job_id in self._tasks:
                self._tasks[job_id].cancel()

    def _stop_cancelled(self, job_id: UUID) -> None:
        if job_id in self._tasks and job_id not in self._cancelled:
            self._cancelled.add(job_id)
            self._tasks[job_id].cancel()

    async def _follow_others(self) -> None:
        """Bring jobs that are followed here and worked on elsewhere up to date."""
        for job_id, job in list(self._jobs.items()):
            if job_id in self._tasks or not job.follower_count or job.is_over:
                continue
            last_number = job.last_number
            await self._catch_up(job)
            if job.last_number == last_number and await self._store.find(job_id) is None:
                self._drop(job)  # It ended and was removed between two looks, or the store has lost it.

    async def _work(self, claimed: ClaimedJob) -> None:
        job_id = claimed.job.job_id
        task = asyncio.current_task()
        job = await self._current(claimed.job)
        await self._worker.work(
            job,
            claimed,
            is_cancelled=lambda: job_id in self._cancelled,
            is_replaced=lambda: self._tasks.get(job_id) is not task,
        )

    async def _current(self, stored: StoredJob) -> Job:
        """Return a job of the store as it is now."""
        job = self._jobs.get(stored.job_id)
        if job is not None and job.created_at < stored.created_at:
            self._drop(job)  # Removed elsewhere, and then started again under its name.
            job = None
        if job is None:
            self._drop_unused()
            job = Job(
                job_id=stored.job_id,
                owner=stored.owner,
                caller=stored.caller,
                file_name=_file_name_of(stored),
                created_at=stored.created_at,
            )
            self._jobs[stored.job_id] = job
        if stored.last_number > job.last_number:
            await self._catch_up(job, finished_at=stored.finished_at)
        return job

    async def _catch_up(self, job: Job, *, finished_at: datetime | None = None) -> None:
        for stored in await self._store.events(job.job_id, after=job.last_number):
            if stored.number > job.last_number and not job.is_over:
                event = decode_event(stored)
                job.add(event, now=finished_at or self._now(), number=stored.number)
        if job.is_over and finished_at is None and (kept := await self._store.find(job.job_id)):
            job.finished_at = kept.finished_at

    def _drop(self, job: Job) -> None:
        """Forget a job that the store does not have any more; whoever follows it learns that."""
        if self._jobs.get(job.job_id) is job:
            del self._jobs[job.job_id]
        job.interrupt(UnknownJobError(job.job_id))

    def _drop_unused(self) -> None:
        excess_count = len(self._jobs) - self.limits.max_remembered - self.limits.max_unfinished
        unused = [
            job_id
            for job_id, job in self._jobs.items()
            if job_id not in self._tasks and not job.follower_count
        ]
        for job_id in unused[: max(0, excess_count)]:
            del self._jobs[job_id]

    def _is_old(self, stored: StoredJob) -> bool:
        finished_at = stored.finished_at
        return finished_at is not None and finished_at + self.limits.retention <= self._now()

    async def _forget_old(self) -> None:
        """Remove finished jobs that are too old or too many."""
        before = self._now() - self.limits.retention
        await self._store.sweep(before=before, max_finished=self.limits.max_remembered)


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
    return cut_page(jobs, size=size, identify=lambda job: job.job_id)


def _file_name_of(stored: StoredJob) -> str:
    """Return the name of a job's recording; empty if only another version can read what was asked for."""
    try:
        return decode_details(stored.details).request.clip.name
    except ValueError:
        _log.warning("a job cannot be read", extra={"job_id": str(stored.job_id)})
        return ""


def _stopped() -> UnavailableError:
    return UnavailableError(
        Reason.DRAINING,
        "The service is shutting down. The job goes on in another replica, or in the next one; ask there.",
        retry_after_seconds=_RETRY_AFTER_SECONDS,
    )
