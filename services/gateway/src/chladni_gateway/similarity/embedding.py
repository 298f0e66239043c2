"""The vectors of stored images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chladni_contract.errors import NotFoundError, Reason, UnavailableError
from chladni_contract.score_curve import ScoreCurve
from chladni_gateway.domain.image_store import ImageRecord, ImageStore
from chladni_gateway.domain.images import Image
from chladni_gateway.domain.ports import ImageEmbedder
from chladni_gateway.domain.scores import Vector, unit_vector
from chladni_gateway.domain.stages import STAGE_KEY, Stage, at_stage
from chladni_runtime.execution.admission import Admission
from chladni_runtime.execution.deadlines import Deadline

_MAX_BATCH_IMAGES: Final = 16
_MAX_BATCH_BYTES: Final = 16 * 1024 * 1024  # With one more image still far below what a message may hold.
_RETRY_AFTER_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class EmbeddedImages:
    """Stored images with their vectors.

    Attributes:
        records: The images that are still there, in the order they were asked for.
        vectors: A vector each, of length 1.
        model: Model that made the vectors.
        score_curve: How scores follow from their cosines, as in `ImageVectors`.
    """

    records: tuple[ImageRecord, ...]
    vectors: tuple[Vector, ...]
    model: str
    score_curve: ScoreCurve | None = None


class StoredImageEmbedder:
    """Embeds stored images, equal ones once, a few at a time: never are all of them in memory.

    Args:
        store: Holds the images.
        embedder: Embeds them.
        admission: Bounds the requests in progress.
    """

    def __init__(self, *, store: ImageStore, embedder: ImageEmbedder, admission: Admission) -> None:
        self._store = store
        self._embedder = embedder
        self._admission = admission

    async def embed(self, records: Sequence[ImageRecord], deadline: Deadline) -> EmbeddedImages:
        """Returns the images of some records with their vectors; those removed meanwhile are left out.

        Raises:
            ChladniError: The service failed, the storage did, or too much is asked for.
        """
        with at_stage(Stage.SIMILARITY), self._admission.admit():
            vectors, (model, curve) = await self._vectors_by_digest(records, deadline)
        present = tuple(record for record in records if record.sha256 in vectors)
        return EmbeddedImages(present, tuple(vectors[record.sha256] for record in present), model, curve)

    async def _vectors_by_digest(
        self, records: Sequence[ImageRecord], deadline: Deadline
    ) -> tuple[dict[str, Vector], tuple[str, ScoreCurve | None]]:
        distinct = list({record.sha256: record for record in records}.values())
        vectors: dict[str, Vector] = {}
        models: set[tuple[str, ScoreCurve | None]] = set()
        batch: dict[str, Image] = {}
        for record in distinct:
            if (image := await self._load(record)) is not None:
                batch[record.sha256] = image
            if batch and (_is_full(batch) or record is distinct[-1]):
                embedded = await self._embedder.embed(tuple(batch.values()), deadline)
                vectors |= zip(batch, map(unit_vector, embedded.vectors), strict=True)
                models.add((embedded.model, embedded.score_curve))
                batch.clear()
        if len(models) > 1:
            raise _changed_model()
        return vectors, next(iter(models), ("", None))

    async def _load(self, record: ImageRecord) -> Image | None:
        with at_stage(Stage.STORAGE):
            try:
                return Image((await self._store.get(record.image_id)).content, "image/png")
            except NotFoundError:
                return None


def _is_full(batch: dict[str, Image]) -> bool:
    size_bytes = sum(len(image.content) for image in batch.values())
    return len(batch) >= _MAX_BATCH_IMAGES or size_bytes >= _MAX_BATCH_BYTES


def _changed_model() -> UnavailableError:
    return UnavailableError(
        Reason.BACKEND_UNAVAILABLE,
        "The service similarity changed its model in the middle of the request. Try again shortly.",
        retry_after_seconds=_RETRY_AFTER_SECONDS,
        metadata={STAGE_KEY: Stage.SIMILARITY.value},
    )
