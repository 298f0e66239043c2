"""Vectors of stored images, over a store and an embedder in memory."""

import hashlib
import struct
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chladni.tensor.v1 import tensor_pb2
from chladni_contract.errors import (
    FaultError,
    InvalidInputError,
    NotFoundError,
    QueueFullError,
    Reason,
    UnavailableError,
)
from chladni_gateway.backends.tensors import to_rows
from chladni_gateway.domain.audio import AudioProperties
from chladni_gateway.domain.image_store import ImageRecord, StoredImage, unknown_image
from chladni_gateway.domain.images import Provenance
from chladni_gateway.domain.ports import ImageVectors
from chladni_gateway.similarity.embedding import StoredImageEmbedder
from chladni_gateway.similarity.matrix import MatrixMaker
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


class Eye:
    """An embedder that sees the first two bytes of an image, and notes what it is given."""

    def __init__(self, models=("eye",)):
        self.models = list(models)
        self.batches = []

    async def embed(self, images, deadline):
        self.batches.append([image.content for image in images])
        model = self.models.pop(0) if len(self.models) > 1 else self.models[0]
        return ImageVectors(tuple((1.0 + p.content[0], float(p.content[1])) for p in images), model)


def embedder_over(shelf, eye, capacity=4):
    return StoredImageEmbedder(store=shelf, embedder=eye, admission=Admission(capacity, clock=time.monotonic))


@settings(max_examples=100, deadline=None)
@given(
    contents=st.lists(st.binary(min_size=2, max_size=3), min_size=1, max_size=40),
    gone=st.sets(st.integers(1, 40), max_size=5),
)
async def test_each_content_is_looked_at_once_in_bounded_batches_and_what_is_gone_is_left_out(contents, gone):
    shelf, eye = Shelf(contents), Eye()
    shelf.gone = {uuid.UUID(int=number) for number in gone}
    embedded = await embedder_over(shelf, eye).embed(shelf.records, NO_LIMIT)
    seen = [content for batch in eye.batches for content in batch]
    assert len(seen) == len(set(seen))
    assert all(1 <= len(batch) <= 16 for batch in eye.batches)
    assert {shelf.contents[record.image_id] for record in embedded.records} == set(seen)
    for record, vector in zip(embedded.records, embedded.vectors, strict=True):
        content = shelf.contents[record.image_id]
        length = ((1 + content[0]) ** 2 + content[1] ** 2) ** 0.5
        assert vector == pytest.approx(((1 + content[0]) / length, content[1] / length))


async def test_large_images_travel_in_smaller_batches():
    shelf, eye = Shelf([bytes([number]) * 9 * 2**20 for number in range(5)]), Eye()
    await embedder_over(shelf, eye).embed(shelf.records, NO_LIMIT)
    assert [len(batch) for batch in eye.batches] == [2, 2, 1]


async def test_vectors_of_two_models_are_not_mixed():
    shelf = Shelf([bytes([number, 1]) for number in range(20)])
    with pytest.raises(UnavailableError, match="changed its model"):
        await embedder_over(shelf, Eye(["old", "new"])).embed(shelf.records, NO_LIMIT)


async def test_too_many_at_once_are_refused():
    shelf, admission = Shelf([b"ab"]), Admission(1, clock=time.monotonic)
    embedder = StoredImageEmbedder(store=shelf, embedder=Eye(), admission=admission)
    with admission.admit(), pytest.raises(QueueFullError):
        await embedder.embed(shelf.records, NO_LIMIT)
    await embedder.embed(shelf.records, NO_LIMIT)


async def test_an_image_that_is_removed_meanwhile_is_told_or_left_out():
    shelf = Shelf([b"ab", b"cd", b"ef"])
    first, second, third = shelf.contents
    embedder = embedder_over(shelf, Eye())
    shelf.gone = {second}
    with pytest.raises(NotFoundError, match=str(second)):
        await MatrixMaker(store=shelf, embedder=embedder).compare([first, second], NO_LIMIT)
    searcher = ImageSearcher(store=shelf, embedder=embedder)
    with pytest.raises(NotFoundError, match=str(second)):
        await searcher.search(second, owner="ann", limit=9, deadline=NO_LIMIT)
    matches = await searcher.search(first, owner="ann", limit=9, deadline=NO_LIMIT)
    assert [match.record.image_id for match in matches] == [third]


@pytest.mark.parametrize("count", [0, 1, 25])
async def test_a_matrix_has_a_size_between_limits(count):
    shelf = Shelf([b"ab"] * 25)
    maker = MatrixMaker(store=shelf, embedder=embedder_over(shelf, Eye()))
    with pytest.raises(InvalidInputError, match=f"holds {count} identifiers"):
        await maker.compare(list(shelf.contents)[:count], NO_LIMIT)


ROWS = st.integers(0, 4).flatmap(
    lambda width: st.lists(
        st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=width, max_size=width),
        max_size=4,
    ).map(lambda rows: (width, rows))
)


@settings(max_examples=100)
@given(case=ROWS)
def test_rows_of_numbers_come_as_they_were_sent(case):
    width, rows = case
    data = b"".join(struct.pack(f"<{width}f", *row) for row in rows)
    tensor = tensor_pb2.Tensor(dtype=tensor_pb2.DATA_TYPE_FLOAT32, shape=[len(rows), width], data=data)
    assert [list(row) for row in to_rows(tensor, sender="ear")] == rows


@pytest.mark.parametrize(
    "facts",
    [
        {"shape": [1]},
        {"shape": [2, 1]},
        {"shape": [-1, -1]},
        {"shape": [1, 1, 1]},
        {"dtype": tensor_pb2.DATA_TYPE_INT64},
        {"data": b"\0\0\0"},
        {"data": struct.pack("<f", float("nan"))},
        {"data": struct.pack("<f", float("inf"))},
    ],
)
def test_numbers_that_cannot_be_used_are_the_fault_of_who_sent_them(facts):
    sound = {"dtype": tensor_pb2.DATA_TYPE_FLOAT32, "shape": [1, 1], "data": struct.pack("<f", 1.0)}
    with pytest.raises(FaultError, match="The service ear sent") as caught:
        to_rows(tensor_pb2.Tensor(**(sound | facts)), sender="ear")
    assert caught.value.reason is Reason.INTERNAL
