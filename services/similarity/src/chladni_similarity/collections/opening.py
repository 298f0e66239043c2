"""The choice of a store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from chladni_similarity.collections.interface import (
    CollectionLimits,
    CollectionStore,
    ServerAccess,
    VectorSpace,
)
from chladni_similarity.collections.local_store import open_local_store
from chladni_similarity.collections.server_store import open_server_store


@asynccontextmanager
async def open_store(
    location: Path | ServerAccess | None,
    *,
    spaces: Sequence[VectorSpace],
    limits: CollectionLimits,
    max_waiting: int,
) -> AsyncIterator[CollectionStore]:
    """Open a store while the context lasts.

    Args:
        location: A folder, a Qdrant server, or `None` for memory.
        spaces: Spaces of the models of this server.
        limits: Limits of what is kept.
        max_waiting: Calls that may wait for a store in this process at most.

    Raises:
        StoreOpeningError: The folder cannot be used.
        OSError: The certificates cannot be read.
    """
    if isinstance(location, ServerAccess):
        async with open_server_store(location, spaces=spaces, limits=limits) as server_store:
            yield server_store
    else:
        async with open_local_store(
            location, spaces=spaces, limits=limits, max_waiting=max_waiting
        ) as local_store:
            yield local_store
