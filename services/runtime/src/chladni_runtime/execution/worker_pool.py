"""CPU work of request handlers: off the event loop, and bounded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, Self, TypeVar

from chladni_runtime.execution.admission import Admission
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.telemetry.scope import current_telemetry

ArgumentsT = ParamSpec("ArgumentsT")
ResultT = TypeVar("ResultT")


class WorkerPool:
    """A fixed number of threads behind bounded admission.

    Use as an asynchronous context manager on one event loop.

    Args:
        thread_count: Number of functions that run at a time.
        admission: Bounds the functions that run or wait.
        queue: Name of its queue, under which waiting times are counted.
    """

    def __init__(self, thread_count: int, *, admission: Admission, queue: str) -> None:
        self._queue = queue
        self._executor = ThreadPoolExecutor(thread_count, thread_name_prefix="worker")
        self._admission = admission

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)

    async def run(
        self,
        token: CancellationToken,
        function: Callable[ArgumentsT, ResultT],
        *args: ArgumentsT.args,
        **kwargs: ArgumentsT.kwargs,
    ) -> ResultT:
        """Run a function on a thread and return its result; it is not started once its caller has left.

        Raises:
            QueueFullError: Too much work is waiting already.
            DeadlineExceededError: The deadline passed before a thread was free.
            Exception: What the function raises.
        """
        context = copy_context()

        arrived_at = time.monotonic()

        def work() -> ResultT:
            token.check("before a worker was free")
            context.run(current_telemetry).record_wait(self._queue, arrived_at, time.monotonic())
            return context.run(function, *args, **kwargs)

        with self._admission.admit():
            try:
                return await asyncio.get_running_loop().run_in_executor(self._executor, work)
            except asyncio.CancelledError:
                token.cancel()
                raise
