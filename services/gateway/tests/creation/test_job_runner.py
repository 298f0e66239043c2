"""Jobs and the board that runs them, over a creator in memory."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from chladni_contract.errors import ChladniError, FaultError, QueueFullError, Reason, UnavailableError
from chladni_contract.provenance import Provenance
from chladni_gateway.creation.job import MAX_EVENTS, MAX_FOLLOWERS, Cancelled, Done, Failed, Job, JobState
from chladni_gateway.creation.job_runner import JobRunner, UnknownJobError
from chladni_gateway.creation.job_worker import JobLimits
from chladni_gateway.creation.operations import Operation
from chladni_gateway.domain.audio import AudioClip, AudioProperties
from chladni_gateway.domain.events import Analyzed, Created, Progressed, Queued, Started
from chladni_gateway.domain.images import Image
from chladni_gateway.domain.request import CreationRequest
from chladni_gateway.domain.stages import Stage
from chladni_gateway.domain.storage.image_store import ImageRecord
from chladni_gateway.domain.storage.job_store import StoredJob
from chladni_gateway.storage.job_sqlite import SqliteJobStore
from chladni_runtime.failpoints import NO_FAILPOINTS, parse_failpoints
from chladni_runtime.telemetry.scope import Telemetry, observed
from chladni_runtime.telemetry.work_metrics import WorkMetrics

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AUDIO = AudioProperties("wav", 8000, 1, 1.0, "00" * 32)
PREVIEW = Image(b"preview", "image/png")
RECORD = ImageRecord(
    image_id=uuid.uuid4(),
    created_at=NOW,
    expires_at=NOW + timedelta(days=1),
    sha256="00" * 32,
    width_pixels=8,
    height_pixels=8,
    source_name="a.wav",
    recipe="embedded",
    processing_seconds=1.0,
    audio=AUDIO,
    descriptors=(),
    provenance=Provenance(),
)
PROGRESS = st.builds(
    Progressed,
    step=st.integers(1, 9),
    total_steps=st.just(9),
    preview=st.sampled_from([None, PREVIEW]),
    elapsed_seconds=st.floats(0, 100),
    remaining_seconds=st.none() | st.floats(0, 100),
)
ENDS = st.sampled_from(
    [Done(RECORD), Failed(ChladniError(Reason.OUT_OF_MEMORY, "Too big.")), Cancelled(Stage.IMAGE_GENERATION)]
)
LIVES = st.builds(
    lambda queue, steps, end: [Analyzed(AUDIO, ()), *queue, Started(7, 9, "m", 2.0), *steps, end],
    st.lists(st.builds(Queued, st.integers(0, 9)), max_size=3),
    st.lists(PROGRESS, max_size=12),
    ENDS,
)


class Clock:
    def __init__(self):
        self.time = NOW

    def __call__(self):
        return self.time

    def seconds(self):
        return self.time.timestamp()


class Script:
    """A creator that goes on step by step as it is told, and counts what it was made to stop."""

    def __init__(self):
        self.may_go_on = asyncio.Event()
        self.error = None
        self.refusal = None
        self.running = 0
        self.is_waiting = False
        self.operations = []

    def check(self, request):
        if self.refusal:
            raise self.refusal

    def accept(self, request):
        return Operation(uuid.uuid4(), 7)

    async def create(self, request, deadline, *, operation):
        self.running += 1
        self.operations.append(operation)
        try:
            yield Analyzed(AUDIO, ())
            yield Started(7, 9, "m", 2.0)
            self.is_waiting = True
            await self.may_go_on.wait()
            if self.error is not None:
                raise self.error
            yield Created(Image(b"png"), RECORD)
        finally:
            self.running -= 1
            self.is_waiting = False


def request_of(owner, name="a.wav"):
    return CreationRequest(AudioClip(b"sound", name), owner=owner)


def job_runner_over(script, clock=None, store=None, failpoints=NO_FAILPOINTS, **limits):
    defaults = {
        "max_unfinished": 8,
        "max_unfinished_per_owner": 4,
        "max_unfinished_per_caller": 6,
        "max_remembered": 3,
        "retention": timedelta(hours=1),
        "timeout_seconds": 60.0,
    }
    runner = JobRunner(
        creator=script,
        store=store or SqliteJobStore(None),
        limits=JobLimits(**(defaults | limits)),
        now=clock or Clock(),
        failpoints=failpoints,
    )
    RUNNERS.append(runner)
    return runner


RUNNERS = []


@pytest_asyncio.fixture(autouse=True)
async def closed_runners():
    yield
    while RUNNERS:
        await RUNNERS.pop().close()


def new_job():
    return Job(job_id=uuid.uuid4(), owner="ann", file_name="a.wav", created_at=NOW)


async def collect(job, after=0):
    async with aclosing(job.follow(after=after)) as events:
        return [numbered async for numbered in events]


async def settle_until(condition):
    """Waits until a condition holds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def running(script):
    """Waits until a creation is at work, and has said so."""
    await settle_until(lambda: script.is_waiting)


