"""Jobs in a file of SQLite on this machine: the default. Gateways on the same machine may share it."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID, uuid4

from chladni_contract.errors import Reason, UnavailableError
from chladni_gateway.domain.storage.job_store import (
    LEASE,
    MAX_EVENTS,
    Claim,
    ClaimedJob,
    JobBounds,
    StoredEvent,
    StoredJob,
    StoredReport,
)

_BUSY_SECONDS: Final = 5.0
_MAX_LOG_BYTES: Final = 64 * 1024 * 1024
_POLL_SECONDS: Final = 0.5  # Another process on the same file says nothing.
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS jobs (
  job_id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, caller TEXT NOT NULL, name TEXT NOT NULL,
  created_at REAL NOT NULL, details BLOB NOT NULL, clip BLOB, finished_at REAL, last_number INTEGER NOT NULL,
  worker TEXT, lease_until REAL, attempts INTEGER NOT NULL, is_cancelled INTEGER NOT NULL,
  preview BLOB, preview_number INTEGER
);
CREATE INDEX IF NOT EXISTS jobs_by_owner ON jobs (owner);
CREATE INDEX IF NOT EXISTS unfinished_jobs ON jobs (finished_at);
CREATE UNIQUE INDEX IF NOT EXISTS jobs_by_name ON jobs (name) WHERE name <> '';
CREATE TABLE IF NOT EXISTS events (
  job_id TEXT NOT NULL, number INTEGER NOT NULL, content BLOB NOT NULL, PRIMARY KEY (job_id, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reports (
  job_id TEXT PRIMARY KEY, content BLOB NOT NULL, due_at REAL NOT NULL, attempts INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS due_reports ON reports (due_at);
"""
_JOB: Final = "job_id, owner, caller, created_at, details, name, finished_at, last_number"
_BY_ID: Final = f"SELECT {_JOB} FROM jobs WHERE job_id = ?"  # noqa: S608 - constants
_BY_NAME: Final = f"SELECT {_JOB} FROM jobs WHERE name = ?"  # noqa: S608 - constants
_BY_OWNER: Final = f"SELECT {_JOB} FROM jobs WHERE owner = ? ORDER BY rowid DESC"  # noqa: S608 - constants
_CLAIMABLE: Final = (
    f"SELECT {_JOB}, clip, attempts, is_cancelled FROM jobs"  # noqa: S608 - constants
    " WHERE finished_at IS NULL AND (worker IS NULL OR lease_until <= ?) ORDER BY rowid LIMIT 1"
)
_DUE: Final = "SELECT job_id, content, attempts FROM reports WHERE due_at <= ? ORDER BY due_at LIMIT 1"
_OLD: Final = (
    "SELECT job_id FROM jobs WHERE finished_at <= ? UNION SELECT job_id FROM (SELECT job_id FROM jobs"
    " WHERE finished_at IS NOT NULL ORDER BY finished_at DESC, rowid DESC LIMIT -1 OFFSET ?)"
)

_log = logging.getLogger(__name__)
_ResultT = TypeVar("_ResultT")


