"""The regular removal of expired images."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from chladni_contract.errors import ChladniError
from chladni_gateway.domain.image_store import ImageStore

_log = logging.getLogger(__name__)


@asynccontextmanager
async def periodic_sweep(store: ImageStore, *, interval_seconds: float) -> AsyncIterator[None]:
    """Sweeps a store at once and then at intervals, while the context lasts."""
    task = asyncio.create_task(_sweep(store, interval_seconds))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _sweep(store: ImageStore, interval_seconds: float) -> None:
    while True:
        try:
            removed = await store.sweep()
        except ChladniError as error:
            _log.warning("the sweep failed and will be tried again", extra={"detail": error.message})
        else:
            if removed:
                _log.info("expired images removed", extra={"count": removed})
        await asyncio.sleep(interval_seconds)
