"""The policy of batching against a clock that the test holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chladni_contract.errors import QueueFullError
from chladni_runtime.batching.queue import BatchLimits, BatchQueue


def make_queue(abandoned=(), **limits):
    return BatchQueue(BatchLimits(**limits), is_abandoned=lambda item: item in abandoned)


def test_without_a_delay_what_waits_is_due_at_once():
    queue = make_queue()
    assert queue.due_in_seconds(0.0) is None
    queue.add([("a", 1)], now=0.0)
    assert queue.due_in_seconds(0.0) == 0.0
    assert queue.take(0.0) == [1]
    assert len(queue) == 0
    assert queue.take(0.0) == []


def test_a_delay_is_waited_for_unless_the_batch_is_full():
    queue = make_queue(max_batch_size=2, max_delay_seconds=1.0)
    queue.add([("a", 1)], now=10.0)
    assert queue.due_in_seconds(10.25) == 0.75
    assert queue.take(10.25) == []
    queue.add([("a", 2)], now=10.25)
    assert queue.due_in_seconds(10.25) == 0.0
    assert queue.take(10.25) == [1, 2]
    queue.add([("a", 3)], now=20.0)
    assert queue.take(21.0) == [3]


def test_a_batch_that_waits_for_its_turn_still_grows():
    queue = make_queue(max_batch_size=3)
    queue.add([("a", 1)], now=0.0)
    queue.add([("a", 2)], now=1.0)
    assert queue.take(2.0) == [1, 2]


def test_items_of_different_keys_never_share_a_batch_and_the_oldest_goes_first():
    queue = make_queue()
    for now, (key, item) in enumerate([("a", 1), ("b", 2), ("a", 3)]):
        queue.add([(key, item)], now=float(now))
    assert queue.take(3.0) == [1, 3]
    assert queue.take(3.0) == [2]


def test_items_are_added_all_or_none():
    queue = make_queue(max_queued_items=3)
    queue.add([("a", 1), ("b", 2)], now=0.0)
    with pytest.raises(QueueFullError, match="no room for 2"):
        queue.add([("a", 3), ("a", 4)], now=0.0)
    assert len(queue) == 2
    queue.add([("a", 5)], now=0.0)
    assert queue.take(0.0) == [1, 5]


def test_abandoned_items_take_no_place():
    abandoned = set()
    queue = make_queue(abandoned, max_batch_size=2, max_queued_items=2)
    queue.add([("a", 1), ("a", 2)], now=0.0)
    with pytest.raises(QueueFullError):
        queue.add([("a", 3)], now=0.0)
    abandoned.add(1)
    queue.add([("a", 3)], now=0.0)
    assert queue.take(0.0) == [2, 3]


def test_a_group_of_abandoned_items_alone_gives_way_to_the_next():
    queue = make_queue({1, 2})
    queue.add([("a", 1), ("a", 2)], now=0.0)
    queue.add([("b", 3)], now=1.0)
    assert queue.take(1.0) == [3]
    assert queue.due_in_seconds(1.0) is None
    assert len(queue) == 0


def test_the_retry_delay_follows_the_pace_and_the_length_of_the_queue():
    queue = make_queue(max_queued_items=4)
    queue.add([("a", item) for item in range(4)], now=0.0)
    delays = []
    for seconds_per_item in (0.01, 2.0):
        for _ in range(100):
            queue.learn_pace(seconds_per_item)
        with pytest.raises(QueueFullError) as caught:
            queue.add([("a", 9)], now=0.0)
        delays.append(caught.value.retry_after_seconds)
    assert delays == pytest.approx([0.04, 8.0], rel=0.01)


additions = st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), min_size=1, max_size=6)


@given(st.lists(st.tuples(additions, st.floats(0, 10)), max_size=20), st.integers(1, 7), st.floats(0, 2))
def test_what_is_wanted_leaves_once_in_order_and_in_batches_of_one_key(arrivals, size, delay):
    wanted = []
    queue = BatchQueue(
        BatchLimits(max_batch_size=size, max_delay_seconds=delay, max_queued_items=1000),
        is_abandoned=lambda item: not item[2],
    )
    for group, (items, now) in enumerate(sorted(arrivals, key=lambda arrival: arrival[1])):
        added = [(key, (key, (group, index), is_wanted)) for index, (key, is_wanted) in enumerate(items)]
        queue.add(added, now)
        wanted += [item for _, item in added if item[2]]
    taken = []
    while batch := queue.take(1e9):
        assert len(batch) <= size
        assert len({key for key, _, _ in batch}) == 1
        taken.extend(batch)
    assert sorted(taken, key=lambda item: item[1]) == wanted
    for key in "abc":
        own = [position for name, position, _ in taken if name == key]
        assert own == sorted(own)
    assert queue.due_in_seconds(1e9) is None
    assert len(queue) == 0


@given(st.data())
def test_no_item_waits_longer_than_the_delay_once_the_model_asks(data):
    """However arrivals and questions interleave: what is due is given, and what is not full is not early."""
    size = data.draw(st.integers(1, 4))
    delay = data.draw(st.floats(0, 2))
    queue = make_queue(max_batch_size=size, max_delay_seconds=delay)
    now, waiting = 0.0, []
    for item, (wait, asks) in enumerate(data.draw(st.lists(st.tuples(st.floats(0, 1), st.booleans())))):
        now += wait
        queue.add([("a", item)], now)
        waiting.append((item, now))
        if asks:
            batch = queue.take(now)
            is_due = len(waiting) >= size or waiting[0][1] + delay - now <= 0
            assert batch == ([waited for waited, _ in waiting[:size]] if is_due else [])
            del waiting[: len(batch)]
    assert len(queue) == len(waiting)


@pytest.mark.parametrize(
    "limits", [{"max_batch_size": 0}, {"max_queued_items": 0}, {"max_delay_seconds": -1.0}]
)
def test_impossible_limits_are_refused(limits):
    with pytest.raises(ValueError, match="at least"):
        BatchLimits(**limits)