@settings(max_examples=200, deadline=None)
@given(life=LIVES, after=st.integers(0, 30))
async def test_a_late_follower_sees_every_event_that_it_has_not_seen_in_order(life, after):
    job = new_job()
    for event in life:
        job.add(event, now=NOW)
    seen = await collect(job, after)
    assert [number for number, _ in seen] == list(range(after + 1, len(life) + 1))
    assert [type(event) for _, event in seen] == [type(event) for event in life[after:]]
    assert job.has_told_all(after) == (after >= len(life))


@settings(max_examples=200, deadline=None)
@given(
    life=LIVES,
    breaks=st.lists(st.integers(1, 4), max_size=6),
    pauses=st.lists(st.integers(0, 3), min_size=1, max_size=8),
)
async def test_a_follower_that_loses_its_connection_again_and_again_sees_each_event_once(
    life, breaks, pauses
):
    job, seen = new_job(), []

    async def follow_with_breaks():
        last = 0
        for count in [*breaks, None]:
            taken = 0
            async with aclosing(job.follow(after=last)) as events:
                async for number, _ in events:
                    seen.append(number)
                    last, taken = number, taken + 1
                    if taken == count:
                        break

    following = asyncio.create_task(follow_with_breaks())
    for event, pause in zip(life, itertools.cycle(pauses)):
        job.add(event, now=NOW)
        for _ in range(pause):
            await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await following
    assert seen == list(range(1, len(life) + 1))


@settings(max_examples=100, deadline=None)
@given(life=LIVES)
async def test_the_status_is_what_the_events_say_and_only_the_newest_preview_is_kept(life):
    job = new_job()
    for event in life:
        assert not job.is_over
        job.add(event, now=NOW)
    end = life[-1]
    expected = {Done: JobState.COMPLETED, Failed: JobState.FAILED, Cancelled: JobState.CANCELLED}[type(end)]
    assert (job.status.state, job.finished_at) == (expected, NOW)
    assert (job.status.record is None) == (expected is not JobState.COMPLETED)
    assert (job.status.error is None) == (expected is not JobState.FAILED)
    assert job.status.position is None
    previews = [
        event.preview for _, event in await collect(job) if isinstance(event, Progressed) and event.preview
    ]
    assert len(previews) <= 1
    assert bool(previews) == any(isinstance(event, Progressed) and event.preview for event in life)


def test_states_follow_one_another():
    job, states = new_job(), []
    assert job.status.state is JobState.ANALYZING
    for event in (
        Analyzed(AUDIO, ()),
        Queued(3),
        Started(7, 9, "m", 2.0),
        Progressed(1, 9, None, 0.5, 4.0),
        Done(RECORD),
    ):
        job.add(event, now=NOW)
        states.append((job.status.state.value, job.status.position, job.status.step))
    assert states == [
        ("queued", None, None), ("queued", 3, None), ("running", None, 0), ("running", None, 1),
        ("completed", None, 1),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="over"):
        job.add(Done(RECORD), now=NOW)


