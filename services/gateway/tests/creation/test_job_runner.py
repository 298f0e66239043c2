"""Jobs and the runner of them, over a creator in memory."""

from __future__ import annotations

import asyncio
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from chladni_contract.errors import FaultError, Reason, UnavailableError
from chladni_gateway.creation.job import Cancelled, Done, Failed, JobState
from chladni_gateway.creation.job_runner import UnknownJobError
from chladni_gateway.creation.operations import Operation
from chladni_gateway.domain.events import Analyzed, Started
from chladni_gateway.domain.stages import Stage
from chladni_gateway.domain.storage.job_store import Claim, StoredEvent, StoredJob
from chladni_gateway.storage.job_sqlite import SqliteJobStore
from chladni_runtime.failpoints import parse_failpoints
from chladni_runtime.telemetry.scope import Telemetry, observed
from chladni_runtime.telemetry.work_metrics import WorkMetrics

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def test_a_job_ends_with_its_image(new_script, job_runner_over, record, running, collect, request_of):
    script = new_script()
    job_runner = job_runner_over(script)
    job = await job_runner.start(request_of("ann"))
    assert (job.file_name, job.status.state) == ("a.wav", JobState.ANALYZING)
    await running(script)
    assert (job.status.state, script.running) == (JobState.RUNNING, 1)
    script.may_go_on.set()
    events = await collect(job)
    assert [type(event) for _, event in events] == [Analyzed, Started, Done]
    assert job.status.record is record
    assert await job_runner.find(job.job_id, owner="ann") is job


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FaultError(Reason.OUT_OF_MEMORY, "Too big."), Reason.OUT_OF_MEMORY),
        (RuntimeError("secret"), Reason.INTERNAL),
    ],
)
async def test_a_job_that_fails_says_why_and_nothing_else(
    error, reason, new_script, request_of, job_runner_over, collect
):
    script = new_script()
    script.error = error
    script.may_go_on.set()
    job = await job_runner_over(script).start(request_of("ann"))
    assert isinstance((await collect(job))[-1].event, Failed)
    assert job.status.error.reason is reason
    assert "secret" not in job.status.error.message


async def test_a_cancelled_job_has_stopped_and_is_remembered_until_it_is_forgotten(
    new_script, job_runner_over, collect, running, request_of
):
    script = new_script()
    job_runner = job_runner_over(script)
    job = await job_runner.start(request_of("ann"))
    following = asyncio.create_task(collect(job))
    await running(script)
    await job_runner.cancel(job.job_id, owner="ann")
    assert (script.running, job_runner.unfinished_count) == (0, 0)
    assert job.status.state is JobState.CANCELLED
    assert (await following)[-1].event == Cancelled(Stage.IMAGE_GENERATION)
    assert await job_runner.list_owned("ann") == (job,)
    await job_runner.cancel(job.job_id, owner="ann")
    assert await job_runner.list_owned("ann") == (job,)
    await job_runner.remove(job.job_id, owner="ann")
    assert await job_runner.list_owned("ann") == ()
    with pytest.raises(UnknownJobError):
        await job_runner.cancel(job.job_id, owner="ann")


async def test_a_job_at_work_is_not_removed(job_runner_over, new_script, request_of):
    job_runner = job_runner_over(new_script())
    job = await job_runner.start(request_of("ann"))
    with pytest.raises(ValueError, match="not finished"):
        await job_runner.remove(job.job_id, owner="ann")
    await job_runner.close()


async def test_a_retry_of_a_named_request_gets_the_job_of_the_first_try(
    new_script, job_runner_over, record, running, request_of
):
    script = new_script()
    job_runner = job_runner_over(script, max_unfinished_per_owner=1)
    script.accept = lambda _request: Operation(record.image_id, 7)
    job = await job_runner.start(request_of("ann"))
    assert job.job_id == record.image_id
    assert await job_runner.start(request_of("ann")) is job
    await running(script)
    assert script.running == 1
    await job_runner.close()


async def test_a_job_that_has_not_begun_can_be_cancelled(new_script, job_runner_over, request_of, collect):
    script = new_script()
    job_runner = job_runner_over(script)
    job = await job_runner.start(request_of("ann"))
    await job_runner.cancel(job.job_id, owner="ann")
    assert (job.status.state, script.running) == (JobState.CANCELLED, 0)
    assert [event for _, event in await collect(job)] == [Cancelled(Stage.AUDIO_FEATURES)]


