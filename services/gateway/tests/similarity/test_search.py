"""Search and matrices over a store, a collection and a comparer in memory."""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chladni_contract.errors import (
    ChladniError,
    InvalidInputError,
    NotFoundError,
    NotOfferedError,
    QueueFullError,
    Reason,
    UnavailableError,
)
from chladni_contract.provenance import Provenance
from chladni_gateway.domain.audio import AudioProperties
from chladni_gateway.domain.images import ImageFormat
from chladni_gateway.domain.ports import CollectionMatches, SimilarityMatrix
from chladni_gateway.domain.storage.image_store import ImageRecord, StoredImage, unknown_image
from chladni_gateway.similarity.collection import RemovedImages, StoredImageCollection
from chladni_gateway.similarity.matrix import MatrixComparator
from chladni_gateway.similarity.scoring import StoredImageScorer
from chladni_gateway.similarity.search import ImageSearcher
from chladni_runtime.execution.admission import Admission
from chladni_runtime.execution.deadlines import Deadline

NO_LIMIT = Deadline()
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEMPLATE = ImageRecord(
    image_id=uuid.UUID(int=0),
    created_at=NOW,
    expires_at=NOW + timedelta(days=1),
    sha256="",
    width_pixels=8,
    height_pixels=8,
    source_name="",
    recipe="embedded",
    processing_seconds=1.0,
    audio=AudioProperties("wav", 8000, 1, 1.0, ""),
    descriptors=(),
    provenance=Provenance(),
    owner="ann",
)


class Shelf:
    """A store whose images can be gone although they are listed."""

    def __init__(self, contents):
        self.contents = {uuid.UUID(int=number): content for number, content in enumerate(contents, start=1)}
        self.records = [
            replace(TEMPLATE, image_id=image_id, sha256=hashlib.sha256(content).hexdigest())
            for image_id, content in self.contents.items()
        ]
        self.gone = set()

    async def get(self, image_id):
        if image_id in self.gone:
            raise unknown_image(image_id)
        return StoredImage(await self.describe(image_id), self.contents[image_id])

    async def describe(self, image_id):
        return self.records[image_id.int - 1]

    async def list_owned(self, owner, *, limit, before=None):
        return tuple(self.records[:limit])


def likeness(first, second):
    """How alike two contents of at least two bytes are: by their first bytes."""
    return 1 / (1 + abs(first[0] - second[0]) + abs(first[1] - second[1]) / 2)


class Comparer:
    """Compares images by their first two bytes, and notes what it is given."""

    def __init__(self, models=("eye",)):
        self.models = list(models)
        self.calls = []

    async def compare_matrix(self, rows, columns, deadline):
        rows, columns = [[image.content for image in images] for images in (rows, columns)]
        self.calls.append((rows, columns))
        model = self.models.pop(0) if len(self.models) > 1 else self.models[0]
        return SimilarityMatrix(
            tuple(tuple(likeness(row, column) for column in columns or rows) for row in rows), model
        )


class Collection:
    """A collection that can lose its images, and fail."""

    def __init__(self):
        self.images = None
        self.added = []
        self.removed = []
        self.errors = {}

    def _check(self, call):
        if call in self.errors:
            raise self.errors[call]

    async def add(self, images, deadline):
        self._check("add")
        self.added.append(list(images))
        self.images = (self.images or {}) | {key: image.content for key, image in images.items()}

    async def search(self, image, candidate_ids, limit, deadline):
        self._check("search")
        if self.images is None:
            raise NotFoundError(Reason.UNKNOWN_COLLECTION, "There is no collection.")
        present = [key for key in candidate_ids if key in self.images]
        scores = {key: likeness(image.content, self.images[key]) for key in present}
        best = sorted(present, key=scores.get, reverse=True)[:limit]
        absent = tuple(key for key in candidate_ids if key not in self.images)
        return CollectionMatches({key: scores[key] for key in best}, absent)

    async def remove(self, image_ids, deadline):
        self._check("remove")
        self.removed.append(list(image_ids))


def admission(capacity=4):
    return Admission(capacity, clock=time.monotonic)


def searcher_over(shelf, collection, comparer):
    return ImageSearcher(
        store=shelf,
        collection=StoredImageCollection(store=shelf, collection=collection),
        scorer=StoredImageScorer(store=shelf, comparer=comparer),
        admission=admission(),
    )


