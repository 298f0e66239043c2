"""Functions in processes of their own: what they return, and what becomes of those that do harm."""

from __future__ import annotations

import math
import operator
import os
import pickle
import resource
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from chladni_contract.errors import ChladniError, InvalidInputError, Reason
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.deadlines import Deadline
from chladni_runtime.execution.process_pool import (
    ProcessEndedError,
    ProcessLimits,
    ProcessPool,
    ProcessTimeoutError,
)

LIMITS = ProcessLimits(cpu_seconds=5, wall_seconds=10, memory_bytes=256 * 1024**2)
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def pool():
    with ProcessPool(1, limits=LIMITS, modules=["numpy"]) as pool:
        yield pool


def limited(**changes):
    return ProcessLimits(**{"cpu_seconds": 5, "wall_seconds": 10, "memory_bytes": 256 * 1024**2} | changes)


def process_of(pool):
    return pool.run(os.getpid)


def test_a_function_is_called_in_a_process_that_stays(pool):
    assert pool.run(math.hypot, 3, 4) == 5
    assert process_of(pool) == process_of(pool) != os.getpid()


@pytest.mark.parametrize("size", [0, 1000, 3 * MEGABYTE + 1])
def test_bytes_and_arrays_of_any_size_go_there_and_back(pool, size):
    content = np.random.default_rng(size).bytes(size)
    assert pool.run(bytes, pickle.PickleBuffer(content)) == content
    values = np.frombuffer(content, np.uint8)
    assert np.array_equal(pool.run(np.negative, values), np.negative(values))


def test_what_a_function_raises_is_raised(pool):
    with pytest.raises(ZeroDivisionError):
        pool.run(operator.truediv, 1, 0)
    assert pool.run(math.sqrt, 4) == 2


def test_an_error_of_chladni_comes_back_whole(pool):
    error = InvalidInputError(Reason.INVALID_FIELD, "too small", field="x", metadata={"value": 1})
    with ProcessPool(1, limits=LIMITS, result_types=[InvalidInputError]) as knowing:
        copy = knowing.run(operator.getitem, [error], 0)
    assert (type(copy), vars(copy), str(copy)) == (InvalidInputError, vars(error), "too small")
    with pytest.raises(ProcessEndedError, match="not a type of results"):
        pool.run(operator.getitem, [error], 0)


def test_a_result_can_run_no_code_here(pool):
    with pytest.raises(ProcessEndedError, match=r"posix.* is not a type of results"):
        pool.run(operator.getitem, [os.system], 0)


@pytest.mark.parametrize(
    ("function", "args", "changes", "error"),
    [
        pytest.param(os.abort, (), {}, ProcessEndedError, id="crash"),
        pytest.param(os._exit, (0,), {}, ProcessEndedError, id="exit"),
        pytest.param(time.sleep, (60,), {"wall_seconds": 0.2}, ProcessTimeoutError, id="hang"),
        pytest.param(sum, (range(10**12),), {"cpu_seconds": 0.2}, ProcessTimeoutError, id="endless loop"),
    ],
)
def test_a_function_that_does_harm_costs_one_process(pool, function, args, changes, error):
    before = process_of(pool)
    started_at = time.monotonic()
    with pytest.raises(error):
        pool.run(function, *args, limits=limited(**changes))
    assert time.monotonic() - started_at < 5
    assert process_of(pool) != before
    assert not Path(f"/proc/{before}").exists()


def test_a_function_that_needs_too_much_memory_gets_no_more(pool):
    before = process_of(pool)
    with pytest.raises(MemoryError):
        pool.run(bytes, 300 * MEGABYTE)
    assert process_of(pool) == before
    assert len(pool.run(bytes, 10 * MEGABYTE)) == 10 * MEGABYTE


@pytest.mark.parametrize("kind", [resource.RLIMIT_AS, resource.RLIMIT_CPU])
def test_limits_of_the_system_are_kept(pool, kind):
    system_limit = 4096 * MEGABYTE
    process_id = process_of(pool)
    resource.prlimit(process_id, kind, (system_limit, system_limit))
    assert pool.run(resource.getrlimit, kind)[1] == system_limit
    assert process_of(pool) == process_id
    assert resource.prlimit(process_id, kind) == (system_limit, system_limit)


@pytest.mark.parametrize("ends_by_itself", [False, True])
def test_the_call_ends_when_its_caller_leaves(pool, ends_by_itself):
    token = CancellationToken(Deadline(time.monotonic() + 0.2) if ends_by_itself else None)
    timer = threading.Timer(0.2, token.cancel)
    if not ends_by_itself:
        timer.start()
    with pytest.raises(ChladniError) as caught:
        pool.run(time.sleep, 60, token=token)
    expected = Reason.DEADLINE_EXCEEDED if ends_by_itself else Reason.CANCELLED
    assert caught.value.reason is expected
    assert pool.run(abs, -1) == 1


def test_a_caller_that_waits_for_a_process_may_leave_too(pool):
    thread = threading.Thread(target=pool.run, args=(time.sleep, 0.5))
    thread.start()
    while not pool.busy_count:
        time.sleep(0.01)
    token = CancellationToken()
    token.cancel()
    with pytest.raises(ChladniError, match="before a process was free"):
        pool.run(abs, -1, token=token)
    thread.join()


def test_a_process_that_was_killed_while_idle_is_replaced(pool):
    before = process_of(pool)
    os.kill(before, 9)
    time.sleep(0.05)
    assert process_of(pool) != before


def test_a_pool_outlives_its_fork_server(pool):
    with ProcessPool(1, limits=LIMITS) as own:
        server = int(Path(f"/proc/{process_of(own)}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(server, 9)
        with pytest.raises(ProcessEndedError):
            own.run(os.abort)
        assert own.run(abs, -1) == 1


def test_processes_end_with_the_pool():
    with ProcessPool(2, limits=LIMITS) as own:
        numbers = {process_of(own)}
    time.sleep(0.05)
    assert not any(Path(f"/proc/{number}").exists() for number in numbers)
    with pytest.raises(ProcessEndedError, match="closed"):
        own.run(abs, -1)
