"""A job: its events in order, for each of its followers, and what they say of it."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from contextlib import aclosing
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chladni_contract.errors import ChladniError, QueueFullError, Reason
from chladni_fakes.image_records import record_at
from chladni_gateway.creation.job import MAX_EVENTS, MAX_FOLLOWERS, Cancelled, Done, Failed, Job, JobState
from chladni_gateway.domain.events import Analyzed, Progressed, Queued, Started
from chladni_gateway.domain.images import Image
from chladni_gateway.domain.stages import Stage

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PREVIEW = Image(b"preview", "image/png")
RECORD = record_at(NOW)
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
    lambda queue, steps, end: [Analyzed(RECORD.audio, ()), *queue, Started(7, 9, "m", 2.0), *steps, end],
    st.lists(st.builds(Queued, st.integers(0, 9)), max_size=3),
    st.lists(PROGRESS, max_size=12),
    ENDS,
)


def new_job():
    return Job(job_id=uuid.uuid4(), owner="ann", file_name="a.wav", created_at=NOW)


@settings(max_examples=200, deadline=None)
@given(life=LIVES, after=st.integers(0, 30))
async def test_a_late_follower_sees_every_event_that_it_has_not_seen_in_order(life, after, collect):
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
async def test_the_status_is_what_the_events_say_and_only_the_newest_preview_is_kept(life, collect):
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
        Analyzed(RECORD.audio, ()),
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


async def test_events_are_kept_up_to_a_number(collect):
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
