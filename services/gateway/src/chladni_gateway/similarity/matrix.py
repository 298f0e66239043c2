"""How alike each of several stored images is to each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from chladni_contract.errors import InvalidInputError, Reason
from chladni_gateway.domain.image_store import ImageStore, unknown_image
from chladni_gateway.domain.scores import scores_of
from chladni_gateway.domain.stages import STAGE_KEY, Stage, at_stage
from chladni_gateway.similarity.embedding import EmbeddedImages, StoredImageEmbedder
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


class MatrixMaker:
    """Compares several images at once; each is embedded once.

    Args:
        store: Holds the images.
        embedder: Embeds them.
    """

    def __init__(self, *, store: ImageStore, embedder: StoredImageEmbedder) -> None:
        self._store = store
        self._embedder = embedder

    async def compare(self, image_ids: Sequence[UUID], deadline: Deadline) -> ScoreMatrix:
        """Returns how alike the images are.

        Raises:
            InvalidInputError: They are too few, too many, or not distinct.
            NotFoundError: An identifier is unknown.
            ChladniError: A service failed.
        """
        _check(image_ids)
        with at_stage(Stage.STORAGE):
            records = [await self._store.describe(image_id) for image_id in image_ids]
        embedded = await self._embedder.embed(records, deadline)
        if missing := set(image_ids) - {record.image_id for record in embedded.records}:
            raise unknown_image(min(missing))
        return ScoreMatrix(tuple(image_ids), _scores(embedded), embedded.model)


def _scores(embedded: EmbeddedImages) -> tuple[tuple[float, ...], ...]:
    """Returns the scores of all pairs: rounded, so that they are symmetric to the last bit."""
    digests = [record.sha256 for record in embedded.records]
    return tuple(
        tuple(
            1.0 if digest == other else round(score, _DECIMALS)
            for other, score in zip(
                digests, scores_of(vector, embedded.vectors, embedded.score_curve), strict=True
            )
        )
        for digest, vector in zip(digests, embedded.vectors, strict=True)
    )


def _check(image_ids: Sequence[UUID]) -> None:
    if not MIN_MATRIX_IMAGES <= len(image_ids) <= MAX_MATRIX_IMAGES:
        raise _invalid(
            f"image_ids holds {len(image_ids)} identifiers, "
            f"must hold {MIN_MATRIX_IMAGES} to {MAX_MATRIX_IMAGES}."
        )
    repeated = [image_id for position, image_id in enumerate(image_ids) if image_id in image_ids[:position]]
    if repeated:
        raise _invalid(f"image_ids holds {repeated[0]} twice; send each identifier once.")


def _invalid(message: str) -> InvalidInputError:
    return InvalidInputError(
        Reason.INVALID_FIELD, message, field="image_ids", metadata={STAGE_KEY: Stage.VALIDATION.value}
    )
