"""Collections in this process, in memory or in a folder, by qdrant-client's local mode.

Its search compares a query with every vector, so it finds the true neighbours. It is safe on one thread only,
hence every call runs on one and the same.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final, TypeVar

from qdrant_client import AsyncQdrantClient, models

from chladni_runtime.execution.admission import Admission
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.worker_pool import WorkerPool
from chladni_similarity.collections.interface import (
    CollectionInfo,
    CollectionLimits,
    FoundImage,
    ListedImage,
    StoredImage,
    VectorKind,
    VectorSpace,
)
from chladni_similarity.collections.qdrant_collections import QdrantCollections
from chladni_similarity.collections.refusals import store_unavailable
from chladni_similarity.embedding.cache import Vector

_MIN_VACATED_SLOTS: Final = 1024
_COPIED_POINTS: Final = 256

_log = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")


class StoreOpeningError(Exception):
    """The store cannot be opened; the message says why and what to do."""


class LocalStore:
    """A `CollectionStore` in this process.

    Use `open_local_store`, which closes it too.

    Args:
        folder: Where collections are kept; `None` keeps them in memory. Qdrant stores pickles, so write
            access to it allows to run code here.
        spaces: Spaces of the models of this server.
        limits: Limits of what is kept.
        workers: One thread, on which all calls run.

    Raises:
        StoreOpeningError: The folder cannot be used.
    """

    def __init__(
        self,
        *,
        folder: Path | None,
        spaces: Sequence[VectorSpace],
        limits: CollectionLimits,
        workers: WorkerPool,
    ) -> None:
        self._folder = folder
        self._spaces = spaces
        self._limits = limits
        self._workers = workers
        self._vacated_slots = 0
        self._client = _open_client(folder)
        self._collections = self._collections_of(self._client)

    def close(self) -> None:
        """Close the files and release the folder."""
        asyncio.run(self._client.close())

    async def add(
        self,
        collection: str,
        images: Sequence[StoredImage],
        token: CancellationToken,
        *,
        replace_outdated: bool = False,
    ) -> int:
        """Add images; see `CollectionStore.add`."""
        return await self._run(
            token, lambda: self._collections.add(collection, images, replace_outdated=replace_outdated)
        )

    async def search(
        self,
        collection: str,
        kind: VectorKind,
        vector: Vector,
        count: int,
        token: CancellationToken,
        *,
        candidate_ids: Sequence[str] = (),
        excluded_id: str | None = None,
        skipped: int = 0,
    ) -> Sequence[FoundImage]:
        """Search; see `CollectionStore.search`."""
        return await self._run(
            token,
            lambda: self._collections.search(
                collection,
                kind,
                vector,
                count,
                candidate_ids=candidate_ids,
                excluded_id=excluded_id,
                skipped=skipped,
            ),
        )

    async def vector_of(
        self, collection: str, kind: VectorKind, image_id: str, token: CancellationToken
    ) -> Vector:
        """Return the vector of an image; see `CollectionStore.vector_of`."""
        return await self._run(token, lambda: self._collections.vector_of(collection, kind, image_id))

    async def list_images(
        self, collection: str, count: int, token: CancellationToken, *, first_id: str | None = None
    ) -> Sequence[ListedImage]:
        """Return images of a collection; see `CollectionStore.list_images`."""
        return await self._run(
            token, lambda: self._collections.list_images(collection, count, first_id=first_id)
        )

    async def delete(self, collection: str, image_ids: Sequence[str], token: CancellationToken) -> int:
        """Delete images; see `CollectionStore.delete`."""
        return await self._run(token, lambda: self._delete(collection, image_ids))

    async def sizes(self, token: CancellationToken) -> Mapping[str, int]:
        """Return the number of images in each collection."""
        return await self._run(token, self._collections.sizes)

    async def list_collections(
        self, count: int, token: CancellationToken, *, first_name: str = ""
    ) -> Sequence[CollectionInfo]:
        """Return collections by name; see `CollectionStore.list_collections`."""
        return await self._run(
            token, lambda: self._collections.list_collections(count, first_name=first_name)
        )

    async def describe(self, collection: str, token: CancellationToken) -> CollectionInfo:
        """Return what a collection is; see `CollectionStore.describe`."""
        return await self._run(token, lambda: self._collections.describe(collection))

    async def drop(self, collection: str, token: CancellationToken) -> int:
        """Delete a collection; see `CollectionStore.drop`."""
        return await self._run(token, lambda: self._collections.drop(collection))

    async def _run(
        self, token: CancellationToken, call: Callable[[], Coroutine[Any, Any, ResultT]]
    ) -> ResultT:
        return await self._workers.run(token, _finish, call)

    async def _delete(self, collection: str, image_ids: Sequence[str]) -> int:
        count = await self._collections.delete(collection, image_ids)
        self._vacated_slots += count
        if self._vacated_slots >= _MIN_VACATED_SLOTS:
            kept_count = sum((await self._collections.sizes()).values())
            if self._vacated_slots > kept_count:
                await self._compact()
        return count

    async def _compact(self) -> None:
        """Free the memory of deleted images, which local mode releases only when it is opened again."""
        old = self._client
        if self._folder is None:
            self._client = _open_client(None)
            await _copy(old, self._client)
            await old.close()
        else:
            await old.close()
            self._client = _open_client(self._folder)
        self._collections = self._collections_of(self._client)
        self._vacated_slots = 0

    def _collections_of(self, client: AsyncQdrantClient) -> QdrantCollections:
        return QdrantCollections(client, spaces=self._spaces, limits=self._limits)


@asynccontextmanager
async def open_local_store(
    folder: Path | None, *, spaces: Sequence[VectorSpace], limits: CollectionLimits, max_waiting: int
) -> AsyncIterator[LocalStore]:
    """Open a store while the context lasts.

    Args:
        folder: Where collections are kept, created if it is missing; `None` keeps them in memory.
        spaces: Spaces of the models of this server.
        limits: Limits of what is kept.
        max_waiting: Calls that may run or wait at most.

    Raises:
        StoreOpeningError: The folder cannot be used.
    """
    admission = Admission(max_waiting, clock=time.monotonic)
    async with WorkerPool(1, admission=admission, queue="collections") as workers:
        store = await asyncio.to_thread(
            LocalStore, folder=folder, spaces=spaces, limits=limits, workers=workers
        )
        try:
            yield store
        finally:
            await workers.run(CancellationToken(), store.close)


def _finish(call: Callable[[], Coroutine[Any, Any, ResultT]]) -> ResultT:
    """Run a call of the local client, whose coroutines compute and never wait, to its end."""
    try:
        return asyncio.run(call())
    except (OSError, sqlite3.Error):
        _log.exception("the folder of the collections cannot be written")
        raise store_unavailable("their disk fails or is full") from None


def _open_client(folder: Path | None) -> AsyncQdrantClient:
    try:
        if folder is None:
            return AsyncQdrantClient(location=":memory:", force_disable_check_same_thread=True)
        return AsyncQdrantClient(path=str(folder), force_disable_check_same_thread=True)
    except RuntimeError:
        raise StoreOpeningError(
            f"{folder} is in use by another process, and only one can use a folder of collections. Give "
            "each replica a folder of its own, or let all share a Qdrant server: set "
            "CHLADNI_SIMILARITY_COLLECTIONS to its URL."
        ) from None
    except OSError as error:
        raise StoreOpeningError(f"{folder} cannot be used for collections: {error.strerror}.") from error
    except (ValueError, sqlite3.Error, UnpicklingError, EOFError) as error:
        raise StoreOpeningError(
            f"{folder} holds files that are no intact collections; restore them from a copy, or set "
            "CHLADNI_SIMILARITY_COLLECTIONS to an empty folder."
        ) from error


async def _copy(source: AsyncQdrantClient, target: AsyncQdrantClient) -> None:
    """Copy all collections, a few images at a time: local mode returns vectors as lists of floats."""
    for item in (await source.get_collections()).collections:
        config = (await source.get_collection(item.name)).config
        await target.create_collection(item.name, vectors_config=config.params.vectors)
        offset: Any = None
        while True:
            records, offset = await source.scroll(
                item.name, limit=_COPIED_POINTS, offset=offset, with_vectors=True
            )
            if records:
                points = [
                    models.PointStruct(id=record.id, vector=record.vector or {}, payload=record.payload)
                    for record in records
                ]
                await target.upsert(item.name, points)
            if offset is None:
                break
