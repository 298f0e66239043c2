"""The programs that run in processes of their own."""

from __future__ import annotations

import pytest

from chladni_benchmarks.figures import MeasurementError
from chladni_benchmarks.workers.scheduler_replay import FirstComeFirstServed
from chladni_benchmarks.workers.worker import Worker


def test_a_worker_answers_and_reports_what_fails() -> None:
    with Worker("bare_extraction") as worker:
        with pytest.raises(MeasurementError, match="bare_extraction: KeyError: 'nonsense'"):
            worker.ask("nonsense")
        assert len(worker.ask("extract")["embedding"]) == 152
    with Worker("burst_client") as nowhere, pytest.raises(MeasurementError, match="ended with status 1"):
        nowhere.ask("leave")  # it was given no target


def test_first_come_is_first_served() -> None:
    order = FirstComeFirstServed()
    first, second, third = object(), object(), object()
    for contender in (first, second, third):
        order.join(contender)  # type: ignore[arg-type]
    order.leave(second)  # type: ignore[arg-type]
    order.leave(second)  # type: ignore[arg-type]
    assert order.order(0.0) == [first, third]
