"""The batcher: who shares a run, who fails, and what is never computed."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chladni_contract.errors import ChladniError, DeadlineExceededError, QueueFullError, Reason
from chladni_runtime.batching.batcher import DynamicBatcher
from chladni_runtime.batching.queue import BatchLimits
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.deadlines import Deadline


class Recorder:
    """Doubles numbers and remembers the batches; waits for the gate before each, if there is one."""

    def __init__(self, gate=None, capacity=1000):
        self.batches = []
        self.gate = gate
        self.capacity = capacity

    def __call__(self, items):
        if self.gate is not None:
            self.gate.wait(5)
        self.batches.append(list(items))
        if "all" in items:
            raise RuntimeError("all fail")
        if len(items) > self.capacity or "huge" in items:
            raise MemoryError
        return [ValueError(item) if item == "bad" else item * 2 for item in items]


def make_batcher(recorder, batch_key_of=lambda item: None, thread_count=1, **limits):
    return DynamicBatcher(
        recorder,
        batch_key_of=batch_key_of,
        limits=BatchLimits(**limits),
        clock=time.monotonic,
        observe_batch=lambda size: None,
        thread_count=thread_count,
    )


async def submitted(batcher, *items, token=None):
    return await batcher.submit(items, token or CancellationToken())


async def becomes(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def test_results_come_in_the_order_of_the_items_whatever_their_groups():
    recorder = Recorder()
    async with make_batcher(recorder, batch_key_of=lambda item: item % 2, max_batch_size=2) as batcher:
        assert await submitted(batcher, 1, 2, 3, 4, 5) == [2, 4, 6, 8, 10]
        assert await submitted(batcher) == []
    assert sorted(recorder.batches) == [[1, 3], [2, 4], [5]]


async def test_requests_that_arrive_while_the_model_is_busy_share_the_next_run():
    recorder = Recorder(gate := threading.Event())
    async with make_batcher(recorder) as batcher:
        first = asyncio.create_task(submitted(batcher, 1))
        await asyncio.sleep(0)
        await becomes(lambda: batcher.queued_items == 0)
        rest = [asyncio.create_task(submitted(batcher, number)) for number in (2, 3, 4)]
        await becomes(lambda: batcher.queued_items == 3)
        gate.set()
        assert await asyncio.gather(first, *rest) == [[2], [4], [6], [8]]
    assert recorder.batches == [[1], [2, 3, 4]]


async def test_the_next_batch_starts_before_the_loop_has_heard_of_the_last():
    """The thread takes its work itself: a loop that is held up does not hold up the model."""
    recorder = Recorder()
    async with make_batcher(recorder, max_batch_size=1) as batcher:
        work = asyncio.create_task(submitted(batcher, 1, 2, 3))
        await asyncio.sleep(0)
        patience = time.monotonic() + 5
        while len(recorder.batches) < 3 and time.monotonic() < patience:
            time.sleep(0.001)  # noqa: ASYNC251 - holds the loop up on purpose
        assert recorder.batches == [[1], [2], [3]]
        assert await work == [2, 4, 6]


async def test_as_many_batches_are_computed_at_a_time_as_there_are_threads():
    meeting = threading.Barrier(3, timeout=5)

    def meet(items):
        meeting.wait()
        return items

    async with make_batcher(meet, thread_count=3, max_batch_size=2) as batcher:
        assert await submitted(batcher, 1, 2, 3, 4, 5, 6) == [1, 2, 3, 4, 5, 6]
        first = asyncio.create_task(submitted(batcher, 1))
        rest = [asyncio.create_task(submitted(batcher, 2, 3)), asyncio.create_task(submitted(batcher, 4, 5))]
        await asyncio.gather(first, *rest)


@given(st.lists(st.lists(st.integers(0, 9), max_size=5), max_size=8), st.integers(1, 3), st.integers(1, 4))
async def test_every_caller_gets_its_own_results_among_others(requests, thread_count, size):
    recorder = Recorder()
    async with make_batcher(
        recorder, batch_key_of=lambda item: item % 3, thread_count=thread_count, max_batch_size=size
    ) as batcher:
        results = await asyncio.gather(*(submitted(batcher, *items) for items in requests))
    assert results == [[2 * item for item in items] for items in requests]
    assert all(len(batch) <= size and len({item % 3 for item in batch}) == 1 for batch in recorder.batches)
    assert sum(map(len, recorder.batches)) == sum(map(len, requests))


async def test_one_bad_item_fails_its_caller_alone():
    recorder = Recorder()
    async with make_batcher(recorder, max_delay_seconds=0.05) as batcher:
        results = await asyncio.gather(
            submitted(batcher, 1, 2),
            submitted(batcher, 3, "bad"),
            submitted(batcher, 5),
            return_exceptions=True,
        )
    assert len(recorder.batches) == 1
    assert results[0] == [2, 4]
    assert isinstance(results[1], ValueError)
    assert results[2] == [10]


async def test_a_failed_batch_fails_for_all_and_the_batcher_goes_on():
    async with make_batcher(Recorder(), max_delay_seconds=0.05) as batcher:
        results = await asyncio.gather(
            submitted(batcher, 1), submitted(batcher, "all"), return_exceptions=True
        )
        assert [type(result) for result in results] == [RuntimeError, RuntimeError]
        assert await submitted(batcher, 5) == [10]


async def test_a_batch_too_large_for_the_memory_is_tried_in_halves():
    recorder = Recorder(capacity=2)
    async with make_batcher(recorder) as batcher:
        assert await submitted(batcher, *range(7)) == [0, 2, 4, 6, 8, 10, 12]
    assert [len(batch) for batch in recorder.batches] == [7, 3, 1, 2, 4, 2, 2]


async def test_an_item_too_large_for_the_memory_fails_alone():
    async with make_batcher(Recorder(), max_delay_seconds=0.05) as batcher:
        results = await asyncio.gather(
            *(submitted(batcher, item) for item in (1, 2, "huge", 4)), return_exceptions=True
        )
        assert results[:2] + results[3:] == [[2], [4], [8]]
        assert isinstance(results[2], ChladniError)
        assert results[2].reason is Reason.OUT_OF_MEMORY
        assert await submitted(batcher, 5) == [10]


async def test_a_full_queue_refuses_a_request_whole():
    recorder = Recorder(gate := threading.Event())
    async with make_batcher(recorder, max_batch_size=1, max_queued_items=2) as batcher:
        busy = asyncio.create_task(submitted(batcher, 1))
        await asyncio.sleep(0)
        await becomes(lambda: batcher.queued_items == 0)
        with pytest.raises(QueueFullError) as caught:
            await submitted(batcher, 2, 3, 4)
        assert caught.value.retry_after_seconds is not None
        gate.set()
        assert await busy == [2]
    assert recorder.batches == [[1]]


async def test_a_deadline_that_passes_in_the_queue_is_told_and_the_item_never_computed():
    recorder = Recorder(gate := threading.Event())
    async with make_batcher(recorder) as batcher:
        busy = asyncio.create_task(submitted(batcher, 1))
        await asyncio.sleep(0)
        await becomes(lambda: batcher.queued_items == 0)
        with pytest.raises(DeadlineExceededError):
            await submitted(batcher, 2, token=CancellationToken(Deadline.after(0.05)))
        gate.set()
        await busy
        await submitted(batcher, 3)
    assert recorder.batches == [[1], [3]]


async def test_a_caller_that_leaves_takes_no_place_in_a_batch():
    recorder = Recorder(gate := threading.Event())
    async with make_batcher(recorder) as batcher:
        busy = asyncio.create_task(submitted(batcher, 1))
        await asyncio.sleep(0)
        await becomes(lambda: batcher.queued_items == 0)
        leaving = asyncio.create_task(submitted(batcher, 2, 3))
        staying = asyncio.create_task(submitted(batcher, 4))
        await becomes(lambda: batcher.queued_items == 3)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        gate.set()
        assert await asyncio.gather(busy, staying) == [[2], [8]]
    assert recorder.batches == [[1], [4]]
