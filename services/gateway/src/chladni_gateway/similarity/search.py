"""The images of an owner that are most like a given one."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from chladni_gateway.domain.image_store import ImageRecord, ImageStore, unknown_image
from chladni_gateway.domain.scores import scores_of
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.similarity.embedding import StoredImageEmbedder
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
        embedder: Embeds them.
    """

    def __init__(self, *, store: ImageStore, embedder: StoredImageEmbedder) -> None:
        self._store = store
        self._embedder = embedder

    async def search(
        self, image_id: UUID, *, owner: str, limit: int, deadline: Deadline
    ) -> tuple[Match, ...]:
        """Returns the owner's images that are most like a given one, best first, without that one.

        Equally alike images come newest first. Only the newest `MAX_SEARCHED_IMAGES` are looked at.

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
        others = [record for record in owned if record.image_id != image_id]
        if not others:
            return ()
        embedded = await self._embedder.embed((given, *others), deadline)
        if not embedded.records or embedded.records[0].image_id != image_id:
            raise unknown_image(image_id)
        scores = scores_of(embedded.vectors[0], embedded.vectors[1:], embedded.score_curve)
        matches = [
            Match(record, 1.0 if record.sha256 == given.sha256 else score)
            for record, score in zip(embedded.records[1:], scores, strict=True)
        ]
        matches.sort(key=lambda match: match.score, reverse=True)
        return tuple(matches[:limit])