class SqliteJobStore:
    """Keeps jobs in a file of SQLite. Its work runs on threads.

    Args:
        path: The file; made, with its folder, if absent. `None` keeps the jobs in memory.
        lease: Time for which a claim holds without being renewed.
        clock: Time in seconds that the gateways of the file share.

    Raises:
        UnavailableError: The file cannot be opened.
    """

    def __init__(
        self, path: Path | None, *, lease: timedelta = LEASE, clock: Callable[[], float] = time.time
    ) -> None:
        self._worker: Final = uuid4().hex
        self._lease_seconds = lease.total_seconds()
        self._clock = clock
        self._lock = threading.Lock()
        self._changed = asyncio.Event()
        with _answering():
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                path.touch(mode=0o600)
            self._connection = sqlite3.connect(
                path or ":memory:", timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(f"PRAGMA journal_size_limit = {_MAX_LOG_BYTES}")
            # A recording that is removed is overwritten.
            self._connection.execute("PRAGMA secure_delete = ON")
            self._connection.executescript(_SCHEMA)

    async def check_room(self, owner: str, caller: str, bounds: JobBounds) -> None:
        """Require room for a job; see `JobStore`."""
        await self._run(lambda: self._check_room(owner, caller, bounds), is_reading=True)

    async def add(self, job: StoredJob, clip: bytes, bounds: JobBounds) -> StoredJob:
        """Keep a job; see `JobStore`."""

        def insert() -> StoredJob:
            known = self._one(_BY_ID, str(job.job_id)) or (job.name and self._one(_BY_NAME, job.name))
            if known:
                return _job_of(known)
            self._check_room(job.owner, job.caller, bounds)
            self._connection.execute(
                "INSERT INTO jobs (job_id, owner, caller, name, created_at, details, clip, last_number,"
                " attempts, is_cancelled) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0)",
                (
                    str(job.job_id),
                    job.owner,
                    job.caller,
                    job.name,
                    job.created_at.timestamp(),
                    job.details,
                    clip,
                ),
            )
            return job

        added = await self._run(insert, is_durable=True)
        self._changed.set()
        return added

    async def find(self, job_id: UUID) -> StoredJob | None:
        """Return a job; see `JobStore`."""
        row = await self._run(lambda: self._one(_BY_ID, str(job_id)), is_reading=True)
        return None if row is None else _job_of(row)

    async def list_owned(self, owner: str) -> Sequence[StoredJob]:
        """Return the jobs of an owner; see `JobStore`."""
        rows = await self._run(lambda: self._all(_BY_OWNER, owner), is_reading=True)
        return [_job_of(row) for row in rows]

    async def events(self, job_id: UUID, *, after: int) -> Sequence[StoredEvent]:
        """Return the events of a job; see `JobStore`."""

        def select() -> list[StoredEvent]:
            rows = self._all(
                "SELECT number, content FROM events WHERE job_id = ? AND number > ? ORDER BY number",
                str(job_id),
                after,
            )
            row: Any = self._one("SELECT preview_number, preview FROM jobs WHERE job_id = ?", str(job_id))
            number, preview = row or (None, b"")
            return [StoredEvent(item[0], item[1], preview if item[0] == number else b"") for item in rows]

        return await self._run(select, is_reading=True)

    async def claim(self, working_on: Container[UUID] = ()) -> ClaimedJob | None:
        """Claim a job; see `JobStore`."""
        now = self._clock()
        if await self._run(lambda: self._one(_CLAIMABLE, now), is_reading=True) is None:
            return None

        def take() -> ClaimedJob | None:
            row = self._one(_CLAIMABLE, now)
            if row is None:
                return None
            *job, clip, attempts, is_cancelled = row
            attempt = attempts + (UUID(job[0]) not in working_on)
            self._connection.execute(
                "UPDATE jobs SET worker = ?, lease_until = ?, attempts = ? WHERE job_id = ?",
                (self._worker, now + self._lease_seconds, attempt, job[0]),
            )
            return ClaimedJob(_job_of(job), clip, attempt, bool(is_cancelled))

        return await self._run(take)

    async def renew(self, job_ids: Sequence[UUID]) -> Mapping[UUID, Claim]:
        """Renew claims; see `JobStore`."""

        def update() -> dict[UUID, Claim]:
            claims = {}
            for job_id in job_ids:
                row = self._one(
                    "UPDATE jobs SET lease_until = ? WHERE job_id = ? AND worker = ? AND finished_at IS NULL"
                    " RETURNING is_cancelled",
                    self._clock() + self._lease_seconds,
                    str(job_id),
                    self._worker,
                )
                claims[job_id] = Claim.LOST if row is None else Claim.CANCELLED if row[0] else Claim.HELD
            return claims

        return await self._run(update) if job_ids else {}

    async def append(
        self,
        job_id: UUID,
        event: StoredEvent,
        *,
        finished_at: datetime | None = None,
        report: bytes = b"",
        is_progress: bool = False,
    ) -> bool:
        """Add an event; see `JobStore`."""

        def insert() -> bool:
            row = self._one("SELECT worker, last_number, finished_at FROM jobs WHERE job_id = ?", str(job_id))
            if row is None or row[0] != self._worker:
                return False
            if row[1] >= event.number:
                known = self._one(
                    "SELECT content FROM events WHERE job_id = ? AND number = ?", str(job_id), event.number
                )
                return known is not None and bytes(known[0]) == event.content
            if row[2] is not None:
                return False
            self._connection.execute(
                "INSERT INTO events (job_id, number, content) VALUES (?, ?, ?)",
                (str(job_id), event.number, event.content),
            )
            self._connection.execute(
                "DELETE FROM events WHERE job_id = ? AND number <= ?",
                (str(job_id), event.number - MAX_EVENTS),
            )
            self._connection.execute(
                "UPDATE jobs SET last_number = ?, attempts = IIF(?, 1, attempts) WHERE job_id = ?",
                (event.number, is_progress, str(job_id)),
            )
            if event.preview:
                self._connection.execute(
                    "UPDATE jobs SET preview = ?, preview_number = ? WHERE job_id = ?",
                    (event.preview, event.number, str(job_id)),
                )
            if finished_at is not None:
                self._connection.execute(
                    "UPDATE jobs SET finished_at = ?, clip = NULL WHERE job_id = ?",
                    (finished_at.timestamp(), str(job_id)),
                )
            if report:
                self._connection.execute(
                    "INSERT INTO reports (job_id, content, due_at, attempts) VALUES (?, ?, ?, 0)",
                    (str(job_id), report, self._clock()),
                )
            return True

        return await self._run(insert, is_durable=finished_at is not None)

    async def claim_report(self, *, lease_seconds: float) -> StoredReport | None:
        """Claim a report; see `JobStore`."""
        now = self._clock()
        if await self._run(lambda: self._one(_DUE, now), is_reading=True) is None:
            return None

        def take() -> StoredReport | None:
            row = self._one(_DUE, now)
            if row is None:
                return None
            job_id, content, attempts = row
            self._connection.execute(
                "UPDATE reports SET due_at = ?, attempts = attempts + 1 WHERE job_id = ?",
                (now + lease_seconds, job_id),
            )
            return StoredReport(UUID(job_id), content, attempts + 1)

        return await self._run(take)

    async def postpone_report(self, job_id: UUID, *, seconds: float, is_attempt: bool = True) -> None:
        """Make a report due later; see `JobStore`."""
        await self._run(
            lambda: self._connection.execute(
                "UPDATE reports SET due_at = ?, attempts = attempts - ? WHERE job_id = ?",
                (self._clock() + seconds, 0 if is_attempt else 1, str(job_id)),
            )
        )

    async def remove_report(self, job_id: UUID) -> None:
        """Remove a report; see `JobStore`."""
        await self._run(
            lambda: self._connection.execute("DELETE FROM reports WHERE job_id = ?", (str(job_id),))
        )

    async def release(self, job_id: UUID) -> None:
        """Give a claim back; see `JobStore`."""
        await self._change(
            "UPDATE jobs SET worker = NULLIF(worker, ?1),"
            " attempts = MAX(COALESCE(worker <> ?1, 0), attempts - 1)"
            " WHERE job_id = ?2 AND finished_at IS NULL",
            self._worker,
            str(job_id),
        )

    async def request_cancel(self, job_id: UUID) -> None:
        """Ask for the end of a job; see `JobStore`."""
        await self._change("UPDATE jobs SET is_cancelled = 1 WHERE job_id = ?", str(job_id))

    async def remove(self, job_id: UUID) -> None:
        """Remove a job; see `JobStore`."""
        await self._run(lambda: self._remove([str(job_id)]))

    async def sweep(self, *, before: datetime, max_finished: int) -> None:
        """Remove old jobs; see `JobStore`."""

        def old() -> list[str]:
            return [row[0] for row in self._all(_OLD, before.timestamp(), max_finished)]

        job_ids = await self._run(old, is_reading=True)
        if job_ids:
            await self._run(lambda: self._remove(job_ids))

    async def wait(self, timeout_seconds: float) -> None:
        """Wait for a change; see `JobStore`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(min(timeout_seconds, _POLL_SECONDS)):
                await self._changed.wait()
        self._changed.clear()

    async def close(self) -> None:
        """Close the file."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._lock:
            self._connection.close()

    async def _change(self, statement: str, *values: object) -> None:
        await self._run(lambda: self._connection.execute(statement, values))
        self._changed.set()

    async def _run(
        self, work: Callable[[], _ResultT], *, is_durable: bool = False, is_reading: bool = False
    ) -> _ResultT:
        """Run work in a transaction on a thread; a durable one is on the disk when it returns."""

        def in_transaction() -> _ResultT:
            with _answering(), self._lock:
                # The log of WAL outlives the process in any case; only FULL outlives the machine.
                self._connection.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'NORMAL'}")
                self._connection.execute("BEGIN" if is_reading else "BEGIN IMMEDIATE")
                try:
                    result = work()
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:  # A full disk may have ended it already.
                        self._connection.execute("ROLLBACK")
                    raise
                return result

        return await asyncio.to_thread(in_transaction)

    def _check_room(self, owner: str, caller: str, bounds: JobBounds) -> None:
        counts = self._one(
            "SELECT COALESCE(SUM(owner = ?), 0), COALESCE(SUM(caller = ?), 0), COUNT(*) FROM jobs"
            " WHERE finished_at IS NULL",
            owner,
            caller,
        )
        assert counts is not None, "an aggregate has one row"  # noqa: S101
        bounds.check(owner_count=counts[0], caller_count=counts[1], total_count=counts[2])

    def _remove(self, job_ids: Sequence[str]) -> None:
        for job_id in job_ids:
            self._connection.execute("DELETE FROM events WHERE job_id = ?", (job_id,))
            self._connection.execute("DELETE FROM jobs WHERE job_id = ?", (job_id,))

    def _one(self, statement: str, *values: object) -> Any:
        return self._connection.execute(statement, values).fetchone()

    def _all(self, statement: str, *values: object) -> list[Any]:
        return self._connection.execute(statement, values).fetchall()


def _job_of(row: Sequence[Any]) -> StoredJob:
    job_id, owner, caller, created_at, details, name, finished_at, last_number = row
    return StoredJob(
        job_id=UUID(job_id),
        owner=owner,
        caller=caller,
        created_at=datetime.fromtimestamp(created_at, UTC),
        details=details,
        name=name,
        finished_at=None if finished_at is None else datetime.fromtimestamp(finished_at, UTC),
        last_number=last_number,
    )


@contextmanager
def _answering() -> Iterator[None]:
    """Turn faults of the file into errors that callers may see."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        _log.exception("the file of jobs failed")
        raise UnavailableError(
            Reason.STORAGE_UNAVAILABLE,
            "The storage of jobs does not work: the file system refused it. Try again later.",
            retry_after_seconds=5.0,
        ) from error