async def test_events_are_kept_up_to_a_number():
    job = new_job()
    for _ in range(MAX_EVENTS + 10):
        job.add(Queued(1), now=NOW)
    job.add(Done(RECORD), now=NOW)
    numbers = [number for number, _ in await collect(job)]
    assert numbers == list(range(12, MAX_EVENTS + 12))


async def test_followers_are_few():
    job = new_job()
    job.add(Queued(1), now=NOW)
    followers = [job.follow() for _ in range(MAX_FOLLOWERS)]
    for follower in followers:
        await anext(follower)
    with pytest.raises(QueueFullError):
        await anext(job.follow())
    await followers.pop().aclose()
    assert (await anext(job.follow())).number == 1
    for follower in followers:
        await follower.aclose()


async def test_a_job_ends_with_its_image():
    script = Script()
    job_runner = job_runner_over(script)
    job = await job_runner.start(request_of("ann"))
    assert (job.file_name, job.status.state) == ("a.wav", JobState.ANALYZING)
    await running(script)
    assert (job.status.state, script.running) == (JobState.RUNNING, 1)
    script.may_go_on.set()
    events = await collect(job)
    assert [type(event) for _, event in events] == [Analyzed, Started, Done]
    assert job.status.record is RECORD
    assert await job_runner.find(job.job_id, owner="ann") is job


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FaultError(Reason.OUT_OF_MEMORY, "Too big."), Reason.OUT_OF_MEMORY),
        (RuntimeError("secret"), Reason.INTERNAL),
    ],
)
async def test_a_job_that_fails_says_why_and_nothing_else(error, reason):
    script = Script()
    script.error = error
    script.may_go_on.set()
    job = await job_runner_over(script).start(request_of("ann"))
    assert isinstance((await collect(job))[-1].event, Failed)
    assert job.status.error.reason is reason
    assert "secret" not in job.status.error.message


async def test_a_cancelled_job_has_stopped_and_is_remembered_until_it_is_forgotten():
    script = Script()
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


async def test_a_job_at_work_is_not_removed():
    job_runner = job_runner_over(Script())
    job = await job_runner.start(request_of("ann"))
    with pytest.raises(ValueError, match="not finished"):
        await job_runner.remove(job.job_id, owner="ann")
    await job_runner.close()


async def test_a_retry_of_a_named_request_gets_the_job_of_the_first_try():
    script = Script()
    job_runner = job_runner_over(script, max_unfinished_per_owner=1)
    script.accept = lambda _request: Operation(RECORD.image_id, 7)
    job = await job_runner.start(request_of("ann"))
    assert job.job_id == RECORD.image_id
    assert await job_runner.start(request_of("ann")) is job
    await running(script)
    assert script.running == 1
    await job_runner.close()


async def test_a_job_that_has_not_begun_can_be_cancelled():
    script = Script()
    job_runner = job_runner_over(script)
    job = await job_runner.start(request_of("ann"))
    await job_runner.cancel(job.job_id, owner="ann")
    assert (job.status.state, script.running) == (JobState.CANCELLED, 0)
    assert [event for _, event in await collect(job)] == [Cancelled(Stage.AUDIO_FEATURES)]


async def test_a_job_at_work_when_the_service_stops_goes_on_in_the_next_one():
    script, store = Script(), SqliteJobStore(None)
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


async def test_an_orphan_is_claimed_by_another_gateway_once_its_lease_has_run_out(tmp_path):
    clock = Clock()
    dead, living = (SqliteJobStore(tmp_path / "jobs.sqlite3", clock=clock.seconds) for _ in range(2))
    script = Script()
    job_runner = job_runner_over(script, store=living)
    started = job_runner_over(Script(), store=dead)
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


async def test_a_job_is_tried_again_while_a_service_cannot_be_reached():
    script = Script()
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