def matrices_over(shelf, comparer, places=None):
    return MatrixComparator(
        store=shelf,
        scorer=StoredImageScorer(store=shelf, comparer=comparer),
        admission=places or admission(),
    )


async def search(searcher, image_id, limit=50):
    matches = await searcher.search(image_id, owner="ann", limit=limit, deadline=NO_LIMIT)
    return [(match.record.image_id, match.score) for match in matches]


def expected_matches(shelf, image_id, limit=50):
    given = shelf.contents[image_id]
    scores = [
        (record.image_id, 1.0 if shelf.contents[record.image_id] == given else likeness(given, content))
        for record in shelf.records
        if record.image_id != image_id and record.image_id not in shelf.gone
        for content in [shelf.contents[record.image_id]]
    ]
    return sorted(scores, key=lambda match: match[1], reverse=True)[:limit]


CONTENTS = st.lists(st.binary(min_size=2, max_size=3), min_size=1, max_size=40)
COLLECTION_ERRORS = {
    "off": ("search", NotOfferedError("No collections.")),
    "unreachable": ("search", UnavailableError(Reason.STORAGE_UNAVAILABLE, "The disk is full.")),
    "full": ("add", ChladniError(Reason.COLLECTION_FULL, "It is full.")),
    "outdated": ("search", ChladniError(Reason.COLLECTION_OUTDATED, "It is of another model.")),
}


@settings(max_examples=60, deadline=None)
@given(contents=CONTENTS, limit=st.integers(1, 50), error=st.sampled_from([None, *COLLECTION_ERRORS]))
async def test_a_search_finds_the_same_whatever_the_collection_holds(contents, limit, error):
    shelf, collection, comparer = Shelf(contents), Collection(), Comparer()
    searcher = searcher_over(shelf, collection, comparer)
    if error is not None:
        call, raised = COLLECTION_ERRORS[error]
        collection.errors[call] = raised
    for image_id in list(shelf.contents)[:3]:
        assert await search(searcher, image_id, limit) == expected_matches(shelf, image_id, limit)
        if collection.images:
            collection.images.popitem()  # as if another replica had answered, or it had restarted


async def test_an_image_of_shapes_is_not_compared_and_costs_nobody_the_search():
    shelf, collection, comparer = Shelf([b"aa", b"ab", b"ac"]), Collection(), Comparer()
    first, drawn, third = shelf.contents
    shelf.records[1] = replace(shelf.records[1], format=ImageFormat.PDF)
    found = await search(searcher_over(shelf, collection, comparer), first)
    assert [image_id for image_id, _ in found] == [third]
    assert drawn not in collection.images


async def test_each_image_is_added_once_in_bounded_batches():
    shelf, collection, comparer = (
        Shelf([bytes([number, 1]) for number in range(60)]),
        Collection(),
        Comparer(),
    )
    searcher = searcher_over(shelf, collection, comparer)
    for image_id in list(shelf.contents)[:3]:
        await search(searcher, image_id)
    added = [image_id for batch in collection.added for image_id in batch]
    assert sorted(added) == sorted(shelf.contents)
    assert all(1 <= len(batch) <= 24 for batch in collection.added)
    assert comparer.calls == []
    collection.images = None  # as after a restart that lost it
    await search(searcher, shelf.records[0].image_id)
    assert len(collection.images) == 59
    assert comparer.calls == []


async def test_large_images_come_a_few_at_a_time():
    shelf, collection = Shelf([bytes([number, 1]) * 9 * 2**19 for number in range(5)]), Collection()
    comparer = Comparer()
    await search(searcher_over(shelf, collection, comparer), shelf.records[0].image_id)
    assert [len(batch) for batch in collection.added] == [2, 2]
    matrix = await matrices_over(shelf, comparer).compare(list(shelf.contents), NO_LIMIT)
    assert all(len(rows) + len(columns) <= 4 for rows, columns in comparer.calls)
    assert matrix.scores == tuple(
        tuple(round(likeness(row, column), 6) for column in shelf.contents.values())
        for row in shelf.contents.values()
    )


