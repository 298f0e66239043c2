"""Jobs in Redis, which several gateways share: a stream with a consumer group hands them out.

    queue                 stream of the identifiers of unfinished jobs; the group is that of the gateways
    job:<id>              hash of what is kept with a job; `worker` is the gateway that has claimed it
    clip:<id>             its recording, while it is unfinished
    events:<id>           stream of its events; the event of number N has the identifier N-0
    preview:<id>          hash of the newest preview and the number of its event
    unfinished...         sets of unfinished jobs: of all, of an owner, of a caller
    owned:<owner>         an owner's jobs by the time of their start
    finished              finished jobs by the time of their end
    name:<name>           the job that has a name
    reports               jobs whose end is to be reported to a webhook, by when that is due
    report:<id>           hash of the report and of how often it was claimed
    changes               channel that says that something has happened

Whatever reads and then writes is one script, which Redis runs as a whole. What Redis has acknowledged
outlives it only if it writes its log: `appendonly yes`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Container, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

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
from chladni_gateway.storage.job_redis_scripts import SCRIPTS

_GROUP: Final = "gateways"
_CONNECT_SECONDS: Final = 2.0
_ANSWER_SECONDS: Final = 5.0
_TRIES: Final = 3
_FULL: Final = b"full"
_ADDED: Final = b"added"

_log = logging.getLogger(__name__)


class RedisJobStore:
    """Keeps jobs in Redis.

    Args:
        url: Address of Redis, such as ``redis://redis:6379/0``, or ``rediss://`` for TLS.
        lease: Time for which a claim holds without being renewed.
        prefix: Beginning of all keys; in braces, so that a cluster keeps them together.
    """

    def __init__(self, url: str, *, lease: timedelta = LEASE, prefix: str = "{chladni}:") -> None:
        # Its types do not know what it is asked for.
        self._redis: Any = Redis.from_url(
            url,
            socket_connect_timeout=_CONNECT_SECONDS,
            socket_timeout=_ANSWER_SECONDS,
            retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), _TRIES),
            retry_on_error=[RedisConnectionError, RedisTimeoutError],
        )
        self._prefix = prefix
        self._lease_ms = round(lease.total_seconds() * 1000)
        self._worker: Final = uuid4().hex
        self._scripts = {name: self._redis.register_script(text) for name, text in SCRIPTS.items()}
        self._changed = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect, and make the group of the gateways.

        Raises:
            UnavailableError: Redis does not answer.
        """
        async with _answering():
            await self._make_group()
        self._listening = asyncio.create_task(self._listen())

    async def check_room(self, owner: str, caller: str, bounds: JobBounds) -> None:
        """Require room for a job; see `JobStore`."""
        async with _answering(), self._redis.pipeline(transaction=True) as pipeline:
            for name in (f"unfinished:owner:{owner}", f"unfinished:caller:{caller}", "unfinished"):
                pipeline.scard(self._key(name))
            own, host, total = await pipeline.execute()
        bounds.check(owner_count=own, caller_count=host, total_count=total)

    async def add(self, job: StoredJob, clip: bytes, bounds: JobBounds) -> StoredJob:
        """Keep a job; see `JobStore`."""
        answer = await self._call(
            "add", job.job_id, job.owner, job.caller, job.created_at.timestamp(), job.details, job.name, clip,
            bounds.per_owner, bounds.per_caller, bounds.total,
        )  # fmt: skip
        if answer[0] == _FULL:
            bounds.check(owner_count=answer[1], caller_count=answer[2], total_count=answer[3])
        known_id = UUID(answer[1].decode())
        return job if answer[0] == _ADDED else await self.find(known_id) or job

    async def find(self, job_id: UUID) -> StoredJob | None:
        """Return a job; see `JobStore`."""
        async with _answering():
            facts = await self._redis.hgetall(self._key(f"job:{job_id}"))
        return _job_of(job_id, facts) if facts else None

    async def list_owned(self, owner: str) -> Sequence[StoredJob]:
        """Return the jobs of an owner; see `JobStore`."""
        async with _answering(), self._redis.pipeline(transaction=False) as pipeline:
            names = await self._redis.zrevrange(self._key(f"owned:{owner}"), 0, -1)
            for name in names:
                pipeline.hgetall(self._key(f"job:{name.decode()}"))
            found = await pipeline.execute()
        return [
            _job_of(UUID(name.decode()), facts) for name, facts in zip(names, found, strict=True) if facts
        ]

    async def events(self, job_id: UUID, *, after: int) -> Sequence[StoredEvent]:
        """Return the events of a job; see `JobStore`."""
        async with _answering(), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.xrange(self._key(f"events:{job_id}"), min=f"({after}-0" if after else "-")
            pipeline.hmget(self._key(f"preview:{job_id}"), "number", "preview")
            entries, (number, preview) = await pipeline.execute()
        preview_number = int(number) if number else 0
        found = []
        for entry, fields in entries:
            event_number = int(entry.partition(b"-")[0])
            has_preview = event_number == preview_number
            found.append(StoredEvent(event_number, fields[b"content"], preview if has_preview else b""))
        return found

    async def claim(self, working_on: Container[UUID] = ()) -> ClaimedJob | None:
        """Claim a job; see `JobStore`."""
        async with _answering():
            while (entry := await self._next_entry()) is not None:
                entry_id, job_id = entry
                answer = await self._scripts["claim"](
                    keys=[self._prefix],
                    args=[job_id, self._worker, entry_id, _GROUP, int(UUID(job_id) not in working_on)],
                )
                job = await self.find(UUID(job_id)) if answer else None
                if job is not None:
                    attempt, is_cancelled, clip = answer
                    return ClaimedJob(job, clip, int(attempt), is_cancelled == b"1")
        return None

    async def renew(self, job_ids: Sequence[UUID]) -> Mapping[UUID, Claim]:
        """Renew claims; see `JobStore`."""
        if not job_ids:
            return {}
        answers = await self._call("renew", self._worker, _GROUP, *job_ids)
        return {
            job_id: Claim[answer.decode().upper()] for job_id, answer in zip(job_ids, answers, strict=True)
        }

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
        return bool(
            await self._call(
                "append", job_id, self._worker, event.number, event.content, event.preview,
                "" if finished_at is None else finished_at.timestamp(), MAX_EVENTS, _GROUP, report,
                int(is_progress),
            )
        )  # fmt: skip

    async def claim_report(self, *, lease_seconds: float) -> StoredReport | None:
        """Claim a report; see `JobStore`."""
        answer = await self._call("claim_report", lease_seconds)
        if answer is None:
            return None
        job_id, content, attempt = answer
        return StoredReport(UUID(job_id.decode()), content, attempt)

    async def postpone_report(self, job_id: UUID, *, seconds: float, is_attempt: bool = True) -> None:
        """Make a report due later; see `JobStore`."""
        await self._call("postpone_report", job_id, seconds, int(is_attempt))

    async def remove_report(self, job_id: UUID) -> None:
        """Remove a report; see `JobStore`."""
        await self._call("remove_report", job_id)

    async def release(self, job_id: UUID) -> None:
        """Give a claim back; see `JobStore`."""
        await self._call("release", job_id, self._worker, _GROUP)

    async def request_cancel(self, job_id: UUID) -> None:
        """Ask for the end of a job; see `JobStore`."""
        await self._call("cancel", job_id)

    async def remove(self, job_id: UUID) -> None:
        """Remove a job; see `JobStore`."""
        await self._call("remove", job_id)

    async def sweep(self, *, before: datetime, max_finished: int) -> None:
        """Remove old jobs; see `JobStore`."""
        async with _answering():
            old = await self._redis.zrangebyscore(self._key("finished"), "-inf", before.timestamp())
            excess = await self._redis.zrange(self._key("finished"), 0, -max_finished - 1)
            if old or excess:
                await self._scripts["remove"](keys=[self._prefix], args=[*{*old, *excess}])

    async def wait(self, timeout_seconds: float) -> None:
        """Wait for a change; see `JobStore`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._changed.wait()
        self._changed.clear()

    async def close(self) -> None:
        """Close the connections."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        with suppress(RedisError, OSError):
            await self._redis.aclose()

    async def _next_entry(self) -> tuple[str, str] | None:
        """Return the entry and the job of an orphan, or else of a new job, that is now this gateway's."""
        try:
            _, orphans, *_ = await self._redis.xautoclaim(
                self._key("queue"), _GROUP, self._worker, self._lease_ms, count=1
            )
            if not orphans:
                answer = await self._redis.xreadgroup(
                    _GROUP, self._worker, {self._key("queue"): ">"}, count=1
                )
                orphans = answer[0][1] if answer else []
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            await self._make_group()  # Redis lost what it had.
            return None
        if not orphans:
            return None
        entry_id, fields = orphans[0]
        return entry_id.decode(), fields[b"job"].decode()

    async def _make_group(self) -> None:
        try:
            await self._redis.xgroup_create(self._key("queue"), _GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def _listen(self) -> None:
        """Note that something has happened, whenever a gateway says so."""
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(self._key("changes"))
                    while True:
                        if await channel.get_message(timeout=_ANSWER_SECONDS / 2) is not None:
                            self._changed.set()
            except (RedisError, OSError) as error:
                _log.warning(
                    "changes of jobs are not heard of, only looked for", extra={"detail": str(error)}
                )
                await asyncio.sleep(1.0)

    async def _call(self, script: str, *values: Any) -> Any:
        arguments = [str(value) if isinstance(value, UUID) else value for value in values]
        async with _answering():
            return await self._scripts[script](keys=[self._prefix], args=arguments)

    def _key(self, name: str) -> str:
        return self._prefix + name


def _job_of(job_id: UUID, facts: Mapping[bytes, bytes]) -> StoredJob:
    finished_at = facts[b"finished_at"]
    return StoredJob(
        job_id=job_id,
        owner=facts[b"owner"].decode(),
        caller=facts[b"caller"].decode(),
        created_at=datetime.fromtimestamp(float(facts[b"created_at"]), UTC),
        details=facts[b"details"],
        name=facts[b"name"].decode(),
        finished_at=datetime.fromtimestamp(float(finished_at), UTC) if finished_at else None,
        last_number=int(facts[b"last_number"]),
    )


@asynccontextmanager
async def _answering() -> AsyncIterator[None]:
    """Turn faults of Redis into errors that callers may see."""
    try:
        yield
    except (RedisError, OSError) as error:
        _log.warning("Redis failed", extra={"detail": str(error)})
        raise UnavailableError(
            Reason.STORAGE_UNAVAILABLE,
            "The storage of jobs does not answer. Try again later.",
            retry_after_seconds=2.0,
        ) from error
