"""Bounded admission, and when refused requests may come back."""

from __future__ import annotations

import pytest

from chladni_contract.errors import QueueFullError
from chladni_runtime.execution.admission import Admission


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_admission_is_bounded_and_its_retry_delay_follows_what_requests_take():
    clock = Clock()
    admission = Admission(2, clock=clock, expected_seconds=4.0, jitter=lambda: 1.0)
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
    admission = Admission(4, clock=clock, expected_seconds=2.0, jitter=lambda: 1.0)
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


def test_quick_calls_do_not_promise_places_that_long_ones_hold():
    clock = Clock()
    admission = Admission(4, clock=clock, jitter=lambda: 1.0)
    for _ in range(3):
        admission.take_places()
        admission.give_back_places(held_seconds=20.0)
    for _ in range(500):
        admission.take_places()
        admission.give_back_places(held_seconds=0.001)
    with admission.admit(places=4):
        for place in range(1, 4):
            with pytest.raises(QueueFullError) as caught:
                admission.take_places()
            assert caught.value.retry_after_seconds > 3.0 * place


def test_those_who_are_refused_together_do_not_come_back_together():
    admission = Admission(1, clock=Clock())
    with admission.admit():
        delays = set()
        for _ in range(20):
            with pytest.raises(QueueFullError) as caught:
                admission.take_places()
            delays.add(caught.value.retry_after_seconds)
    assert len(delays) == 20
    assert all(1.0 <= delay <= 1.25 for delay in delays)
