"""Deadlines on a clock that the test turns."""

from __future__ import annotations

import pytest

from chladni_contract.errors import DeadlineExceededError
from chladni_runtime.execution.deadlines import Deadline


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
