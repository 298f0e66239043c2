"""An event loop on a thread of its own, for callers that have none."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, ParamSpec, TypeVar

from chladni_client._transport.connection import check_process
from chladni_client.errors import CallCancelledError

ParametersT = ParamSpec("ParametersT")
ResultT = TypeVar("ResultT")


class EventLoopThread:
    """Runs coroutines of any thread on one private event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chladni-client", daemon=True)
        self._thread.start()
        self._lock = threading.Lock()
        self._is_stopped = False
        self._made_in = os.getpid()

    def run(
        self,
        function: Callable[ParametersT, Coroutine[Any, Any, ResultT]],
        *args: ParametersT.args,
        **kwargs: ParametersT.kwargs,
    ) -> ResultT:
        """Return the result of a coroutine function.

        If the waiting is interrupted (Ctrl-C), the coroutine is cancelled and has ended before the
        interruption goes on. It is made on the loop's thread, which no interruption reaches, so that none
        is made and then forgotten.

        Raises:
            CallCancelledError: `stop` was called meanwhile.
            RuntimeError: `stop` was called before, the process was forked, or the caller is the event loop
                itself, which would wait for itself for ever.
        """
        check_process(self._made_in)  # first of all: after a fork, not even the lock may be there
        if threading.current_thread() is self._thread:
            raise RuntimeError("on_event must not call the client; use stream_image for that")
        outcome: Future[ResultT] = Future()
        tasks: list[asyncio.Task[ResultT]] = []

        def start() -> None:
            task = self._loop.create_task(function(*args, **kwargs))
            tasks.append(task)
            task.add_done_callback(lambda ended: _hand_back(ended, outcome))

        def cancel() -> None:
            if tasks:
                tasks[0].cancel()
            else:  # interrupted before it was handed over
                outcome.set_exception(CancelledError())

        try:
            with self._lock:  # what was handed over before `stop` is cancelled by it, and nothing comes after
                if self._is_stopped:
                    outcome.set_exception(RuntimeError("the client is closed"))
                else:
                    self._loop.call_soon_threadsafe(start)
            return outcome.result()
        except CancelledError:
            raise CallCancelledError("The client was closed during the call.", reason="CANCELLED") from None
        except BaseException:
            if not outcome.done():
                self._loop.call_soon_threadsafe(cancel)
                outcome.exception()
            raise

    @property
    def is_here(self) -> bool:
        """Whether the thread is one of this process, and not left behind by a fork."""
        return self._made_in == os.getpid()

    def stop(self) -> None:
        """Cancel what still runs and end the thread; to be called once."""
        with self._lock:
            self._is_stopped = True
        asyncio.run_coroutine_threadsafe(_cancel_other_tasks(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _hand_back(task: asyncio.Task[ResultT], outcome: Future[ResultT]) -> None:
    if task.cancelled():
        outcome.set_exception(CancelledError())
    elif (error := task.exception()) is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(task.result())


async def _cancel_other_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    loop = asyncio.get_running_loop()
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()
