"""Stored images in a collection of the similarity service, where searches find them by their vectors.

Images are added when a search needs them, so that creations neither wait for the service nor fail with it,
and so that a service which lost its collection gets it back. Removed images leave it a little later: a search
names the images that it may find, so it never finds one that the store has removed.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Final

from chladni_contract.errors import ChladniError, Reason
from chladni_gateway.domain.ports import CollectionMatches
from chladni_gateway.similarity.scoring import load_batches
from chladni_runtime.background import repeating
from chladni_runtime.execution.deadlines import Deadline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractAsyncContextManager
    from uuid import UUID

    from chladni_gateway.domain.images import Image
    from chladni_gateway.domain.ports import ImageCollection
    from chladni_gateway.domain.storage.image_store import ImageRecord, ImageStore

_TO_BE_FILLED: Final = frozenset({Reason.UNKNOWN_COLLECTION, Reason.COLLECTION_OUTDATED})
_UNUSABLE: Final = frozenset({Reason.NOT_IMPLEMENTED, Reason.COLLECTION_FULL, Reason.STORAGE_UNAVAILABLE})
"""Without a usable collection images are compared one by one, which takes longer and finds the same."""
_MAX_REMOVED: Final = 10_000
_MAX_REMOVED_AT_ONCE: Final = 1000
_REMOVAL_SECONDS: Final = 10.0

_log = logging.getLogger(__name__)


class StoredImageCollection:
    """Searches stored images in a collection, and adds those that it lacks.

    Args:
        store: Holds the images.
        collection: The collection.
    """

    def __init__(self, *, store: ImageStore, collection: ImageCollection) -> None:
        self._store = store
        self._collection = collection

    async def search(
        self, image: Image, candidates: Sequence[ImageRecord], *, limit: int, deadline: Deadline
    ) -> CollectionMatches:
        """Return the candidates most like an image, at most `limit`, and those that could not be looked at.

        Args:
            image: The image.
            candidates: The images to search among; of equally alike ones the first come first.
            limit: Images at most.
            deadline: When the answer must be there.

        Raises:
            ChladniError: A service failed in another way than by keeping no usable collection.
        """
        matches = await self._search(image, candidates, limit, deadline)
        if matches is None:
            return _none_of(candidates)
        absent_ids = set(matches.absent_ids)
        if absent_ids and await self._add(
            (record for record in candidates if record.image_id in absent_ids), deadline
        ):
            matches = await self._search(image, candidates, limit, deadline)
        return matches or _none_of(candidates)

    async def _search(
        self, image: Image, candidates: Sequence[ImageRecord], limit: int, deadline: Deadline
    ) -> CollectionMatches | None:
        """Return what a search finds; `None` if the collection cannot be used."""
        candidate_ids = [record.image_id for record in candidates]
        try:
            return await self._collection.search(image, candidate_ids, limit, deadline)
        except ChladniError as error:
            if error.reason in _TO_BE_FILLED:
                return _none_of(candidates)
            _check_unusable(error)
            return None

    async def _add(self, records: Iterable[ImageRecord], deadline: Deadline) -> bool:
        """Add images; return whether the collection takes them."""
        async for batch in load_batches(self._store, records):
            images = {record.image_id: image for record, image in batch}
            try:
                await self._collection.add(images, deadline)
            except ChladniError as error:
                _check_unusable(error)
                return False
        return True


class RemovedImages:
    """Images that the store has removed and that have not left the collection yet.

    A bounded number is remembered; of more, the oldest stay in the collection, where no search finds them.

    Args:
        collection: The collection.
    """

    def __init__(self, collection: ImageCollection) -> None:
        self._collection = collection
        self._image_ids: deque[UUID] = deque(maxlen=_MAX_REMOVED)

    def note(self, image_id: UUID) -> None:
        """Remember a removed image. Safe to call from any thread."""
        self._image_ids.append(image_id)

    async def flush(self) -> None:
        """Remove the images from the collection; after a failure they are tried again at the next call."""
        while self._image_ids:
            image_ids = [
                self._image_ids.popleft() for _ in range(min(len(self._image_ids), _MAX_REMOVED_AT_ONCE))
            ]
            try:
                await self._collection.remove(image_ids, Deadline.after(_REMOVAL_SECONDS))
            except ChladniError as error:
                if error.reason is not Reason.NOT_IMPLEMENTED:
                    self._image_ids.extendleft(reversed(image_ids))
                    _log.warning(
                        "removed images stay in the collection for now", extra={"detail": error.message}
                    )
                    return

    def flushed(self, *, interval_seconds: float) -> AbstractAsyncContextManager[None]:
        """Flush at intervals while the context lasts."""
        return repeating(self.flush, interval_seconds=interval_seconds, at_once=False)


def _none_of(candidates: Sequence[ImageRecord]) -> CollectionMatches:
    return CollectionMatches({}, tuple(record.image_id for record in candidates))


def _check_unusable(error: ChladniError) -> None:
    """Log that the collection cannot be used; raise any other error again."""
    if error.reason not in _UNUSABLE:
        raise error
    if error.reason is not Reason.NOT_IMPLEMENTED:
        _log.warning("the collection of images cannot be used", extra={"detail": error.message})