@settings(max_examples=60, deadline=None)
@given(contents=st.lists(st.binary(min_size=2, max_size=3), min_size=2, max_size=24))
async def test_a_matrix_looks_at_each_content_once(contents):
    shelf, comparer = Shelf(contents), Comparer()
    matrix = await matrices_over(shelf, comparer).compare(list(shelf.contents), NO_LIMIT)
    ((rows, columns),) = comparer.calls
    assert (sorted(rows), columns) == (sorted(set(contents)), [])
    for row, first in zip(matrix.scores, contents, strict=True):
        for score, second in zip(row, contents, strict=True):
            assert score == (1.0 if first == second else round(likeness(first, second), 6))


async def test_scores_of_two_models_are_not_mixed():
    shelf, collection = Shelf([bytes([number, 1]) for number in range(60)]), Collection()
    collection.errors["search"] = NotOfferedError("No collections.")
    searcher = searcher_over(shelf, collection, Comparer(["old", "new"]))
    with pytest.raises(UnavailableError, match="changed its model"):
        await search(searcher, shelf.records[0].image_id)


async def test_too_many_at_once_are_refused():
    shelf, places = Shelf([b"ab", b"cd"]), admission(1)
    matrices = matrices_over(shelf, Comparer(), places)
    with places.admit(), pytest.raises(QueueFullError):
        await matrices.compare(list(shelf.contents), NO_LIMIT)
    await matrices.compare(list(shelf.contents), NO_LIMIT)


@pytest.mark.parametrize("keeps_collections", [True, False])
async def test_an_image_that_is_removed_meanwhile_is_told_or_left_out(keeps_collections):
    shelf, collection, comparer = Shelf([b"ab", b"cd", b"ef"]), Collection(), Comparer()
    if not keeps_collections:
        collection.errors["search"] = NotOfferedError("No collections.")
    first, second, third = shelf.contents
    shelf.gone = {second}
    with pytest.raises(NotFoundError, match=str(second)):
        await matrices_over(shelf, comparer).compare([first, second], NO_LIMIT)
    searcher = searcher_over(shelf, collection, comparer)
    with pytest.raises(NotFoundError, match=str(second)):
        await search(searcher, second)
    assert [image_id for image_id, _ in await search(searcher, first)] == [third]


@pytest.mark.parametrize("call", ["search", "add"])
async def test_another_failure_of_the_service_is_the_callers_to_know(call):
    shelf, collection = Shelf([b"ab", b"cd"]), Collection()
    collection.errors[call] = UnavailableError(Reason.MODEL_NOT_READY, "It is loading.")
    with pytest.raises(UnavailableError, match="loading") as caught:
        await search(searcher_over(shelf, collection, Comparer()), shelf.records[0].image_id)
    assert caught.value.metadata["stage"] == "similarity"


@pytest.mark.parametrize("count", [0, 1, 25])
async def test_a_matrix_has_a_size_between_limits(count):
    shelf = Shelf([b"ab"] * 25)
    with pytest.raises(InvalidInputError, match=f"holds {count} identifiers"):
        await matrices_over(shelf, Comparer()).compare(list(shelf.contents)[:count], NO_LIMIT)


async def test_removed_images_leave_the_collection_in_bounded_batches():
    collection = Collection()
    removed = RemovedImages(collection)
    image_ids = [uuid.UUID(int=number) for number in range(1, 2501)]
    for image_id in image_ids:
        removed.note(image_id)
    await removed.flush()
    assert [len(batch) for batch in collection.removed] == [1000, 1000, 500]
    assert [image_id for batch in collection.removed for image_id in batch] == image_ids
    await removed.flush()
    assert len(collection.removed) == 3


async def test_images_whose_removal_failed_are_removed_later(eventually):
    collection = Collection()
    removed = RemovedImages(collection)
    image_ids = [uuid.UUID(int=number) for number in range(1, 4)]
    collection.errors["remove"] = UnavailableError(Reason.BACKEND_UNAVAILABLE, "It is down.")
    for image_id in image_ids:
        removed.note(image_id)
    async with removed.flushed(interval_seconds=0.01):
        await asyncio.sleep(0.05)
        assert collection.removed == []
        collection.errors.clear()
        await eventually(lambda: collection.removed == [image_ids])


async def test_a_service_without_collections_is_not_asked_again_about_removed_images():
    collection = Collection()
    removed = RemovedImages(collection)
    collection.errors["remove"] = NotOfferedError("No collections.")
    removed.note(uuid.UUID(int=1))
    await removed.flush()
    collection.errors.clear()
    await removed.flush()
    assert collection.removed == []