async def test_an_event_that_is_found_in_the_store_before_it_is_shown_is_shown_once(monkeypatch):
    script, store = Script(), SqliteJobStore(None)
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


async def test_a_job_that_ends_its_gateways_again_and_again_fails(monkeypatch):
    monkeypatch.setattr("chladni_gateway.creation.job_worker.MAX_ATTEMPTS", 0)
    job = await job_runner_over(Script()).start(request_of("ann"))
    [(_, end)] = await collect(job)
    assert end.error.reason is Reason.INTERNAL


async def test_a_job_is_cancelled_from_another_gateway(tmp_path):
    script = Script()
    first, second = (
        job_runner_over(creator, store=SqliteJobStore(tmp_path / "jobs.sqlite3"), lease_seconds=1)
        for creator in (script, Script())
    )
    job = await first.start(request_of("ann"))
    await running(script)
    await second.cancel(job.job_id, owner="ann")
    assert (job.status.state, script.running) == (JobState.CANCELLED, 0)
    assert (await second.find(job.job_id, owner="ann")).status == job.status


async def test_who_follows_a_job_that_is_removed_elsewhere_learns_that(tmp_path):
    clock = Clock()
    other, here = (SqliteJobStore(tmp_path / "jobs.sqlite3", clock=clock.seconds) for _ in range(2))
    script = Script()
    first, second = job_runner_over(script, store=other), job_runner_over(Script(), store=here)
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


async def test_a_job_that_was_removed_elsewhere_can_be_started_again_under_its_name():
    clock, script, store = Clock(), Script(), SqliteJobStore(None)
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


async def test_a_job_that_is_to_be_removed_while_the_gateway_stops_is_left_to_others(tmp_path):
    script = Script()
    first, second = (
        job_runner_over(creator, store=SqliteJobStore(tmp_path / "jobs.sqlite3"))
        for creator in (script, Script())
    )
    job = await first.start(request_of("ann"))
    await running(script)
    await second.close()
    with pytest.raises(UnavailableError) as caught:
        await second.remove(job.job_id, owner="ann")
    assert caught.value.reason is Reason.DRAINING


async def test_a_job_that_no_gateway_can_read_is_listed_and_fails(monkeypatch):
    monkeypatch.setattr("chladni_gateway.creation.job_worker.MAX_ATTEMPTS", 0)
    store = SqliteJobStore(None)
    job_runner = job_runner_over(Script(), store=store)
    stored = StoredJob(job_id=uuid.uuid4(), owner="ann", caller="", created_at=NOW, details=b"[{}]")
    await store.add(stored, b"", job_runner.limits.bounds)
    [job] = await job_runner.list_owned("ann")
    assert job.file_name == ""
    job_runner.open()
    [(_, end)] = await collect(job)
    assert end.error.reason is Reason.INTERNAL


async def test_claims_that_could_not_be_renewed_are_tried_again_before_they_run_out(monkeypatch):
    monkeypatch.setattr("chladni_gateway.creation.job_runner._WAIT_SECONDS", 0.01)
    store, tried_at = SqliteJobStore(None), []

    async def failing(_job_ids):
        tried_at.append(time.monotonic())
        raise UnavailableError(Reason.STORAGE_UNAVAILABLE, "Not now.")

    monkeypatch.setattr(store, "renew", failing)
    job_runner_over(Script(), store=store, lease_seconds=2.0).open()
    await settle_until(lambda: len(tried_at) == 3)
    assert tried_at[2] - tried_at[0] < 0.4


async def test_the_time_that_a_job_waits_for_a_gateway_is_counted():
    registry, clock, script = CollectorRegistry(), Clock(), Script()
    script.may_go_on.set()
    with observed(Telemetry(metrics=WorkMetrics(registry))):
        waiting = job_runner_over(script, clock)
        waiting._may_claim = lambda: clock.time > NOW
        job = await waiting.start(request_of("ann"))
        clock.time += timedelta(seconds=3)
        await collect(job)
    assert registry.get_sample_value("chladni_queue_wait_seconds_sum", {"queue": "jobs"}) == pytest.approx(3)


