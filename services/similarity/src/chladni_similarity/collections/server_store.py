"""Collections on a Qdrant server, which all replicas of this service share."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from json import JSONDecodeError
from typing import Any, Final

from qdrant_client import AsyncQdrantClient
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from chladni_runtime.execution.cancellation import CancellationToken
from chladni_similarity.collections.interface import (
    CollectionInfo,
    CollectionLimits,
    FoundImage,
    ListedImage,
    ServerAccess,
    StoredImage,
    VectorKind,
    VectorSpace,
)
from chladni_similarity.collections.qdrant_collections import QdrantCollections
from chladni_similarity.collections.refusals import store_unavailable
from chladni_similarity.embedding.cache import Vector

_REFUSALS: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)

_log = logging.getLogger(__name__)


class ServerStore:
    """A `CollectionStore` on a Qdrant server.

    This process writes one request at a time. Other replicas may write at the same moment, so the limits of
    what is kept can then be exceeded by what they add; counts are exact nevertheless.

    Args:
        client: Client of the server.
        spaces: Spaces of the models of this server.
        limits: Limits of what is kept.
    """

    def __init__(
        self, client: AsyncQdrantClient, *, spaces: Sequence[VectorSpace], limits: CollectionLimits
    ) -> None:
        self._collections = QdrantCollections(client, spaces=spaces, limits=limits)
        self._writing = asyncio.Lock()

    async def add(
        self,
        collection: str,
        images: Sequence[StoredImage],
        token: CancellationToken,
        *,
        replace_outdated: bool = False,
    ) -> int:
        """Add images; see `CollectionStore.add`."""
        async with self._writing:
            token.check("before the collection was free")
            with _told_to_callers():
                return await self._collections.add(collection, images, replace_outdated=replace_outdated)

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
        del token  # gRPC cancels the task, and that the request to the server; as in the other reading calls
        with _told_to_callers():
            return await self._collections.search(
                collection,
                kind,
                vector,
                count,
                candidate_ids=candidate_ids,
                excluded_id=excluded_id,
                skipped=skipped,
            )

    async def vector_of(
        self, collection: str, kind: VectorKind, image_id: str, token: CancellationToken
    ) -> Vector:
        """Return the vector of an image; see `CollectionStore.vector_of`."""
        del token
        with _told_to_callers():
            return await self._collections.vector_of(collection, kind, image_id)

    async def list_images(
        self, collection: str, count: int, token: CancellationToken, *, first_id: str | None = None
    ) -> Sequence[ListedImage]:
        """Return images of a collection; see `CollectionStore.list_images`."""
        del token
        with _told_to_callers():
            return await self._collections.list_images(collection, count, first_id=first_id)

    async def delete(self, collection: str, image_ids: Sequence[str], token: CancellationToken) -> int:
        """Delete images; see `CollectionStore.delete`."""
        async with self._writing:
            token.check("before the collection was free")
            with _told_to_callers():
                return await self._collections.delete(collection, image_ids)

    async def sizes(self, token: CancellationToken) -> Mapping[str, int]:
        """Return the number of images in each collection."""
        del token
        with _told_to_callers():
            return await self._collections.sizes()

    async def list_collections(
        self, count: int, token: CancellationToken, *, first_name: str = ""
    ) -> Sequence[CollectionInfo]:
        """Return collections by name; see `CollectionStore.list_collections`."""
        del token
        with _told_to_callers():
            return await self._collections.list_collections(count, first_name=first_name)

    async def describe(self, collection: str, token: CancellationToken) -> CollectionInfo:
        """Return what a collection is; see `CollectionStore.describe`."""
        del token
        with _told_to_callers():
            return await self._collections.describe(collection)

    async def drop(self, collection: str, token: CancellationToken) -> int:
        """Delete a collection; see `CollectionStore.drop`."""
        async with self._writing:
            token.check("before the collection was free")
            with _told_to_callers():
                return await self._collections.drop(collection)


@asynccontextmanager
async def open_server_store(
    access: ServerAccess, *, spaces: Sequence[VectorSpace], limits: CollectionLimits
) -> AsyncIterator[ServerStore]:
    """Open a store while the context lasts. The server need not be up: calls fail until it is.

    Raises:
        OSError: The file of certificates cannot be read, or holds none.
    """
    client = await asyncio.to_thread(_new_client, access)
    try:
        yield ServerStore(client, spaces=spaces, limits=limits)
    finally:
        await client.close()


def _new_client(access: ServerAccess) -> AsyncQdrantClient:
    options: dict[str, Any] = {}
    if access.url.startswith("https://"):
        options["verify"] = ssl.create_default_context(cafile=access.ca_file)
    # httpx would log each of its requests, and every call has a line already.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return AsyncQdrantClient(
        url=access.url.rstrip("/"),
        api_key=access.api_key,
        timeout=access.timeout_seconds,
        check_compatibility=False,  # it asks the server on a thread, and warns if it is down
        **options,
    )


@contextmanager
def _told_to_callers() -> Iterator[None]:
    """Turn failures of the server into errors that callers may see; the log gets what they may not."""
    try:
        yield
    except (ResponseHandlingException, JSONDecodeError) as error:
        cause = error.source if isinstance(error, ResponseHandlingException) else error
        _log.warning("the Qdrant server does not answer as one", extra={"cause": repr(cause)})
        raise store_unavailable("the Qdrant server does not answer") from None
    except ResourceExhaustedResponse as error:
        raise store_unavailable(
            "the Qdrant server has too much to do", retry_after_seconds=float(error.retry_after_s)
        ) from None
    except UnexpectedResponse as error:
        status = error.status_code or HTTPStatus.INTERNAL_SERVER_ERROR
        if status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _REFUSALS:
            raise
        _log.exception("the Qdrant server failed")
        what = "refuses this service" if status in _REFUSALS else "fails"
        raise store_unavailable(f"the Qdrant server {what}") from None
