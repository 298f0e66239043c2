"""Events of a recipe on their way to the reader.

A recipe runs in a task of its own, beside the generator that the transports read, and the two meet in a
bounded channel. So the recipe is a plain coroutine: it awaits `report(event)` for what happens and returns
what it made, and no event passes more than three frames, however many parts the recipe has.

    backend's generator -> recipe's coroutine, awaits report -> | channel | -> generator -> transport
                           (its own task)                                    (the transport's task)

What a chain of generators gives for nothing, this keeps:

- **Back-pressure.** The channel holds `CAPACITY` events. `report` returns once there is room, so a slow
  reader slows the recipe down, which in turn reads no more from the service behind it. Nothing grows without
  limit.
- **Cancellation.** The task never outlives the context of `running`. Whether the reader closes its generator
  or its task is cancelled while it waits for the next event, the context cancels the work and returns only
  after it has ended: then every call to a service is closed. A second cancellation does not cut that short.
- **Errors.** The reader gets every event that was reported before an error, then the error itself.
- **Context.** The task inherits the context variables of the reader, such as the identifier of the request.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from typing import Any, Self

_EventT = TypeVar("_EventT")
_ResultT = TypeVar("_ResultT")

CAPACITY: Final = 4
"""Events in a channel at most: enough to keep a recipe from waiting for each step of its reader."""


class EventChannel(Generic[_EventT]):
    """Carries events from one task to one reader, in order. One event loop owns it.

    Args:
        capacity: Events that wait at most.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        # The places bound the queue, and not the queue itself: its end must find room at any time.
        self._places = asyncio.Semaphore(capacity)
        self._events: asyncio.Queue[_EventT | None] = asyncio.Queue()

    async def send(self, event: _EventT) -> None:
        """Send an event; wait until there is room for it."""
        await self._places.acquire()
        self._events.put_nowait(event)

    def close(self) -> None:
        """End the channel after the events that were sent."""
        self._events.put_nowait(None)

    def __aiter__(self) -> Self:
        """Return the reader, which is the channel."""
        return self

    async def __anext__(self) -> _EventT:
        """Return the next event, and make room for another."""
        event = await self._events.get()
        if event is None:
            raise StopAsyncIteration
        self._places.release()
        return event


@asynccontextmanager
async def running(
    work: Coroutine[Any, Any, _ResultT], channel: EventChannel[Any]
) -> AsyncIterator[asyncio.Task[_ResultT]]:
    """Run work beside the context, which closes the channel when the work ends, and stop it at the exit.

    Args:
        work: Sends events to the channel.
        channel: Ends once the work has ended, whatever ended it.

    Yields:
        The task of the work; awaiting it after the end of the channel gives its result or raises its error.
    """
    task = asyncio.create_task(work)
    task.add_done_callback(lambda _: channel.close())
    try:
        yield task
    finally:
        await _stop(task)


async def _stop(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait for its end, however often the waiting itself is cancelled."""
    task.cancel()
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancellation = error
    if not task.cancelled():
        task.exception()  # Marks it as seen: who stops the work does not want to know.
    if cancellation is not None:
        raise cancellation
