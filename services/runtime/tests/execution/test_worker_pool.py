"""Worker threads behind bounded admission."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from chladni_contract.errors import QueueFullError
from chladni_runtime.execution.admission import Admission
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.worker_pool import WorkerPool
from chladni_runtime.logs import REQUEST_ID


def make_pool(thread_count=1, capacity=4):
    return WorkerPool(thread_count, admission=Admission(capacity, clock=time.monotonic), queue="work")


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
