"""The images of an owner that are most like a given one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chladni_gateway.domain.stages import Stage, at_stage

if TYPE_CHECKING:
    from uuid import UUID

    from chladni_gateway.domain.storage.image_store import ImageRecord, ImageStore
    from chladni_gateway.similarity.collection import StoredImageCollection
    from chladni_gateway.similarity.scoring import StoredImageScorer
    from chladni_runtime.execution.admission import Admission
    from chladni_runtime.execution.deadlines import Deadline

MAX_MATCHES: Final = 50
MAX_SEARCHED_IMAGES: Final = 500


@dataclass(frozen=True, slots=True)
class Match:
    """An image that was found, and how alike it is, 0 to 1."""

    record: ImageRecord
    score: float


class ImageSearcher:
    """Searches the images of an owner.

    Args:
        store: Holds the images.
        collection: Finds them by their vectors.
        scorer: Compares those that the collection does not hold.
        admission: Bounds the requests in progress.
    """

    def __init__(
        self,
        *,
        store: ImageStore,
        collection: StoredImageCollection,
        scorer: StoredImageScorer,
        admission: Admission,
    ) -> None:
        self._store = store
        self._collection = collection
        self._scorer = scorer
        self._admission = admission

    async def search(
        self, image_id: UUID, *, owner: str, limit: int, deadline: Deadline
    ) -> tuple[Match, ...]:
        """Return the owner's images that are most like a given one, best first, without that one.

        Equally alike images come newest first. Only the newest `MAX_SEARCHED_IMAGES` are looked at, and of
        these no SVG and no PDF.

        Args:
            image_id: The given image, anybody's.
            owner: Whose images are searched.
            limit: Images at most.
            deadline: When the answer must be there.

        Raises:
            NotFoundError: The identifier is unknown.
            ChladniError: A service failed.
        """
        with at_stage(Stage.STORAGE):
            given = await self._store.describe(image_id)
            owned = await self._store.list_owned(owner, limit=MAX_SEARCHED_IMAGES)
        # Nothing compares shapes: one of them must not fail the search for all others.
        others = [record for record in owned if record.image_id != image_id and not record.format.is_vector]
        if not others:
            return ()
        with at_stage(Stage.SIMILARITY), self._admission.admit():
            scores = await self._scores(image_id, others, limit, deadline)
        matches = [
            Match(record, 1.0 if record.sha256 == given.sha256 else scores[record.image_id])
            for record in others
            if record.image_id in scores
        ]
        matches.sort(key=lambda match: match.score, reverse=True)
        return tuple(matches[:limit])

    async def _scores(
        self, image_id: UUID, others: list[ImageRecord], limit: int, deadline: Deadline
    ) -> dict[UUID, float]:
        """Return the scores of at least those images that are most alike."""
        with at_stage(Stage.STORAGE):
            image = (await self._store.get(image_id)).image
        found = await self._collection.search(image, others, limit=limit, deadline=deadline)
        absent_ids = set(found.absent_ids)
        absent = [record for record in others if record.image_id in absent_ids]
        return {**found.scores, **await self._scorer.score_against(image, absent, deadline)}
