"""An event loop on a thread of its own, for callers that have none."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from chladni_client.errors import CallCancelledError

ResultT = TypeVar("ResultT")


class EventLoopThread:
    """Runs coroutines of any thread on one private event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chladni-client", daemon=True)
        self._thread.start()
        self._lock = threading.Lock()
        self._is_stopped = False

    def run(self, coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Returns the result of a coroutine.

        Where the waiting is interrupted (Ctrl-C), the coroutine is cancelled and has ended before the
        interruption goes on.

        Raises:
            CallCancelledError: `stop` was called meanwhile.
            RuntimeError: `stop` was called before, or the caller is the event loop itself, which would wait
                for itself for ever.
        """
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("on_event must not call the client; use stream_image for that")
        with self._lock:  # what was handed over before `stop` is cancelled by it, and nothing comes after
            if self._is_stopped:
                coroutine.close()
                raise RuntimeError("the client is closed")
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except CancelledError:
            raise CallCancelledError("The client was closed during the call.", reason="CANCELLED") from None
        except BaseException:
            if future.cancel():
                asyncio.run_coroutine_threadsafe(_end_of_cancelled_tasks(), self._loop).result()
            raise

    def stop(self) -> None:
        """Cancels what still runs and ends the thread; to be called once."""
        with self._lock:
            self._is_stopped = True
        asyncio.run_coroutine_threadsafe(_cancel_other_tasks(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _end_of_cancelled_tasks() -> None:
    cancelled = {task for task in asyncio.all_tasks() if task.cancelling()}
    if cancelled:
        await asyncio.wait(cancelled)


async def _cancel_other_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    loop = asyncio.get_running_loop()
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()