async def test_a_store_that_does_not_answer_for_a_while_costs_no_job(monkeypatch):
    script, store = Script(), SqliteJobStore(None)
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


async def test_jobs_of_others_do_not_exist():
    job_runner = job_runner_over(Script())
    job = await job_runner.start(request_of("ann"))
    for stranger in ("bob", ""):
        with pytest.raises(UnknownJobError):
            await job_runner.find(job.job_id, owner=stranger)
        with pytest.raises(UnknownJobError):
            await job_runner.cancel(job.job_id, owner=stranger)
        assert await job_runner.list_owned(stranger) == ()
    assert not job.is_over
    await job_runner.close()


async def test_nobody_has_no_jobs():
    job_runner = job_runner_over(Script())
    job = await job_runner.start(request_of(""))
    assert await job_runner.list_owned("") == ()
    with pytest.raises(UnknownJobError):
        await job_runner.find(job.job_id, owner="")
    await job_runner.close()


async def test_unfinished_jobs_are_limited_for_each_and_for_all():
    script = Script()
    job_runner = job_runner_over(script, max_unfinished=3, max_unfinished_per_owner=2)
    jobs = [await job_runner.start(request_of(owner)) for owner in ("ann", "ann", "bob")]
    with pytest.raises(QueueFullError, match="You have 2 unfinished jobs"):
        await job_runner.start(request_of("ann"))
    with pytest.raises(QueueFullError, match="The server works on 3 jobs"):
        await job_runner.start(request_of("eve"))
    await job_runner.cancel(jobs[0].job_id, owner="ann")
    await job_runner.start(request_of("ann"))
    await job_runner.close()
    assert (job_runner.unfinished_count, script.running) == (0, 0)


async def test_a_caller_of_many_names_does_not_take_all_jobs():
    job_runner = job_runner_over(Script(), max_unfinished_per_caller=2)
    for owner in ("ann", "bob"):
        await job_runner.start(replace(request_of(owner), caller="192.0.2.1"))
    with pytest.raises(QueueFullError, match="Your host has 2 unfinished jobs"):
        await job_runner.start(replace(request_of("eve"), caller="192.0.2.1"))
    await job_runner.start(replace(request_of("eve"), caller="192.0.2.2"))
    await job_runner.close()


async def test_a_wrong_request_starts_nothing():
    script = Script()
    script.refusal = ChladniError(Reason.UNKNOWN_RECIPE, "No such recipe.")
    job_runner = job_runner_over(script)
    with pytest.raises(ChladniError, match="No such recipe"):
        await job_runner.start(request_of("ann"))
    assert await job_runner.list_owned("ann") == ()


async def test_finished_jobs_are_forgotten_in_time_and_in_number():
    script, clock = Script(), Clock()
    script.may_go_on.set()
    job_runner = job_runner_over(script, clock)
    jobs = []
    for number in range(5):
        jobs.append(await job_runner.start(request_of("ann", name=f"{number}.wav")))
        await collect(jobs[-1])
        clock.time += timedelta(minutes=10)
    assert await job_runner.list_owned("ann") == (jobs[4], jobs[3], jobs[2])
    clock.time += timedelta(minutes=30)
    assert await job_runner.list_owned("ann") == (jobs[4], jobs[3])
    clock.time += timedelta(hours=1)
    assert await job_runner.list_owned("ann") == ()


@pytest.mark.parametrize("place", ["event.before", "event.after", "finish.after"])
async def test_an_error_beside_the_record_of_an_event_neither_repeats_nor_loses_it(place):
    script = Script()
    script.may_go_on.set()
    runner = job_runner_over(script, failpoints=parse_failpoints(f"{place}=2*error"))
    runner.open()
    job = await runner.start(request_of("ann"))
    seen = await collect(job)
    assert [number for number, _ in seen] == [1, 2, 3]
    assert isinstance(seen[-1][1], Done)
    assert len(script.operations) == 1
