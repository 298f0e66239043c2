"""How alike each of several stored images is to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chladni_contract.errors import InvalidInputError, MetadataValue, Reason
from chladni_gateway.domain.stages import STAGE_KEY, Stage, at_stage
from chladni_gateway.domain.storage.image_store import unknown_image

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from chladni_gateway.domain.storage.image_store import ImageStore
    from chladni_gateway.similarity.scoring import StoredImageScorer
    from chladni_runtime.execution.admission import Admission
    from chladni_runtime.execution.deadlines import Deadline

MIN_MATRIX_IMAGES: Final = 2
MAX_MATRIX_IMAGES: Final = 24
_DECIMALS: Final = 6


@dataclass(frozen=True, slots=True)
class ScoreMatrix:
    """Scores of all pairs.

    Attributes:
        image_ids: The images, in the order they were given.
        scores: Row i, column j: how alike images i and j are, 0 to 1; symmetric, 1 on the diagonal.
        model: Model that was used.
    """

    image_ids: tuple[UUID, ...]
    scores: tuple[tuple[float, ...], ...]
    model: str


class MatrixComparator:
    """Compares several images at once; each is looked at once.

    Args:
        store: Holds the images.
        scorer: Compares them.
        admission: Bounds the requests in progress.
    """

    def __init__(self, *, store: ImageStore, scorer: StoredImageScorer, admission: Admission) -> None:
        self._store = store
        self._scorer = scorer
        self._admission = admission

    async def compare(self, image_ids: Sequence[UUID], deadline: Deadline) -> ScoreMatrix:
        """Return how alike the images are.

        Raises:
            InvalidInputError: They are too few, too many, or not distinct.
            NotFoundError: An identifier is unknown.
            ChladniError: A service failed.
        """
        _check(image_ids)
        with at_stage(Stage.STORAGE):
            records = [await self._store.describe(image_id) for image_id in image_ids]
        with at_stage(Stage.SIMILARITY), self._admission.admit():
            scores, model = await self._scorer.score_pairs(records, deadline)
        digests = [record.sha256 for record in records]
        missing = [
            image_id
            for image_id, digest in zip(image_ids, digests, strict=True)
            if (digest, digest) not in scores
        ]
        if missing:
            raise unknown_image(min(missing))
        rows = (
            tuple(1.0 if digest == other else round(scores[digest, other], _DECIMALS) for other in digests)
            for digest in digests
        )
        return ScoreMatrix(tuple(image_ids), tuple(rows), model)


def _check(image_ids: Sequence[UUID]) -> None:
    if not MIN_MATRIX_IMAGES <= len(image_ids) <= MAX_MATRIX_IMAGES:
        raise _invalid(
            f"image_ids holds {len(image_ids)} identifiers, "
            f"must hold {MIN_MATRIX_IMAGES} to {MAX_MATRIX_IMAGES}.",
            value=len(image_ids),
            minimum=MIN_MATRIX_IMAGES,
            maximum=MAX_MATRIX_IMAGES,
        )
    repeated = [image_id for position, image_id in enumerate(image_ids) if image_id in image_ids[:position]]
    if repeated:
        raise _invalid(
            f"image_ids holds {repeated[0]} twice; send each identifier once.", value=str(repeated[0])
        )


def _invalid(message: str, **metadata: MetadataValue) -> InvalidInputError:
    return InvalidInputError(
        Reason.INVALID_FIELD,
        message,
        field="image_ids",
        metadata={STAGE_KEY: Stage.VALIDATION.value, **metadata},
    )
