"""Deadlines, cancellation, admission and worker threads."""

import asyncio
import threading
import time

import pytest

from chladni_contract.errors import ChladniError, DeadlineExceededError, QueueFullError, Reason
from chladni_runtime.execution.admission import Admission
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.deadlines import Deadline
from chladni_runtime.execution.worker_pool import WorkerPool
from chladni_runtime.logs import REQUEST_ID


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_a_deadline_counts_down_and_passes():
    clock = Clock()
    deadline = Deadline.after(2.0, clock)
    assert deadline.remaining_seconds == 2.0
    clock.now += 1.5
    deadline.check("at all")
    clock.now += 0.5
    assert deadline.has_passed
    assert deadline.remaining_seconds == 0.0
    with pytest.raises(DeadlineExceededError, match="passed before the queue"):
        deadline.check("before the queue")


def test_no_deadline_never_passes():
    assert Deadline.after(None).remaining_seconds is None
    assert not Deadline().has_passed


def test_a_token_stops_by_cancelling_and_by_deadline():
    token = CancellationToken()
    token.check("never")
    assert not token.should_stop
    token.cancel()
    assert token.should_stop
    with pytest.raises(ChladniError) as caught:
        token.check("at step 3")
    assert caught.value.reason is Reason.CANCELLED
    assert CancellationToken(Deadline.after(0)).should_stop


def test_leaving_the_context_of_a_token_cancels_it_whatever_happened():
    token = CancellationToken()
    with token as entered:
        assert entered is token
        assert not token.is_cancelled
    assert token.should_stop
    token = CancellationToken()
    with pytest.raises(ValueError, match="invalid literal"), token:
        int("wrong")
    assert token.should_stop


def test_admission_is_bounded_and_its_retry_delay_follows_what_requests_take():
    clock = Clock()
    admission = Admission(2, clock=clock, expected_seconds=4.0)
    with admission.admit(), admission.admit():
        with pytest.raises(QueueFullError) as caught, admission.admit():
            pass
        assert caught.value.retry_after_seconds == 2.0
        clock.now += 24.0
    assert admission.in_progress == 0
    with admission.admit(), admission.admit(), pytest.raises(QueueFullError) as caught, admission.admit():
        pass
    assert caught.value.retry_after_seconds > 2.0


def test_those_who_are_turned_away_are_told_to_come_back_one_after_the_other():
    clock = Clock()
    admission = Admission(4, clock=clock, expected_seconds=2.0)
    with admission.admit(places=3):
        delays = []
        for _ in range(6):
            with pytest.raises(QueueFullError) as caught:
                admission.take_places(2)
            delays.append(caught.value.retry_after_seconds)
        assert delays == [1.0, 2.0, 2.0, 2.0, 2.0, 2.0]
        admission.take_places()
        admission.give_back_places(held_seconds=2.0)
        with pytest.raises(QueueFullError) as caught:
            admission.take_places(2)
        assert caught.value.retry_after_seconds == 2.0
    with admission.admit(places=4), pytest.raises(QueueFullError) as caught, admission.admit():
        pass
    assert caught.value.retry_after_seconds < 1.0
    assert admission.in_progress == 0


def make_pool(thread_count=1, capacity=4):
    return WorkerPool(thread_count, admission=Admission(capacity, clock=time.monotonic))


async def test_work_runs_on_another_thread_with_the_callers_request_id():
    async with make_pool() as pool:
        token = REQUEST_ID.set("abc")
        try:
            thread, request_id = await pool.run(
                CancellationToken(), lambda: (threading.current_thread(), REQUEST_ID.get())
            )
        finally:
            REQUEST_ID.reset(token)
    assert thread is not threading.current_thread()
    assert request_id == "abc"


async def test_work_whose_caller_left_in_the_queue_never_starts():
    started = []
    gate = threading.Event()
    async with make_pool() as pool:
        first = asyncio.create_task(pool.run(CancellationToken(), gate.wait, 5))
        await asyncio.sleep(0.02)
        second = asyncio.create_task(pool.run(CancellationToken(), started.append, 1))
        await asyncio.sleep(0.02)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        gate.set()
        assert await first
    assert started == []


async def test_a_full_pool_refuses_and_an_exception_reaches_the_caller():
    gate = threading.Event()
    async with make_pool(capacity=1) as pool:
        busy = asyncio.create_task(pool.run(CancellationToken(), gate.wait, 5))
        await asyncio.sleep(0.02)
        with pytest.raises(QueueFullError):
            await pool.run(CancellationToken(), int, "1")
        gate.set()
        await busy
        with pytest.raises(ValueError, match="invalid literal"):
            await pool.run(CancellationToken(), int, "x")
