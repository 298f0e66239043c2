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
