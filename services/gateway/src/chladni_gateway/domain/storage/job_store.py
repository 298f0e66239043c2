"""Where accepted jobs are kept, so that they outlive the gateway that works on them: the interface.

A store knows nothing of images: what was asked for and what happened are bytes to it. It decides who works
on a job. A gateway *claims* a job for a short time and renews the claim while it lives; a job whose claim has
run out is an orphan, and any gateway may claim it. Only the gateway of the claim can add events, and none
after the last one, so a job ends once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from chladni_contract.errors import QueueFullError

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

_RETRY_AFTER_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredJob:
    """A job as it is kept.

    Attributes:
        job_id: Identifier.
        owner: Whose job it is; empty for nobody's.
        caller: Who asked for it.
        created_at: When it was asked for.
        details: What was asked for, without the clip.
        name: Name by which a retry is the same job; empty if it has none.
        finished_at: When it ended; `None` while it is unfinished.
        last_number: Number of its last event; 0 if it has none.
    """

    job_id: UUID
    owner: str
    caller: str
    created_at: datetime
    details: bytes
    name: str = ""
    finished_at: datetime | None = None
    last_number: int = 0


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that this gateway has claimed.

    Attributes:
        job: The job.
        clip: The recording, which is kept until the job ends.
        attempt: How often it was claimed since it made progress, this time included, without the claims of
            gateways that live.
        is_cancelled: Whether its owner wants no image any more.
    """

    job: StoredJob
    clip: bytes
    attempt: int
    is_cancelled: bool


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it is kept.

    Attributes:
        number: Number in its job, from 1.
        content: What happened.
        preview: Preview of the image; only that of the last event that had one is kept.
    """

    number: int
    content: bytes
    preview: bytes = b""


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A report of the end of a job to a webhook, which is to be delivered.

    Attributes:
        job_id: The job, which may be forgotten already.
        content: The report.
        attempt: How often it was claimed, this time included.
    """

    job_id: UUID
    content: bytes
    attempt: int


class Claim(Enum):
    """What has become of a claim."""

    HELD = auto()
    CANCELLED = auto()  # Held, and the owner wants no image any more.
    LOST = auto()  # Another gateway has the job, or it has ended.


@dataclass(frozen=True, slots=True, kw_only=True)
class JobBounds:
    """Unfinished jobs at most.

    Attributes:
        total: In all.
        per_owner: Of one owner.
        per_caller: Of one caller, who may be as many owners as it likes.
    """

    total: int
    per_owner: int
    per_caller: int

    def check(self, *, owner_count: int, caller_count: int, total_count: int) -> None:
        """Require room for one more job.

        Args:
            owner_count: Unfinished jobs of its owner.
            caller_count: Unfinished jobs of its caller.
            total_count: Unfinished jobs in all.

        Raises:
            QueueFullError: There is none.
        """
        if owner_count >= self.per_owner:
            raise _no_room(f"You have {owner_count} unfinished jobs, the limit", owner_count)
        if caller_count >= self.per_caller:
            raise _no_room(f"Your host has {caller_count} unfinished jobs, the limit", caller_count)
        if total_count >= self.total:
            raise _no_room(f"The server works on {total_count} jobs, the limit", total_count)


class JobStore(Protocol):
    """Keeps jobs. Methods raise `UnavailableError` (STORAGE_UNAVAILABLE) if the store does not answer."""

    async def check_room(self, owner: str, caller: str, bounds: JobBounds) -> None:
        """Require room for a job, which `add` demands again.

        Raises:
            QueueFullError: There is none.
        """
        ...

    async def add(self, job: StoredJob, clip: bytes, bounds: JobBounds) -> StoredJob:
        """Keep a job, durably; return it, or the earlier one of its identifier or name.

        Raises:
            QueueFullError: Too many jobs are unfinished.
        """
        ...

    async def find(self, job_id: UUID) -> StoredJob | None:
        """Return a job; `None` if there is none of this identifier."""
        ...

    async def list_owned(self, owner: str) -> Sequence[StoredJob]:
        """Return the jobs of an owner, the newest first."""
        ...

    async def events(self, job_id: UUID, *, after: int) -> Sequence[StoredEvent]:
        """Return the events of a job whose numbers are above `after`, in order."""
        ...

    async def claim(self, working_on: Container[UUID] = ()) -> ClaimedJob | None:
        """Claim the oldest job that no gateway works on; `None` if there is none.

        Args:
            working_on: Jobs that this gateway works on. One whose claim ran out may be claimed again; that is
                no further attempt.
        """
        ...

    async def renew(self, job_ids: Sequence[UUID]) -> Mapping[UUID, Claim]:
        """Renew the claims of this gateway; return what has become of each."""
        ...

    async def append(
        self,
        job_id: UUID,
        event: StoredEvent,
        *,
        finished_at: datetime | None = None,
        report: bytes = b"",
        is_progress: bool = False,
    ) -> bool:
        """Add an event to a job that this gateway has claimed; return whether it has it still.

        Adding the same event again changes nothing.

        Args:
            job_id: The job.
            event: What happened; its number follows that of the last event.
            finished_at: When the job ended, if this is its last event: its recording is removed.
            report: What is to be delivered to a webhook from now on, with the last event; empty for nothing.
            is_progress: Whether the job has come further than in any claim before: those do not count now.
        """
        ...

    async def claim_report(self, *, lease_seconds: float) -> StoredReport | None:
        """Claim the report that is due for longest; `None` if none is.

        Args:
            lease_seconds: Time after which it is due again, unless it is removed or postponed before.
        """
        ...

    async def postpone_report(self, job_id: UUID, *, seconds: float, is_attempt: bool = True) -> None:
        """Make a report due after a time; an unknown one is ignored.

        Args:
            job_id: Its job.
            seconds: The time.
            is_attempt: Whether the claim counts as an attempt.
        """
        ...

    async def remove_report(self, job_id: UUID) -> None:
        """Remove a report; an unknown one is ignored."""
        ...

    async def release(self, job_id: UUID) -> None:
        """Give a claim back, so that any gateway may claim the job at once; it does not count as an attempt.

        Nor does it if the claim ran out, and another gateway has the job, which keeps it.
        """
        ...

    async def request_cancel(self, job_id: UUID) -> None:
        """Tell the gateway that works on a job, or the next one, to end it as cancelled."""
        ...

    async def remove(self, job_id: UUID) -> None:
        """Remove a finished job and its events; an unknown one is ignored."""
        ...

    async def sweep(self, *, before: datetime, max_finished: int) -> None:
        """Remove jobs that ended before a time, and the oldest of more finished ones than may be kept."""
        ...

    async def wait(self, timeout_seconds: float) -> None:
        """Return when something may have happened to any job, or after a time."""
        ...

    async def close(self) -> None:
        """Close the store."""
        ...


LEASE: timedelta = timedelta(seconds=15)
"""Time for which a claim holds without being renewed."""
MAX_EVENTS = 512
"""Events of a job that are kept; the oldest go first."""


def _no_room(problem: str, count: int) -> QueueFullError:
    return QueueFullError(
        f"{problem}. Wait for one to end, or cancel one.",
        retry_after_seconds=_RETRY_AFTER_SECONDS,
        metadata={"count": count, "maximum": count},
    )
