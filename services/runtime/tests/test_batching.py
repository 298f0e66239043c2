"""The batch queue against a clock that the test holds, and the batcher that drives it."""

import asyncio
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chladni_runtime.batching import BatchLimits, BatchQueue, DynamicBatcher
from chladni_runtime.cancellation import CancellationToken
from chladni_runtime.deadlines import Deadline
from chladni_runtime.errors import DeadlineExceededError, QueueFullError


def make_queue(abandoned=(), **limits):
    return BatchQueue(BatchLimits(**limits), is_abandoned=lambda item: item in abandoned)


def test_without_a_delay_what_waits_is_due_at_once():
    queue = make_queue()
    assert queue.due_in_seconds(0.0) is None
    queue.add("a", 1, now=0.0)
    assert queue.due_in_seconds(0.0) == 0.0
    assert queue.take(0.0) == [1]
    assert len(queue) == 0


def test_a_delay_is_waited_for_unless_the_batch_is_full():
    queue = make_queue(max_batch_size=2, max_delay_seconds=1.0)
    queue.add("a", 1, now=10.0)
    assert queue.due_in_seconds(10.25) == 0.75
    assert queue.take(10.25) == []
    queue.add("a", 2, now=10.25)
    assert queue.due_in_seconds(10.25) == 0.0
    assert queue.take(10.25) == [1, 2]
    queue.add("a", 3, now=20.0)
    assert queue.take(21.0) == [3]


def test_items_of_different_keys_never_share_a_batch_and_the_oldest_goes_first():
    queue = make_queue()
    for now, (key, item) in enumerate([("a", 1), ("b", 2), ("a", 3)]):
        queue.add(key, item, now=float(now))
    assert queue.take(3.0) == [1, 3]
    assert queue.take(3.0) == [2]


def test_abandoned_items_take_no_place():
    abandoned = set()
    queue = make_queue(abandoned, max_batch_size=2, max_queued_items=2)
    queue.add("a", 1, now=0.0)
    queue.add("a", 2, now=0.0)
    with pytest.raises(QueueFullError):
        queue.add("a", 3, now=0.0)
    abandoned.add(1)
    queue.add("a", 3, now=0.0)
    assert queue.take(0.0) == [2, 3]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 10)), max_size=60),
    st.integers(1, 7),
    st.floats(0, 2),
)
def test_everything_leaves_once_in_order_and_in_batches_of_one_key(arrivals, size, delay):
    queue = make_queue(max_batch_size=size, max_delay_seconds=delay, max_queued_items=1000)
    arrivals = sorted(arrivals, key=lambda arrival: arrival[1])
    for index, (key, now) in enumerate(arrivals):
        queue.add(key, (key, index), now)
    taken = []
    while batch := queue.take(1e9):
        assert len(batch) <= size
        assert len({key for key, _ in batch}) == 1
        taken.extend(batch)
    assert sorted(taken, key=lambda item: item[1]) == [
        (key, index) for index, (key, _) in enumerate(arrivals)
    ]
    for key in "abc":
        own = [index for name, index in taken if name == key]
        assert own == sorted(own)
    assert queue.due_in_seconds(1e9) is None


@pytest.mark.parametrize(
    "limits", [{"max_batch_size": 0}, {"max_queued_items": 0}, {"max_delay_seconds": -1.0}]
)
def test_impossible_limits_are_refused(limits):
    with pytest.raises(ValueError, match="at least"):
        BatchLimits(**limits)


class Recorder:
    """Doubles numbers and remembers the batches; waits for the gate before the first."""

    def __init__(self):
        self.batches = []
        self.gate = None

    def __call__(self, items):
        if self.gate is not None:
            self.gate.wait(5)
        self.batches.append(list(items))
        if "all" in items:
            raise RuntimeError("all fail")
        return [ValueError(item) if item == "bad" else item * 2 for item in items]


def make_batcher(recorder, **limits):
    return DynamicBatcher(
        recorder, limits=BatchLimits(**limits), clock=time.monotonic, observe_batch=lambda size: None
    )


async def test_requests_that_arrive_while_the_model_is_busy_share_the_next_run():
    recorder = Recorder()
    recorder.gate = threading.Event()
    async with make_batcher(recorder) as batcher:
        first = asyncio.create_task(batcher.submit("k", 1, CancellationToken()))
        await asyncio.sleep(0.05)
        rest = [asyncio.create_task(batcher.submit("k", n, CancellationToken())) for n in (2, 3, 4)]
        await asyncio.sleep(0.05)
        recorder.gate.set()
        assert await asyncio.gather(first, *rest) == [2, 4, 6, 8]
    assert recorder.batches == [[1], [2, 3, 4]]


async def test_one_bad_item_fails_alone_and_a_failed_batch_fails_for_all():
    recorder = Recorder()
    async with make_batcher(recorder, max_delay_seconds=0.05) as batcher:
        results = await asyncio.gather(
            *(batcher.submit("k", item, CancellationToken()) for item in (1, "bad", 3)),
            return_exceptions=True,
        )
        assert (results[0], results[2]) == (2, 6)
        assert isinstance(results[1], ValueError)
        results = await asyncio.gather(
            *(batcher.submit("k", item, CancellationToken()) for item in (1, "all")),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [RuntimeError, RuntimeError]
        assert await batcher.submit("k", 5, CancellationToken()) == 10


async def test_a_deadline_that_passes_in_the_queue_is_told_and_the_item_never_computed():
    recorder = Recorder()
    recorder.gate = threading.Event()
    async with make_batcher(recorder) as batcher:
        busy = asyncio.create_task(batcher.submit("k", 1, CancellationToken()))
        await asyncio.sleep(0.02)
        with pytest.raises(DeadlineExceededError):
            await batcher.submit("k", 2, CancellationToken(Deadline.after(0.05)))
        recorder.gate.set()
        await busy
        await batcher.submit("k", 3, CancellationToken())
    assert recorder.batches == [[1], [3]]
