"""Threads that give way."""

import os
from concurrent.futures import ThreadPoolExecutor

from chladni_runtime.execution.threads import yield_to_event_loop


def niceness():
    return os.getpriority(os.PRIO_PROCESS, 0)


def test_the_pools_thread_gives_way_and_the_event_loops_does_not():
    before = niceness()
    with ThreadPoolExecutor(1, initializer=yield_to_event_loop) as pool:
        assert pool.submit(niceness).result() > before
    assert niceness() == before
