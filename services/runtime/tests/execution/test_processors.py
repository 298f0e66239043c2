"""How many processors a process may use, and threads that yield to the event loop."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from chladni_runtime.execution.processors import available_processor_count, yield_to_event_loop


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("max 100000", 3),
        ("50000 100000", 1),
        ("100000 100000", 1),
        ("150000 100000", 2),
        ("900000 100000", 3),
    ],
)
def test_processors_are_those_that_the_container_may_use(tmp_path, monkeypatch, limit, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    (tmp_path / "cpu.max").write_text(limit + "\n")
    assert available_processor_count(tmp_path) == expected


@pytest.mark.parametrize("content", [None, "", "nonsense", "1 0"])
def test_without_a_readable_limit_all_processors_count(tmp_path, monkeypatch, content):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {4, 5})
    if content is not None:
        (tmp_path / "cpu.max").write_text(content)
    assert available_processor_count(tmp_path) == 2


def niceness():
    return os.getpriority(os.PRIO_PROCESS, 0)


def test_the_pools_thread_gives_way_and_the_event_loops_does_not():
    before = niceness()
    with ThreadPoolExecutor(1, initializer=yield_to_event_loop) as pool:
        assert pool.submit(niceness).result() > before
    assert niceness() == before
