"""Work that is repeated beside the requests of a service."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

_log = logging.getLogger(__name__)


@asynccontextmanager
async def repeating(
    work: Callable[[], Awaitable[object]], *, interval_seconds: float, at_once: bool = True
) -> AsyncIterator[None]:
    """Do work at intervals while the context lasts.

    An error that the work does not handle is logged as a whole, and the work is tried again: a fault of one
    turn must not end all later ones in silence.

    Args:
        work: The work of one turn.
        interval_seconds: Time between the end of a turn and the next one.
        at_once: Whether the first turn comes at once, and not after an interval.
    """

    async def repeat() -> None:
        if not at_once:
            await asyncio.sleep(interval_seconds)
        while True:
            try:
                await work()
            except Exception:  # noqa: BLE001 - logged as a whole
                _log.exception("repeated work failed unexpectedly and will be tried again")
            await asyncio.sleep(interval_seconds)

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
