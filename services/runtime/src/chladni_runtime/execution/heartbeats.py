"""Signs of life in a stream of events that is silent for long.

Proxies and load balancers close a connection on which nothing was sent for a minute or so, whatever the
server computes meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final, TypeVar

EventT = TypeVar("EventT")

HEARTBEAT_SECONDS: Final = 10.0
"""Silence after which a stream sends a heartbeat, unless configured otherwise."""

MAX_HEARTBEAT_SECONDS: Final = 15.0
"""Longest silence that the contract allows."""


async def with_heartbeats(
    events: AsyncGenerator[EventT, None], interval_seconds: float
) -> AsyncGenerator[EventT | None, None]:
    """Yield events as they come, and `None` whenever there was none for `interval_seconds`.

    The next event is asked for only when the caller asks for the next item. The events run in one task of
    their own, from the first to the last, so that their timeouts and context variables hold; cancelling the
    caller, or closing this generator, cancels that task and waits until the events are closed.

    Args:
        events: The events; closed at the end.
        interval_seconds: Seconds without an event, more than 0.

    Raises:
        Exception: Whatever the events raise.
    """
    slot: list[EventT] = []
    is_ready, is_taken = asyncio.Event(), asyncio.Event()

    async def forward() -> None:
        try:
            async with aclosing(events):
                async for event in events:
                    slot.append(event)
                    is_ready.set()
                    await is_taken.wait()
                    is_taken.clear()
        finally:
            is_ready.set()

    task = asyncio.create_task(forward())
    try:
        while True:
            if not await _is_set_within(is_ready, interval_seconds):
                yield None
                continue
            is_ready.clear()
            if not slot:
                break
            yield slot.pop()
            is_taken.set()
        await task
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # Raised already, or of no interest to a caller who has gone.
        # An error's traceback holds this frame, and the task holds the error: keep no cycle.
        del task


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    if event.is_set():
        return True
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return event.is_set()
    return True