async def test_a_job_at_work_when_the_service_stops_goes_on_in_the_next_one(
    job_runner_over, new_script, running, collect, request_of
):
    script, store = new_script(), SqliteJobStore(None)
    job_runner = job_runner_over(script, store=store)
    job = await job_runner.start(request_of("ann"))
    await running(script)
    following = asyncio.create_task(collect(job))
    await asyncio.sleep(0.02)
    await job_runner.close()
    with pytest.raises(UnavailableError) as caught:
        await following
    assert (caught.value.reason, script.running) == (Reason.DRAINING, 0)
    assert not job.is_over
    script.may_go_on.set()
    next_runner = job_runner_over(script, store=store)
    next_runner.open()
    found = await next_runner.find(job.job_id, owner="ann")
    events = await collect(found, after=1)
    assert [type(event) for _, event in events] == [Started, Started, Done]
    assert [number for number, _ in events] == [2, 3, 4]
    assert script.operations == [Operation(job.job_id, 7), Operation(job.job_id, 7)]


async def test_an_orphan_is_claimed_by_another_gateway_once_its_lease_has_run_out(
    tmp_path, new_clock, new_script, job_runner_over, settle_until, collect, running, request_of
):
    clock = new_clock()
    dead, living = (SqliteJobStore(tmp_path / "jobs.sqlite3", clock=clock.seconds) for _ in range(2))
    script = new_script()
    job_runner = job_runner_over(script, store=living)
    started = job_runner_over(new_script(), store=dead)
    job = await started.start(request_of("ann"))
    await settle_until(lambda: job.last_number == 2)
    kill(started)
    assert (await job_runner.find(job.job_id, owner="ann")).last_number == 2
    job_runner.open()
    following = asyncio.create_task(collect(await job_runner.find(job.job_id, owner="ann"), after=2))
    await asyncio.sleep(0.1)
    assert script.running == 0
    clock.time += timedelta(seconds=16)
    await running(script)
    script.may_go_on.set()
    assert [number for number, _ in await following] == [3, 4]
    assert script.operations == [Operation(job.job_id, 7, is_rerun=True)]


async def test_a_job_is_tried_again_while_a_service_cannot_be_reached(
    new_script, job_runner_over, settle_until, collect, request_of
):
    script = new_script()
    script.error = UnavailableError(Reason.BACKEND_UNAVAILABLE, "Image generation is away.")
    script.may_go_on.set()
    job = await job_runner_over(script, retry_seconds=10).start(request_of("ann"))
    await settle_until(lambda: job.last_number >= 3)
    script.error = None
    events = await collect(job)
    assert isinstance(events[-1].event, Done)
    assert sum(isinstance(event, Analyzed) for _, event in events) == 1
    impatient = job_runner_over(script)
    script.error = UnavailableError(Reason.BACKEND_UNAVAILABLE, "Image generation is away.")
    assert isinstance((await collect(await impatient.start(request_of("ann"))))[-1].event, Failed)


async def test_an_event_that_is_found_in_the_store_before_it_is_shown_is_shown_once(
    monkeypatch, job_runner_over, new_script, collect, request_of
):
    script, store = new_script(), SqliteJobStore(None)
    runner = job_runner_over(script, store=store)
    append = store.append

    async def looked_at(job_id, event, **options):
        is_added = await append(job_id, event, **options)
        await runner.find(job_id, owner="ann")
        return is_added

    monkeypatch.setattr(store, "append", looked_at)
    script.may_go_on.set()
    events = await collect(await runner.start(request_of("ann")))
    assert [number for number, _ in events] == [1, 2, 3]
    assert [type(event) for _, event in events] == [Analyzed, Started, Done]


async def test_a_job_that_ends_its_gateways_again_and_again_fails(
    monkeypatch, collect, request_of, job_runner_over, new_script
):
    monkeypatch.setattr("chladni_gateway.creation.job_worker.MAX_ATTEMPTS", 0)
    job = await job_runner_over(new_script()).start(request_of("ann"))
    [(_, end)] = await collect(job)
    assert end.error.reason is Reason.INTERNAL


