"""CPU work of request handlers, away from the event loop and bounded."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, Self, TypeVar

from chladni_runtime.execution.admission import Admission
from chladni_runtime.execution.cancellation import CancellationToken

ArgumentsT = ParamSpec("ArgumentsT")
ResultT = TypeVar("ResultT")


class WorkerPool:
    """Runs functions on a fixed number of threads, behind bounded admission.

    Use as an asynchronous context manager on one event loop.

    Args:
        thread_count: Functions that run at a time.
        admission: Bounds the functions that run or wait.
    """

    def __init__(self, thread_count: int, *, admission: Admission) -> None:
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
        """Returns what a function returns; never starts it if its caller has gone by then.

        Raises:
            QueueFullError: Too much work waits already.
            DeadlineExceededError: The deadline passed before a thread was free.
            Exception: Whatever the function raises.
        """
        context = copy_context()

        def work() -> ResultT:
            token.check("before a worker was free")
            return context.run(function, *args, **kwargs)

        with self._admission.admit():
            try:
                return await asyncio.get_running_loop().run_in_executor(self._executor, work)
            except asyncio.CancelledError:
                token.cancel()
                raise
