"""What every store of jobs does: a file of SQLite, and a real Redis, each with two gateways."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from chladni_contract.errors import QueueFullError, UnavailableError
from chladni_fixtures.state_servers import program, redis_server
from chladni_gateway.domain.storage.job_store import Claim, JobBounds, StoredEvent, StoredJob
from chladni_gateway.storage.job_redis import RedisJobStore
from chladni_gateway.storage.job_sqlite import SqliteJobStore

NOW = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
BOUNDS = JobBounds(total=4, per_owner=2, per_caller=3)
LEASE = timedelta(seconds=1)


@pytest_asyncio.fixture(params=["sqlite", "redis"])
async def stores(request, tmp_path):
    """The stores of two gateways on the same jobs."""
    if request.param == "sqlite":
        opened = [SqliteJobStore(tmp_path / "state" / "jobs.sqlite3", lease=LEASE) for _ in range(2)]
    else:
        url, prefix = request.getfixturevalue("redis").url, f"{{{uuid.uuid4()}}}:"
        opened = [RedisJobStore(url, lease=LEASE, prefix=prefix) for _ in range(2)]
        for store in opened:
            await store.open()
    yield opened
    for store in opened:
        await store.close()


minutes = itertools.count()


def new_job(owner="ann", caller="host", **facts):
    created_at = NOW + timedelta(minutes=next(minutes))
    return StoredJob(
        job_id=uuid.uuid4(), owner=owner, caller=caller, created_at=created_at, details=b"\x00\xff", **facts
    )


async def test_a_job_is_kept_with_its_events_and_forgotten_with_them(stores):
    first, second = stores
    job = new_job()
    assert await first.add(job, b"clip\xff", BOUNDS) == job
    assert await second.find(job.job_id) == job
    claimed = await second.claim()
    assert (claimed.job, claimed.clip, claimed.attempt, claimed.is_cancelled) == (job, b"clip\xff", 1, False)
    assert await first.claim() is None
    events = [StoredEvent(number, b"event %d" % number, b"preview" * (number == 2)) for number in (1, 2, 3)]
    for event in events:
        assert await second.append(job.job_id, event)
    assert await first.events(job.job_id, after=0) == events
    assert await first.events(job.job_id, after=2) == events[2:]
    assert await second.append(job.job_id, StoredEvent(4, b"preview", b"newer"))
    assert [event.preview for event in await first.events(job.job_id, after=0)] == [b"", b"", b"", b"newer"]
    assert await second.append(job.job_id, StoredEvent(5, b"end"), finished_at=NOW)
    finished = await first.find(job.job_id)
    assert finished == replace(job, finished_at=NOW, last_number=5)
    assert await first.claim() is None
    await first.sweep(before=NOW - timedelta(seconds=1), max_finished=1)
    assert await first.find(job.job_id) == finished
    await first.remove(job.job_id)
    assert await second.find(job.job_id) is None
    assert await second.events(job.job_id, after=0) == []


async def test_only_the_gateway_of_the_claim_adds_events_and_none_after_the_last(stores):
    first, second = stores
    job = await first.add(new_job(), b"", BOUNDS)
    assert not await first.append(job.job_id, StoredEvent(1, b"unclaimed"))
    await first.claim()
    event = StoredEvent(1, b"event")
    assert not await second.append(job.job_id, event)
    assert await first.append(job.job_id, event)
    assert await first.append(job.job_id, event), "the answer to the first try may have been lost"
    assert not await first.append(job.job_id, StoredEvent(1, b"another"))
    end = StoredEvent(2, b"end")
    assert await first.append(job.job_id, end, finished_at=NOW)
    assert await first.append(job.job_id, end, finished_at=NOW)
    assert not await first.append(job.job_id, StoredEvent(3, b"more"))
    assert len(await second.events(job.job_id, after=0)) == 2


async def test_an_orphan_is_claimed_by_another_gateway_and_the_first_one_has_lost_it(stores):
    first, second = stores
    job = await first.add(new_job(), b"clip", BOUNDS)
    await first.claim()
    await first.append(job.job_id, StoredEvent(1, b"event"))
    for _ in range(3):
        await asyncio.sleep(LEASE.total_seconds() / 2)
        assert await first.renew([job.job_id]) == {job.job_id: Claim.HELD}
        assert await second.claim() is None
    await asyncio.sleep(LEASE.total_seconds() * 1.2)
    claimed = await second.claim()
    assert (claimed.job.job_id, claimed.job.last_number, claimed.clip, claimed.attempt) == (
        job.job_id, 1, b"clip", 2,
    )  # fmt: skip
    assert await first.renew([job.job_id]) == {job.job_id: Claim.LOST}
    assert not await first.append(job.job_id, StoredEvent(2, b"late"))
    await first.release(job.job_id)
    assert await second.append(job.job_id, StoredEvent(2, b"event"))


async def test_a_claim_that_is_given_back_is_free_at_once_and_does_not_count(stores):
    first, second = stores
    job = await first.add(new_job(), b"clip", BOUNDS)
    for store in (first, second, first):
        claimed = await store.claim()
        assert (claimed.job.job_id, claimed.attempt) == (job.job_id, 1)
        await store.release(job.job_id)


async def test_claims_that_ran_out_do_not_count_if_their_gateway_lives(stores):
    first, second = stores
    job = await first.add(new_job(), b"clip", BOUNDS)
    for working_on in ([], [job.job_id]):
        assert (await first.claim(working_on)).attempt == 1
        await asyncio.sleep(LEASE.total_seconds() * 1.2)
    assert (await second.claim()).attempt == 2, "the first one may have ended"
    await first.release(job.job_id)
    assert await second.append(job.job_id, StoredEvent(1, b"the claim stays"))
    await second.release(job.job_id)
    assert (await first.claim()).attempt == 1


async def test_progress_forgives_the_claims_before(stores):
    first, second = stores
    job = await first.add(new_job(), b"clip", BOUNDS)
    await first.claim()
    await asyncio.sleep(LEASE.total_seconds() * 1.2)
    assert (await second.claim()).attempt == 2
    await second.append(job.job_id, StoredEvent(1, b"no progress"))
    await second.append(job.job_id, StoredEvent(2, b"a step"), is_progress=True)
    await asyncio.sleep(LEASE.total_seconds() * 1.2)
    assert (await first.claim()).attempt == 2, "that of the progress, and this one"


async def test_a_job_is_cancelled_from_any_gateway(stores):
    first, second = stores
    job, waiting = [await first.add(new_job(), b"", BOUNDS) for _ in range(2)]
    await first.claim()
    for asked in (job, waiting):
        await second.request_cancel(asked.job_id)
    assert await first.renew([job.job_id]) == {job.job_id: Claim.CANCELLED}
    assert (await second.claim()).is_cancelled
    await first.append(job.job_id, StoredEvent(1, b"cancelled"), finished_at=NOW)
    assert await first.renew([job.job_id]) == {job.job_id: Claim.LOST}


async def test_unfinished_jobs_are_limited_for_each_and_for_all(stores):
    first, second = stores
    added = [
        await store.add(new_job(owner, caller), b"", BOUNDS)
        for store, owner, caller in ((first, "ann", "x"), (second, "ann", "x"), (first, "bob", "x"))
    ]
    for owner, caller, problem in (
        ("ann", "y", "You have 2 unfinished jobs"),
        ("eve", "x", "Your host has 3 unfinished jobs"),
    ):
        with pytest.raises(QueueFullError, match=problem):
            await second.add(new_job(owner, caller), b"", BOUNDS)
        with pytest.raises(QueueFullError, match=problem):
            await second.check_room(owner, caller, BOUNDS)
    await first.add(new_job("eve", "y"), b"", BOUNDS)
    with pytest.raises(QueueFullError, match="The server works on 4 jobs"):
        await second.check_room("joe", "z", BOUNDS)
    claimed = await first.claim()
    assert claimed.job == added[0]
    await first.append(added[0].job_id, StoredEvent(1, b"end"), finished_at=NOW)
    await second.check_room("ann", "x", BOUNDS)


async def test_a_named_job_is_one_job_in_every_gateway_until_it_is_forgotten(stores):
    first, second = stores
    job = await first.add(new_job(name="ann 1"), b"", BOUNDS)
    assert await second.add(new_job(name="ann 1"), b"", BOUNDS) == job
    assert len(await second.list_owned("ann")) == 1
    await first.claim()
    await first.append(job.job_id, StoredEvent(1, b"end"), finished_at=NOW)
    await first.remove(job.job_id)
    again = new_job(name="ann 1")
    assert await second.add(again, b"", BOUNDS) == again


async def test_the_oldest_finished_jobs_are_removed_and_no_others(stores):
    first, _ = stores
    bounds = JobBounds(total=9, per_owner=9, per_caller=9)
    jobs = [await first.add(new_job(), b"", bounds) for _ in range(5)]
    assert [job.job_id for job in await first.list_owned("ann")] == [job.job_id for job in reversed(jobs)]
    for age, job in enumerate(jobs[:4]):
        await first.claim()
        await first.append(job.job_id, StoredEvent(1, b"end"), finished_at=NOW + timedelta(minutes=age))
    await first.sweep(before=NOW, max_finished=9)
    assert [job.job_id for job in await first.list_owned("ann")] == [job.job_id for job in reversed(jobs[1:])]
    await first.sweep(before=NOW, max_finished=1)
    assert {job.job_id for job in await first.list_owned("ann")} == {jobs[3].job_id, jobs[4].job_id}


async def test_a_gateway_hears_of_what_happens_in_another(stores):
    first, second = stores
    await asyncio.sleep(0.1)
    await second.wait(0.01)
    waiting = asyncio.create_task(second.wait(5.0))
    await asyncio.sleep(0.05)
    await first.add(new_job(), b"", BOUNDS)
    async with asyncio.timeout(2):
        await waiting


async def test_jobs_outlive_a_kill_of_redis_in_the_middle(tmp_path):
    if program("redis-server") is None:
        pytest.skip("NOT TESTED: no redis-server; apt-get install redis-server")
    with redis_server(tmp_path) as redis:
        store = RedisJobStore(redis.url, lease=timedelta(seconds=60))
        await store.open()
        job = await store.add(new_job(), b"clip", BOUNDS)
        await store.claim()
        await store.append(job.job_id, StoredEvent(1, b"event"))
        redis.kill()
        for ask in (
            store.find(job.job_id),
            store.append(job.job_id, StoredEvent(2, b"event")),
            store.claim(),
        ):
            with pytest.raises(UnavailableError, match="does not answer"):
                await ask
        redis.start()
        assert await store.append(job.job_id, StoredEvent(2, b"event"))
        redis.stop()
        redis.start()
        assert [event.number for event in await store.events(job.job_id, after=0)] == [1, 2]
        assert await store.renew([job.job_id]) == {job.job_id: Claim.HELD}
        await store.close()


class FailingCommit:
    """A connection whose first commit fails and leaves its transaction open, as a broken disk may."""

    def __init__(self, connection):
        self._connection = connection
        self._has_failed = False

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def execute(self, statement, *values):
        if statement == "COMMIT" and not self._has_failed:
            self._has_failed = True
            raise sqlite3.OperationalError("disk I/O error")
        return self._connection.execute(statement, *values)


async def test_a_write_that_cannot_be_finished_is_undone_and_the_next_one_works():
    store = SqliteJobStore(None)
    store._connection = FailingCommit(store._connection)
    lost, kept = new_job(), new_job()
    with pytest.raises(UnavailableError):
        await store.add(lost, b"", BOUNDS)
    await store.add(kept, b"", BOUNDS)
    assert await store.list_owned("ann") == [kept]
    await store.close()


async def test_a_full_redis_takes_no_jobs_and_lets_those_that_it_has_end(tmp_path):
    if program("redis-server") is None:
        pytest.skip("NOT TESTED: no redis-server; apt-get install redis-server")
    with redis_server(tmp_path) as redis:
        store = RedisJobStore(redis.url)
        await store.open()
        job, waiting = [await store.add(new_job(), b"clip", BOUNDS) for _ in range(2)]
        await store.claim()
        await store._redis.config_set("maxmemory", 1)
        with pytest.raises(UnavailableError):
            await store.add(new_job("bob"), b"clip", BOUNDS)
        assert await store.append(job.job_id, StoredEvent(1, b"event", b"preview"))
        assert await store.append(job.job_id, StoredEvent(2, b"end"), finished_at=NOW)
        assert (await store.claim()).job == waiting
        await store.release(waiting.job_id)
        await store.request_cancel(waiting.job_id)
        assert (await store.claim()).is_cancelled
        await store.close()


async def test_a_redis_that_is_not_there_is_told_at_once():
    with pytest.raises(UnavailableError, match="does not answer"):
        await RedisJobStore("redis://127.0.0.1:1/0").open()


def test_a_file_that_cannot_be_opened_is_told_at_once(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UnavailableError, match="The storage of jobs"):
        SqliteJobStore(tmp_path / "file" / "jobs.sqlite3")


async def test_a_report_is_kept_with_the_end_of_its_job_until_it_is_delivered(stores):
    first, second = stores
    jobs = [await first.add(new_job(), b"", BOUNDS) for _ in range(2)]
    for job in jobs:
        assert (await first.claim()).job == job
        assert not await second.append(job.job_id, StoredEvent(1, b"end"), finished_at=NOW, report=b"no")
        for _ in range(2):
            assert await first.append(job.job_id, StoredEvent(1, b"end"), finished_at=NOW, report=b"\x00r")
        await first.remove(job.job_id)
    report = await second.claim_report(lease_seconds=0.2)
    other = await first.claim_report(lease_seconds=60)
    assert {report.job_id, other.job_id} == {job.job_id for job in jobs}
    assert (report.content, report.attempt) == (b"\x00r", 1)
    assert await first.claim_report(lease_seconds=60) is None
    await asyncio.sleep(0.25)
    again = await first.claim_report(lease_seconds=60)
    assert again == replace(report, attempt=2)
    await first.postpone_report(report.job_id, seconds=-1, is_attempt=False)
    assert await second.claim_report(lease_seconds=60) == again
    for one in (report, other):
        await second.remove_report(one.job_id)
        await second.postpone_report(one.job_id, seconds=-1)
    assert await first.claim_report(lease_seconds=60) is None