async def test_work_goes_on_under_a_new_claim_if_its_own_ran_out(
    new_clock, new_script, job_runner_over, running, request_of, collect, settle_until
):
    clock, script = new_clock(), new_script()
    store = SqliteJobStore(None, clock=clock.seconds)
    runner = job_runner_over(script, store=store)
    job = await runner.start(request_of("ann"))
    await running(script)
    for _ in range(3):
        clock.time += timedelta(seconds=16)
        await runner._claim()
    assert store._one("SELECT attempts FROM jobs") == (1,)
    script.may_go_on.set()
    assert [type(event) for _, event in await collect(job)] == [Analyzed, Started, Done]
    assert len(script.operations) == 1


async def test_work_that_another_gateway_took_meanwhile_is_begun_again_once(
    tmp_path, new_clock, new_script, job_runner_over, running, request_of, collect, settle_until
):
    clock, script = new_clock(), new_script()
    store, other = (SqliteJobStore(tmp_path / "jobs.sqlite3", clock=clock.seconds) for _ in range(2))
    runner = job_runner_over(script, store=store)
    job = await runner.start(request_of("ann"))
    await running(script)
    runner._serving.cancel()
    clock.time += timedelta(seconds=16)
    await other.claim()
    [*_, last] = await store.events(job.job_id, after=0)
    await other.append(job.job_id, StoredEvent(last.number + 1, last.content))
    clock.time += timedelta(seconds=16)
    for _ in range(3):
        await runner._claim()
    await settle_until(lambda: script.is_waiting and len(script.operations) == 2)
    assert await store.renew([job.job_id]) == {job.job_id: Claim.HELD}
    assert script.operations[1].is_rerun
    script.may_go_on.set()
    assert [number for number, _ in await collect(job)] == [1, 2, 3, 4, 5]


async def test_only_a_step_that_was_never_taken_is_progress(
    monkeypatch, tmp_path, new_clock, new_script, job_runner_over, request_of, collect, settle_until
):
    clock = new_clock()
    path = tmp_path / "jobs.sqlite3"
    attempts = []
    for steps in (2, 2, 4, 1):
        store, script = SqliteJobStore(path, clock=clock.seconds), new_script()
        script.steps = steps
        runner = job_runner_over(script, store=store)
        if attempts:
            runner.open()
        else:
            job = await runner.start(request_of("ann"))
        await settle_until(lambda script=script: script.is_waiting)
        attempts.append(store._one("SELECT attempts FROM jobs WHERE job_id = ?", str(job.job_id))[0])
        kill(runner)
        clock.time += timedelta(seconds=16)
    assert attempts == [1, 2, 1, 2]


async def test_a_job_is_cancelled_from_another_gateway(
    tmp_path, new_script, job_runner_over, running, request_of
):
    script = new_script()
    first, second = (
        job_runner_over(creator, store=SqliteJobStore(tmp_path / "jobs.sqlite3"), lease_seconds=1)
        for creator in (script, new_script())
    )
    job = await first.start(request_of("ann"))
    await running(script)
    await second.cancel(job.job_id, owner="ann")
    assert (job.status.state, script.running) == (JobState.CANCELLED, 0)
    assert (await second.find(job.job_id, owner="ann")).status == job.status


async def test_who_follows_a_job_that_is_removed_elsewhere_learns_that(
    tmp_path, new_clock, new_script, job_runner_over, running, collect, settle_until, request_of
):
    clock = new_clock()
    other, here = (SqliteJobStore(tmp_path / "jobs.sqlite3", clock=clock.seconds) for _ in range(2))
    script = new_script()
    first, second = job_runner_over(script, store=other), job_runner_over(new_script(), store=here)
    job = await first.start(request_of("ann"))
    await running(script)
    followed = await second.find(job.job_id, owner="ann")
    following = asyncio.create_task(collect(followed, after=2))
    await settle_until(lambda: followed.follower_count)
    await first.cancel(job.job_id, owner="ann")
    await first.remove(job.job_id, owner="ann")
    second.open()
    async with asyncio.timeout(5):
        with pytest.raises(UnknownJobError):
            await following


async def test_a_job_that_was_removed_elsewhere_can_be_started_again_under_its_name(
    job_runner_over, new_clock, new_script, request_of, collect
):
    clock, script, store = new_clock(), new_script(), SqliteJobStore(None)
    operation = Operation(uuid.uuid4(), 7)
    script.accept = lambda _request: operation
    script.may_go_on.set()
    job_runner = job_runner_over(script, clock, store)
    first = await job_runner.start(request_of("ann"))
    assert isinstance((await collect(first))[-1].event, Done)
    await store.remove(first.job_id)
    clock.time += timedelta(seconds=1)
    second = await job_runner.start(request_of("ann"))
    assert [number for number, _ in await collect(second)] == [1, 2, 3]
    assert (await store.find(second.job_id)).finished_at is not None


