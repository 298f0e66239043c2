"""Scores of stored images, which the similarity service computes from the images themselves."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from chladni_contract.errors import NotFoundError, Reason, UnavailableError
from chladni_gateway.domain.images import Image
from chladni_gateway.domain.stages import STAGE_KEY, Stage, at_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
    from uuid import UUID

    from chladni_gateway.domain.ports import MatrixComparer
    from chladni_gateway.domain.storage.image_store import ImageRecord, ImageStore
    from chladni_runtime.execution.deadlines import Deadline

_MAX_BATCH_IMAGES: Final = 24
_MAX_BATCH_BYTES: Final = 16 * 1024 * 1024  # Two such batches, each with one more image, fit one message.
_RETRY_AFTER_SECONDS: Final = 1.0

Batch = list[tuple["ImageRecord", Image]]
"""Some stored images with their records."""


class StoredImageScorer:
    """Scores stored images, equal ones once, a few at a time: never are all of them in memory.

    Args:
        store: Holds the images.
        comparer: Compares images.
    """

    def __init__(self, *, store: ImageStore, comparer: MatrixComparer) -> None:
        self._store = store
        self._comparer = comparer

    async def score_against(
        self, given: Image, records: Iterable[ImageRecord], deadline: Deadline
    ) -> dict[UUID, float]:
        """Return how alike an image is to stored ones, 0 to 1, by their identifiers.

        Those removed in the meantime are left out.

        Raises:
            ChladniError: A service failed.
        """
        records = list(records)
        scores: dict[str, float] = {}
        models: set[str] = set()
        async for batch in load_batches(self._store, _distinct(records)):
            matrix = await self._comparer.compare_matrix([given], [image for _, image in batch], deadline)
            models.add(matrix.model)
            _check_one_model(models)
            scores |= zip((record.sha256 for record, _ in batch), matrix.scores[0], strict=True)
        return {record.image_id: scores[record.sha256] for record in records if record.sha256 in scores}

    async def score_pairs(
        self, records: Iterable[ImageRecord], deadline: Deadline
    ) -> tuple[Mapping[tuple[str, str], float], str]:
        """Return how alike stored images are to each other, 0 to 1, by pairs of their digests, and the model.

        Pairs with an image removed in the meantime are left out.

        Raises:
            ChladniError: A service failed.
        """
        scores: dict[tuple[str, str], float] = {}
        models: set[str] = set()
        groups: list[list[ImageRecord]] = []

        async def score(rows: Batch, columns: Batch) -> None:
            matrix = await self._comparer.compare_matrix(
                [image for _, image in rows], [image for _, image in columns], deadline
            )
            models.add(matrix.model)
            _check_one_model(models)
            for (row, _), values in zip(rows, matrix.scores, strict=True):
                for (column, _), value in zip(columns or rows, values, strict=True):
                    scores[row.sha256, column.sha256] = scores[column.sha256, row.sha256] = value

        async for batch in load_batches(self._store, _distinct(records)):
            await score(batch, [])
            groups.append([record for record, _ in batch])
        for first, second in itertools.combinations(groups, 2):
            rows, columns = [await _load_all(self._store, group) for group in (first, second)]
            if rows and columns:
                await score(rows, columns)
        return scores, next(iter(models), "")


async def load_batches(store: ImageStore, records: Iterable[ImageRecord]) -> AsyncIterator[Batch]:
    """Yield the images of records, as many at a time as fit one message; those that are gone are left out.

    Raises:
        ChladniError: The storage failed.
    """
    batch: Batch = []
    for record in records:
        image = await _load(store, record)
        if image is not None:
            batch.append((record, image))
        if (
            len(batch) >= _MAX_BATCH_IMAGES
            or sum(len(image.content) for _, image in batch) >= _MAX_BATCH_BYTES
        ):
            yield batch
            batch = []
    if batch:
        yield batch


def _is_full(batch: Batch) -> bool:
    size_bytes = sum(len(image.content) for _, image in batch)
    return len(batch) >= _MAX_BATCH_IMAGES or size_bytes >= _MAX_BATCH_BYTES


async def _load_all(store: ImageStore, records: Sequence[ImageRecord]) -> Batch:
    images = [(record, await _load(store, record)) for record in records]
    return [(record, image) for record, image in images if image is not None]


async def _load(store: ImageStore, record: ImageRecord) -> Image | None:
    with at_stage(Stage.STORAGE):
        try:
            return (await store.get(record.image_id)).image
        except NotFoundError:
            return None


def _distinct(records: Iterable[ImageRecord]) -> list[ImageRecord]:
    """Return one record for each content."""
    return list({record.sha256: record for record in records}.values())


def _check_one_model(models: set[str]) -> None:
    if len(models) > 1:
        raise UnavailableError(
            Reason.BACKEND_UNAVAILABLE,
            "The service similarity changed its model in the middle of the request. Try again shortly.",
            retry_after_seconds=_RETRY_AFTER_SECONDS,
            metadata={STAGE_KEY: Stage.SIMILARITY.value},
        )