async def test_a_job_that_is_to_be_removed_while_the_gateway_stops_is_left_to_others(
    tmp_path, new_script, job_runner_over, running, request_of
):
    script = new_script()
    first, second = (
        job_runner_over(creator, store=SqliteJobStore(tmp_path / "jobs.sqlite3"))
        for creator in (script, new_script())
    )
    job = await first.start(request_of("ann"))
    await running(script)
    await second.close()
    with pytest.raises(UnavailableError) as caught:
        await second.remove(job.job_id, owner="ann")
    assert caught.value.reason is Reason.DRAINING


async def test_a_job_that_no_gateway_can_read_is_listed_and_fails(
    monkeypatch, job_runner_over, new_script, collect
):
    monkeypatch.setattr("chladni_gateway.creation.job_worker.MAX_ATTEMPTS", 0)
    store = SqliteJobStore(None)
    job_runner = job_runner_over(new_script(), store=store)
    stored = StoredJob(job_id=uuid.uuid4(), owner="ann", caller="", created_at=NOW, details=b"[{}]")
    await store.add(stored, b"", job_runner.limits.bounds)
    [job] = await job_runner.list_owned("ann")
    assert job.file_name == ""
    job_runner.open()
    [(_, end)] = await collect(job)
    assert end.error.reason is Reason.INTERNAL


async def test_claims_that_could_not_be_renewed_are_tried_again_before_they_run_out(
    monkeypatch, settle_until, job_runner_over, new_script
):
    monkeypatch.setattr("chladni_gateway.creation.job_runner._WAIT_SECONDS", 0.01)
    store, tried_at = SqliteJobStore(None), []

    async def failing(_job_ids):
        tried_at.append(time.monotonic())
        raise UnavailableError(Reason.STORAGE_UNAVAILABLE, "Not now.")

    monkeypatch.setattr(store, "renew", failing)
    job_runner_over(new_script(), store=store, lease_seconds=2.0).open()
    await settle_until(lambda: len(tried_at) == 3)
    assert tried_at[2] - tried_at[0] < 0.4


async def test_the_time_that_a_job_waits_for_a_gateway_is_counted(
    new_clock, new_script, job_runner_over, collect, request_of
):
    registry, clock, script = CollectorRegistry(), new_clock(), new_script()
    script.may_go_on.set()
    with observed(Telemetry(metrics=WorkMetrics(registry))):
        waiting = job_runner_over(script, clock)
        waiting._may_claim = lambda: clock.time > NOW
        job = await waiting.start(request_of("ann"))
        clock.time += timedelta(seconds=3)
        await collect(job)
    assert registry.get_sample_value("chladni_queue_wait_seconds_sum", {"queue": "jobs"}) == pytest.approx(3)


async def test_a_store_that_does_not_answer_for_a_while_costs_no_job(
    monkeypatch, new_script, running, request_of, job_runner_over, collect
):
    script, store = new_script(), SqliteJobStore(None)
    job = await job_runner_over(script, store=store).start(request_of("ann"))
    await running(script)
    append, failures = store.append, []

    async def failing(*arguments, **options):
        if len(failures) < 2:
            failures.append(1)
            raise UnavailableError(Reason.STORAGE_UNAVAILABLE, "Not now.")
        return await append(*arguments, **options)

    monkeypatch.setattr(store, "append", failing)
    script.may_go_on.set()
    assert isinstance((await collect(job))[-1].event, Done)
    assert len(failures) == 2


def kill(runner):
    """Ends a runner as a crash would: nothing is given back."""

    async def nothing(_job_id):
        pass

    runner._store.release = nothing
    for task in (*runner._tasks.values(), runner._serving):
        task.cancel()


@pytest.mark.parametrize("place", ["event.before", "event.after", "finish.after"])
async def test_an_error_beside_the_record_of_an_event_neither_repeats_nor_loses_it(
    place, new_script, job_runner_over, request_of, collect
):
    script = new_script()
    script.may_go_on.set()
    runner = job_runner_over(script, failpoints=parse_failpoints(f"{place}=2*error"))
    runner.open()
    job = await runner.start(request_of("ann"))
    seen = await collect(job)
    assert [number for number, _ in seen] == [1, 2, 3]
    assert isinstance(seen[-1][1], Done)
    assert len(script.operations) == 1
