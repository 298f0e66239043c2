"""UpsertImages, SearchImages and DeleteImages over loopback, as a caller sees them.

A model of colours stands in for the one that hears: its sounds are colours, so what fits is known beforehand.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import httpx
import numpy as np
import pytest
import pytest_asyncio
from google.protobuf import struct_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from chladni.media.v1 import media_pb2
from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.similarity.v1 import similarity_service_pb2_grpc as similarity_grpc
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.descriptor_space import COMPONENT_COUNT, DESCRIPTOR_SPACE
from chladni_contract.errors import Reason
from chladni_contract.status import from_rpc_error
from chladni_contract.tensors import to_array, to_tensor
from chladni_fakes.loopback import loopback_service
from chladni_runtime.settings import load_settings
from chladni_similarity import composition
from chladni_similarity.config import SimilaritySettings
from chladni_similarity.embedders.catalog import ModelCatalog
from chladni_similarity.embedders.interface import ModelCard
from chladni_similarity.models.scoring import CosineScore

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Colours:
    """Embeds an image as its mean colour, and a sound as its first three components."""

    concurrent_batch_count = 1
    score_map = CosineScore()
    alignment_score_map = CosineScore()

    def __init__(self, model_id):
        self.card = ModelCard(model_id, f"digest of {model_id}", "Mean colours.", "", f"{model_id}-v1", 3)

    def prepare(self, pixels):
        return pixels.mean(axis=(1, 2), dtype=np.float32) + np.float32(0.001)

    def takes_as_is(self, pixels):
        return False

    def embed(self, inputs):
        return inputs.copy()

    def embed_audio(self, sounds):
        return sounds[:, :3].copy()


@asynccontextmanager
async def served(monkeypatch, **environ):
    environ = {f"CHLADNI_SIMILARITY_{name.upper()}": value for name, value in environ.items()}
    compose = composition.compose(load_settings(SimilaritySettings, environ))
    async with AsyncExitStack() as stack:
        with monkeypatch.context() as patch:
            patch.setattr(composition, "load_catalog", lambda *_, **__: ModelCatalog([Colours("colours")]))
            service = loopback_service(compose, service_names=composition.SERVICE_NAMES)
            running, channel = await stack.enter_async_context(service)
        yield running, similarity_grpc.SimilarityServiceStub(channel)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service():
    with pytest.MonkeyPatch.context() as monkeypatch:
        async with served(monkeypatch, max_images_per_collection="200", max_collections="200") as running:
            yield running


@pytest.fixture(scope="module")
def stub(service):
    return service[1]


@pytest.fixture(scope="module")
def coloured(encode):
    """Gives a PNG of one colour."""
    return lambda *rgb: media_pb2.EncodedImage(content=encode(np.full((8, 8, 3), rgb, np.uint8)))


def item(image_id, image, metadata=None):
    struct = None
    if metadata is not None:
        struct = struct_pb2.Struct()
        struct.update(metadata)
    return similarity_pb2.CollectionImage(id=image_id, image=image, metadata=struct)


def add_request(collection, *items):
    return similarity_pb2.UpsertImagesRequest(collection=collection, images=items)


def search_request(collection, image, count=0):
    return similarity_pb2.SearchImagesRequest(collection=collection, image=image, page_size=count)


def candidate_request(collection, image, candidate_ids, count=0):
    return similarity_pb2.SearchImagesRequest(
        collection=collection, image=image, page_size=count, candidate_ids=candidate_ids
    )


def audio_request(collection, *colour, count=0):
    values = np.zeros(COMPONENT_COUNT, np.float32)
    values[:3] = colour
    embedding = tensor_pb2.Embedding(space=DESCRIPTOR_SPACE, values=to_tensor(values))
    audio = similarity_pb2.AudioQuery(embedding=embedding)
    return similarity_pb2.SearchImagesRequest(collection=collection, audio=audio, page_size=count)


def search_by(**fields):
    return similarity_pb2.SearchImagesRequest(**fields)


def by_vector(space, values, collection="", **fields):
    embedding = tensor_pb2.Embedding(space=space, values=to_tensor(np.array(values, np.float32)))
    return search_by(collection=collection, embedding=embedding, **fields)


async def all_pages(call, request):
    """Gives the answers of all pages of a request."""
    pages = [await call(request)]
    while pages[-1].next_page_token:
        request.page_token = pages[-1].next_page_token
        pages.append(await call(request))
    return pages


def ids_of(response):
    return [neighbor.id for neighbor in response.neighbors]


async def refusal(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), from_rpc_error(caught.value)


async def test_images_are_found_by_images_with_the_score_of_a_comparison(stub, coloured):
    colours = {"red": (250, 0, 0), "orange": (250, 120, 0), "blue": (0, 0, 250)}
    items = [item(name, coloured(*colour), {"name": name}) for name, colour in colours.items()]
    assert (await stub.UpsertImages(add_request("by-image", *items))).image_count == 3
    response = await stub.SearchImages(search_request("by-image", coloured(250, 0, 0)))
    assert ids_of(response) == ["red", "orange", "blue"]
    assert response.neighbors[0].score == 1.0
    assert [neighbor.metadata["name"] for neighbor in response.neighbors] == ids_of(response)
    for neighbor in response.neighbors:
        comparison = await stub.CompareImages(
            similarity_pb2.CompareImagesRequest(
                first=coloured(250, 0, 0), second=coloured(*colours[neighbor.id])
            )
        )
        assert neighbor.score == pytest.approx(comparison.score, abs=1e-6)
    assert ids_of(await stub.SearchImages(search_request("by-image", coloured(0, 0, 9), 1))) == ["blue"]


async def test_images_are_found_by_sounds_with_the_score_of_their_alignment(stub, coloured):
    items = [item("red", coloured(250, 0, 0)), item("purple", coloured(120, 0, 250))]
    await stub.UpsertImages(add_request("by-sound", *items))
    response = await stub.SearchImages(audio_request("by-sound", 0.1, 0, 0.9))
    assert ids_of(response) == ["purple", "red"]
    for neighbor, image in zip(response.neighbors, (items[1].image, items[0].image), strict=True):
        alignment = await stub.ScoreAlignment(
            similarity_pb2.ScoreAlignmentRequest(audio=audio_request("", 0.1, 0, 0.9).audio, image=image)
        )
        assert neighbor.score == pytest.approx(alignment.score, abs=1e-6)
        assert not neighbor.HasField("metadata")


async def test_a_search_among_candidates_tells_which_the_collection_does_not_hold(stub, coloured):
    colours = {"red": (250, 0, 0), "orange": (250, 120, 0), "blue": (0, 0, 250), "other-blue": (0, 0, 250)}
    items = [item(name, coloured(*colour)) for name, colour in colours.items()]
    await stub.UpsertImages(add_request("candidates", *items))
    query = coloured(0, 0, 250)
    response = await stub.SearchImages(candidate_request("candidates", query, ["z", "red", "a", "orange"]))
    assert set(ids_of(response)) == {"red", "orange"}
    assert response.absent_ids == ["z", "a"]
    among_all = await stub.SearchImages(search_request("candidates", query))
    scores = {neighbor.id: neighbor.score for neighbor in among_all.neighbors}
    assert {neighbor.id: neighbor.score for neighbor in response.neighbors} == pytest.approx(
        {name: scores[name] for name in ("red", "orange")}, abs=1e-6
    )
    assert not among_all.absent_ids
    # Of equal scores the first candidate is the first, even if not all are returned.
    for first, second in (("blue", "other-blue"), ("other-blue", "blue")):
        request = candidate_request("candidates", query, ["red", first, second], 1)
        response = await stub.SearchImages(request)
        assert (ids_of(response), response.neighbors[0].score) == ([first], 1.0)
        assert not response.absent_ids
    none = await stub.SearchImages(candidate_request("candidates", query, ["never-added"]))
    assert (ids_of(none), none.absent_ids) == ([], ["never-added"])


async def test_a_search_among_a_thousand_candidates_is_answered(stub, coloured):
    await stub.UpsertImages(add_request("thousand", item("500", coloured(9, 0, 0))))
    candidate_ids = [str(number) for number in range(1000)]
    response = await stub.SearchImages(candidate_request("thousand", coloured(9, 0, 0), candidate_ids))
    assert ids_of(response) == ["500"]
    assert response.absent_ids == candidate_ids[:500] + candidate_ids[501:]


async def test_the_same_identifier_replaces_and_counts_are_exact(stub, coloured):
    first = await stub.UpsertImages(
        add_request("replaced", item("a", coloured(9, 0, 0), {"version": 1}), item("b", coloured(0, 9, 0)))
    )
    second = await stub.UpsertImages(
        add_request("replaced", item("a", coloured(0, 0, 9), {"version": 2}), item("c", coloured(5, 5, 5)))
    )
    assert (first.image_count, second.image_count) == (2, 3)
    (neighbor,) = (await stub.SearchImages(search_request("replaced", coloured(0, 0, 90), 1))).neighbors
    assert neighbor.id == "a"
    assert neighbor.metadata["version"] == 2
    response = await stub.DeleteImages(
        similarity_pb2.DeleteImagesRequest(collection="replaced", ids=["a", "a", "b", "never-added"])
    )
    assert response.deleted_count == 2
    assert (await stub.UpsertImages(add_request("replaced", item("c", coloured(9, 9, 9))))).image_count == 1


async def test_the_empty_name_is_the_collection_default(stub, coloured):
    await stub.UpsertImages(add_request("", item("a", coloured(9, 0, 0))))
    assert ids_of(await stub.SearchImages(search_request("default", coloured(9, 0, 0)))) == ["a"]
    response = await stub.DeleteImages(similarity_pb2.DeleteImagesRequest(ids=["a"]))
    assert response.deleted_count == 1
    assert ids_of(await stub.SearchImages(search_request("", coloured(9, 0, 0)))) == []


async def test_ten_neighbours_are_found_unless_the_request_says_otherwise(stub, coloured):
    items = [item(str(index), coloured(index, 9, 100 - index)) for index in range(64)]
    await stub.UpsertImages(add_request("many", *items))
    await stub.UpsertImages(
        add_request("many", *(item(f"x{index}", coloured(index, 1, 2)) for index in range(50)))
    )
    for count, found_count in ((0, 10), (1, 1), (100, 100)):
        response = await stub.SearchImages(search_request("many", coloured(50, 9, 50), count))
        assert len(response.neighbors) == found_count
        scores = [neighbor.score for neighbor in response.neighbors]
        assert scores == sorted(scores, reverse=True)


def grays(count, prefix="n"):
    """Gives names and colours that are the less like blue the higher the number."""
    return {f"{prefix}{number}": (number, number, 250) for number in range(count)}


async def test_a_search_goes_on_page_by_page(stub, coloured):
    colours = grays(45)
    await stub.UpsertImages(add_request("pages", *(item(name, coloured(*c)) for name, c in colours.items())))
    whole = await stub.SearchImages(search_request("pages", coloured(0, 0, 250), 100))
    assert not whole.next_page_token
    assert len(whole.neighbors) == 45
    for options in ({}, {"candidate_ids": [*reversed(colours), "never-added"]}):
        request = search_by(collection="pages", image=coloured(0, 0, 250), page_size=20, **options)
        pages = await all_pages(stub.SearchImages, request)
        assert [len(page.neighbors) for page in pages] == [20, 20, 5]
        found = [neighbor for page in pages for neighbor in page.neighbors]
        assert [(item.id, item.score) for item in found] == [
            (item.id, pytest.approx(item.score, abs=1e-6)) for item in whole.neighbors
        ]
        absent_ids = ["never-added"] if options else []
        assert all(list(page.absent_ids) == absent_ids for page in pages)
    # A page may be of another size, but not of another request.
    request = search_by(collection="pages", image=coloured(0, 0, 250), page_size=20)
    request.page_token = (await stub.SearchImages(request)).next_page_token
    request.page_size = 3
    assert ids_of(await stub.SearchImages(request)) == [item.id for item in whole.neighbors[20:23]]
    request.min_score = 0.01
    _, error = await refusal(stub.SearchImages(request))
    assert error.reason is Reason.INVALID_FIELD
    assert [violation.field for violation in error.violations] == ["page_token"]


async def test_the_pages_of_a_search_end_after_a_thousand_neighbours(monkeypatch, coloured):
    async with served(monkeypatch, max_images_per_collection="1200") as (_, stub):
        colours = {f"{number}": (number % 250, number // 250, 9) for number in range(1050)}
        items = [item(name, coloured(*colour)) for name, colour in colours.items()]
        for start in range(0, len(items), 50):
            await stub.UpsertImages(add_request("", *items[start : start + 50]))
        request = search_by(image=coloured(9, 9, 9), page_size=97)
        pages = await all_pages(stub.SearchImages, request)
        assert [len(page.neighbors) for page in pages] == [97] * 10 + [30]
        assert len({name for page in pages for name in ids_of(page)}) == 1000


async def test_neighbours_below_the_lowest_score_are_left_out(stub, coloured):
    colours = {"same": (0, 0, 250), "near": (60, 0, 250), "far": (250, 0, 60), "other": (250, 0, 0)}
    await stub.UpsertImages(
        add_request("scores", *(item(name, coloured(*colour)) for name, colour in colours.items()))
    )
    for min_score, expected in ((0.0, [*colours]), (0.5, ["same", "near"]), (1.0, ["same"])):
        request = search_by(collection="scores", image=coloured(0, 0, 250), min_score=min_score)
        assert ids_of(await stub.SearchImages(request)) == expected
        request.page_size = 1
        pages = await all_pages(stub.SearchImages, request)
        assert [ids_of(page) for page in pages] == [[name] for name in expected]
    request = audio_request("scores", 0, 0, 1)
    request.min_score = 0.5
    assert ids_of(await stub.SearchImages(request)) == ["same", "near"]


async def test_images_are_found_by_one_of_the_collection(stub, coloured):
    colours = {"blue": (0, 0, 250), "other-blue": (0, 0, 250), "violet": (90, 0, 250), "red": (250, 0, 0)}
    await stub.UpsertImages(
        add_request("by-id", *(item(name, coloured(*colour)) for name, colour in colours.items()))
    )
    response = await stub.SearchImages(search_by(collection="by-id", id="blue"))
    assert ids_of(response) == ["other-blue", "violet", "red"]
    assert response.neighbors[0].score == 1.0
    request = search_by(collection="by-id", id="blue", candidate_ids=["red", "blue", "x"], page_size=1)
    response = await stub.SearchImages(request)
    assert (ids_of(response), response.absent_ids, response.next_page_token) == (["red"], ["x"], "")
    for collection, reason, field in (
        ("by-id", Reason.UNKNOWN_IMAGE, "id"),
        ("never-made", Reason.UNKNOWN_COLLECTION, "collection"),
    ):
        code, error = await refusal(stub.SearchImages(search_by(collection=collection, id="never-added")))
        assert (code, error.reason) == (grpc.StatusCode.NOT_FOUND, reason)
        assert [violation.field for violation in error.violations] == [field]


async def test_images_are_found_by_the_embedding_of_one(stub, coloured):
    colours = {"blue": (0, 0, 250), "violet": (90, 0, 250), "red": (250, 0, 0)}
    await stub.UpsertImages(
        add_request("by-vector", *(item(name, coloured(*colour)) for name, colour in colours.items()))
    )
    query = coloured(200, 0, 250)
    images = similarity_pb2.ImageBatch(images=[query])
    embeddings = (await stub.EmbedImages(similarity_pb2.EmbedImagesRequest(encoded=images))).embeddings
    values = to_array(embeddings.values, field="values", dtype=np.float32, shape=(1, 3))[0]
    expected = await stub.SearchImages(search_request("by-vector", query))
    for factor in (1, 40):  # of any length
        response = await stub.SearchImages(by_vector(embeddings.space, values * factor, "by-vector"))
        assert ids_of(response) == ids_of(expected)
        scores = [neighbor.score for neighbor in expected.neighbors]
        assert [neighbor.score for neighbor in response.neighbors] == pytest.approx(scores, abs=1e-6)


async def test_the_images_of_a_collection_are_listed(stub, coloured):
    colours = grays(30)
    items = [item(name, coloured(*colour), {"name": name}) for name, colour in colours.items()]
    await stub.UpsertImages(add_request("listed", *items, item("plain", coloured(1, 2, 3))))
    request = similarity_pb2.ListImagesRequest(collection="listed", page_size=12)
    pages = await all_pages(stub.ListImages, request)
    assert [len(page.images) for page in pages] == [12, 12, 7]
    listed = {image.id: image for page in pages for image in page.images}
    assert set(listed) == {*colours, "plain"}
    assert all(listed[name].metadata["name"] == name for name in colours)
    assert not listed["plain"].HasField("metadata")
    whole = await stub.ListImages(similarity_pb2.ListImagesRequest(collection="listed"))
    assert [image.id for image in whole.images] == list(listed)
    # An image that a token points at may be deleted meanwhile.
    request.page_token = pages[0].next_page_token
    first_id = pages[1].images[0].id
    await stub.DeleteImages(similarity_pb2.DeleteImagesRequest(collection="listed", ids=[first_id]))
    page = await stub.ListImages(request)
    assert [image.id for image in page.images[:11]] == [image.id for image in pages[1].images[1:]]
    request.collection = "many"
    _, error = await refusal(stub.ListImages(request))
    assert [violation.field for violation in error.violations] == ["page_token"]
    code, error = await refusal(stub.ListImages(similarity_pb2.ListImagesRequest(collection="never-made")))
    assert (code, error.reason) == (grpc.StatusCode.NOT_FOUND, Reason.UNKNOWN_COLLECTION)


async def test_a_page_of_large_metadata_fits_what_clients_take(monkeypatch, coloured):
    async with served(monkeypatch, max_images_per_collection="400") as (_, stub):
        for start in range(0, 320, 64):
            items = [item(f"{start + n}", coloured(n, 1, 9), {"t": "x" * 16_300}) for n in range(64)]
            await stub.UpsertImages(add_request("", *items))
        request = similarity_pb2.ListImagesRequest(page_size=1000)
        pages = await all_pages(stub.ListImages, request)
        assert len(pages) == 2
        assert all(page.ByteSize() < 4 * 2**20 - 4096 for page in pages)
        assert len({image.id for page in pages for image in page.images}) == 320


async def test_collections_are_listed_described_and_deleted(monkeypatch, coloured):
    async with served(monkeypatch) as (running, stub):
        assert not (await stub.ListCollections(similarity_pb2.ListCollectionsRequest())).collections
        for name, count in (("b", 1), ("default", 2), ("A", 3)):
            items = [item(f"{number}", coloured(number, 0, 9)) for number in range(count)]
            await stub.UpsertImages(add_request(name, *items))
        request = similarity_pb2.ListCollectionsRequest(page_size=2)
        pages = await all_pages(stub.ListCollections, request)
        listed = [info for page in pages for info in page.collections]
        assert [len(page.collections) for page in pages] == [2, 1]
        assert [(info.name, info.image_count) for info in listed] == [("A", 3), ("b", 1), ("default", 2)]
        assert all(list(info.models) == ["colours"] and not info.outdated for info in listed)
        response = await stub.GetCollection(similarity_pb2.GetCollectionRequest())
        assert response.collection == listed[2]
        request = similarity_pb2.DeleteCollectionRequest(collection="A")
        assert (await stub.DeleteCollection(request)).deleted_count == 3
        for call in (
            stub.DeleteCollection(request),
            stub.GetCollection(similarity_pb2.GetCollectionRequest(collection="A")),
        ):
            code, error = await refusal(call)
            assert (code, error.reason) == (grpc.StatusCode.NOT_FOUND, Reason.UNKNOWN_COLLECTION)
            assert [violation.field for violation in error.violations] == ["collection"]
        async with httpx.AsyncClient() as client:
            text = (await client.get(f"http://127.0.0.1:{running.metrics_port}/metrics")).text
        assert 'chladni_collection_images{collections="all"} 3.0' in text
        assert "chladni_collection_images_deleted_total 3.0" in text


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=9), children, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(metadata=st.dictionaries(st.text(max_size=20), json_values, max_size=5))
async def test_metadata_comes_back_as_it_was(stub, coloured, metadata):
    added = item("a", coloured(9, 0, 0), metadata)
    await stub.UpsertImages(add_request("metadata", added))
    (neighbor,) = (await stub.SearchImages(search_request("metadata", coloured(9, 0, 0)))).neighbors
    assert neighbor.HasField("metadata")
    assert neighbor.metadata == added.metadata


async def test_one_bad_image_keeps_all_out(stub, coloured):
    items = [item(str(index), coloured(index, 0, 9)) for index in range(5)]
    items[3].image.content = b"\x89PNG\r\n\x1a\n and then nothing"
    code, error = await refusal(stub.UpsertImages(add_request("bad-image", *items)))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert error.reason is Reason.INVALID_IMAGE
    assert [violation.field for violation in error.violations] == ["images[3].image.content"]
    code, error = await refusal(stub.SearchImages(search_request("bad-image", coloured(0, 0, 9))))
    assert code is grpc.StatusCode.NOT_FOUND
    assert error.violations[0].field == "collection"
    assert "UpsertImages" in error.message


async def test_however_much_is_wrong_the_error_stays_within_what_grpc_carries(stub, coloured):
    no_image = media_pb2.EncodedImage(content=b"no image")
    nothing_right = similarity_pb2.CollectionImage(id="not good" * 20, metadata={"text": "x" * 16_400})
    calls = [
        (stub.UpsertImages(add_request("", *(item(f"{n}", no_image) for n in range(64)))), 10),
        (stub.UpsertImages(add_request("n o", *[nothing_right] * 64)), 21),
        (stub.DeleteImages(similarity_pb2.DeleteImagesRequest(collection="n o", ids=["n/o"] * 1000)), 6),
    ]
    for call, violation_count in calls:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert len(from_rpc_error(caught.value).violations) == violation_count
        metadata = caught.value.trailing_metadata()
        size = len(caught.value.details()) + sum(len(key) + len(value) for key, value in metadata)
        assert size < 8000


@pytest.mark.parametrize(
    ("method", "request_of", "field", "complaint"),
    [
        ("UpsertImages", lambda image: add_request("x"), "images", "must be from 1 to 64"),
        (
            "UpsertImages",
            lambda image: add_request("x", *(item(str(number), image) for number in range(65))),
            "images",
            "is 65 images",
        ),
        ("UpsertImages", lambda image: add_request("a/b", item("a", image)), "collection", "1 to 64 letters"),
        ("UpsertImages", lambda image: add_request("x" * 65, item("a", image)), "collection", "1 to 64"),
        ("UpsertImages", lambda image: add_request("x", item("", image)), "images[0].id", "1 to 128 letters"),
        ("UpsertImages", lambda image: add_request("x", item("a\n", image)), "images[0].id", "1 to 128"),
        ("UpsertImages", lambda image: add_request("x", item("a" * 129, image)), "images[0].id", "1 to 128"),
        ("UpsertImages", lambda image: add_request("x", item("a", None)), "images[0].image", "is missing"),
        (
            "UpsertImages",
            lambda image: add_request("x", item("a", image), item("b", image), item("a", image)),
            "images[2].id",
            "the same as images[0].id",
        ),
        (
            "UpsertImages",
            lambda image: add_request("x", item("a", image, {"text": "x" * 16_400})),
            "images[0].metadata",
            "to 16384 bytes",
        ),
        (
            "SearchImages",
            lambda image: search_request("default", None),
            "query",
            "set image, audio, id or embedding",
        ),
        (
            "SearchImages",
            lambda image: candidate_request("x", image, [str(number) for number in range(1001)]),
            "candidate_ids",
            "must be from 0 to 1000",
        ),
        (
            "SearchImages",
            lambda image: candidate_request("x", image, ["a", "b", "a"]),
            "candidate_ids[2]",
            "the same as candidate_ids[0]",
        ),
        (
            "SearchImages",
            lambda image: candidate_request("x", image, ["a b"]),
            "candidate_ids[0]",
            "1 to 128",
        ),
        ("SearchImages", lambda image: search_request("a b", image), "collection", "1 to 64"),
        ("SearchImages", lambda image: search_request("", image, 101), "page_size", "from 1 to 100"),
        ("SearchImages", lambda image: search_request("", image, -1), "page_size", "is -1 neighbours"),
        ("SearchImages", lambda image: search_by(min_score=-0.1, image=image), "min_score", "from 0 to 1"),
        ("SearchImages", lambda image: search_by(min_score=float("nan"), image=image), "min_score", "nan"),
        ("SearchImages", lambda image: search_by(id="a b"), "id", "1 to 128"),
        ("SearchImages", lambda image: search_by(id=""), "id", "1 to 128"),
        ("SearchImages", lambda image: search_by(image=image, page_token="x"), "page_token", "no token of"),
        (
            "SearchImages",
            lambda image: by_vector("other", [1, 0, 0]),
            "embedding.space",
            "must be colours-v1",
        ),
        ("SearchImages", lambda image: by_vector("colours-v1", [1, 0]), "embedding.values.shape", "(3)"),
        ("SearchImages", lambda image: by_vector("colours-v1", [0, 0, 0]), "embedding.values", "zeros"),
        (
            "SearchImages",
            lambda image: by_vector("colours-v1", [np.nan, 0, 0]),
            "embedding.values.data",
            "NaN",
        ),
        ("ListImages", lambda _: similarity_pb2.ListImagesRequest(page_size=1001), "page_size", "1 to 1000"),
        ("ListImages", lambda _: similarity_pb2.ListImagesRequest(page_size=-9), "page_size", "is -9 images"),
        ("ListImages", lambda _: similarity_pb2.ListImagesRequest(page_token="é"), "page_token", "no token"),
        ("ListImages", lambda _: similarity_pb2.ListImagesRequest(collection="a b"), "collection", "1 to 64"),
        (
            "ListCollections",
            lambda _: similarity_pb2.ListCollectionsRequest(page_size=-1),
            "page_size",
            "from 1 to 1000",
        ),
        (
            "ListCollections",
            lambda _: similarity_pb2.ListCollectionsRequest(page_token="AAAA"),
            "page_token",
            "no token",
        ),
        ("GetCollection", lambda _: similarity_pb2.GetCollectionRequest(collection="é"), "collection", "64"),
        ("DeleteCollection", lambda _: similarity_pb2.DeleteCollectionRequest(), "collection", "is missing"),
        (
            "DeleteCollection",
            lambda _: similarity_pb2.DeleteCollectionRequest(collection="a/b"),
            "collection",
            "1 to 64",
        ),
        (
            "SearchImages",
            lambda image: similarity_pb2.SearchImagesRequest(audio=similarity_pb2.AudioQuery()),
            "audio",
            "is missing",
        ),
        ("SearchImages", lambda image: search_request("", media_pb2.EncodedImage()), "image.content", ""),
        ("DeleteImages", lambda image: similarity_pb2.DeleteImagesRequest(), "ids", "from 1 to 1000"),
        (
            "DeleteImages",
            lambda image: similarity_pb2.DeleteImagesRequest(ids=["a", "é"]),
            "ids[1]",
            "1 to 128",
        ),
    ],
)
async def test_a_wrong_field_is_named_with_its_limit(stub, coloured, method, request_of, field, complaint):
    code, error = await refusal(getattr(stub, method)(request_of(coloured(1, 2, 3))))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in error.violations] == [field]
    assert complaint in error.violations[0].description


async def test_identifiers_and_metadata_at_their_limits_are_taken(stub, coloured):
    text = "x" * (16 * 1024 - 16)
    image_id = "aZ09._-" + "x" * 121
    added = item(image_id, coloured(1, 2, 3), {"t": text})
    assert 16_380 <= added.metadata.ByteSize() <= 16_384
    await stub.UpsertImages(add_request("a" * 64, added))
    assert ids_of(await stub.SearchImages(search_request("a" * 64, coloured(1, 2, 3)))) == [image_id]


async def test_a_full_collection_says_so_and_no_retry_is_suggested(stub, coloured):
    for start in range(0, 200, 50):
        items = [item(str(start + index), coloured(index, 2, start)) for index in range(50)]
        await stub.UpsertImages(add_request("full", *items))
    code, error = await refusal(stub.UpsertImages(add_request("full", item("one-more", coloured(1, 2, 3)))))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "at most 200" in error.message
    assert error.retry_after_seconds is None


async def test_requests_at_the_same_time_are_all_kept(stub, coloured):
    requests = [
        add_request("busy", *(item(f"{n}-{index}", coloured(n, index, 7)) for index in range(4)))
        for n in range(25)
    ]
    searches = [search_request("many", coloured(n, 9, 7)) for n in range(25)]
    answers = await asyncio.gather(*map(stub.UpsertImages, requests), *map(stub.SearchImages, searches))
    assert sorted(answer.image_count for answer in answers[:25]) == list(range(4, 101, 4))


async def test_operators_see_sizes_and_times_and_no_names(service, stub, coloured):
    await stub.UpsertImages(add_request("secret-name", item("a", coloured(9, 0, 0))))
    await stub.SearchImages(search_request("secret-name", coloured(9, 0, 0)))
    await stub.SearchImages(audio_request("secret-name", 1, 0, 0))
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"http://127.0.0.1:{service[0].metrics_port}/metrics")).text
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["chladni_collections",] >= 1
    assert samples["chladni_collection_images", "all"] >= samples["chladni_collection_images", "largest"] >= 1
    assert samples["chladni_collection_images_added_total",] >= 1
    assert samples["chladni_collection_search_seconds_count", "image"] >= 1
    assert samples["chladni_collection_search_seconds_count", "sound"] >= 1
    assert "secret-name" not in text


async def test_a_folder_is_found_again_by_the_next_server(monkeypatch, tmp_path, coloured):
    folder = str(tmp_path / "collections")
    async with served(monkeypatch, collections=folder) as (_, stub):
        await stub.UpsertImages(add_request("kept", item("a", coloured(9, 0, 0), {"n": 1})))
    async with served(monkeypatch, collections=folder) as (running, stub):
        (neighbor,) = (await stub.SearchImages(search_request("kept", coloured(9, 0, 0)))).neighbors
        assert (neighbor.id, neighbor.score, neighbor.metadata["n"]) == ("a", 1.0, 1)
        async with httpx.AsyncClient() as client:
            text = (await client.get(f"http://127.0.0.1:{running.metrics_port}/metrics")).text
        assert 'chladni_collection_images{collections="all"} 1.0' in text


async def test_without_collections_a_hint_says_what_to_do(monkeypatch, coloured):
    async with served(monkeypatch, collections="off") as (_, stub):
        for call in (
            stub.UpsertImages(add_request("a", item("a", coloured(1, 2, 3)))),
            stub.SearchImages(search_request("a", coloured(1, 2, 3))),
            stub.DeleteImages(similarity_pb2.DeleteImagesRequest(ids=["a"])),
            stub.ListImages(similarity_pb2.ListImagesRequest()),
            stub.ListCollections(similarity_pb2.ListCollectionsRequest()),
            stub.GetCollection(similarity_pb2.GetCollectionRequest()),
            stub.DeleteCollection(similarity_pb2.DeleteCollectionRequest(collection="a")),
            stub.SearchImages(search_by(collection="a", id="a")),
        ):
            code, error = await refusal(call)
            assert code is grpc.StatusCode.UNIMPLEMENTED
            assert "CHLADNI_SIMILARITY_COLLECTIONS" in error.message


async def test_a_store_that_is_down_takes_nothing_else_with_it(monkeypatch, coloured, unused_tcp_port):
    async with served(monkeypatch, collections=f"http://127.0.0.1:{unused_tcp_port}") as (running, stub):
        for call in (
            stub.UpsertImages(add_request("a", item("a", coloured(1, 2, 3)))),
            stub.SearchImages(search_request("a", coloured(1, 2, 3))),
            stub.DeleteImages(similarity_pb2.DeleteImagesRequest(ids=["a"])),
            stub.ListImages(similarity_pb2.ListImagesRequest()),
            stub.ListCollections(similarity_pb2.ListCollectionsRequest()),
            stub.GetCollection(similarity_pb2.GetCollectionRequest()),
            stub.DeleteCollection(similarity_pb2.DeleteCollectionRequest(collection="a")),
            stub.SearchImages(search_by(collection="a", id="a")),
        ):
            code, error = await refusal(call)
            assert (code, error.reason) == (grpc.StatusCode.UNAVAILABLE, Reason.STORAGE_UNAVAILABLE)
            assert error.retry_after_seconds > 0
        images = similarity_pb2.ImageBatch(images=[coloured(1, 2, 3)])
        response = await stub.EmbedImages(similarity_pb2.EmbedImagesRequest(encoded=images))
        assert response.embeddings.values.shape == [1, 3]
        async with httpx.AsyncClient() as client:
            text = (await client.get(f"http://127.0.0.1:{running.metrics_port}/metrics")).text
        assert "chladni_ready 1.0" in text


async def test_photographs_find_their_like_and_a_model_that_hears_nothing_says_so(photograph):
    settings = load_settings(SimilaritySettings, {"CHLADNI_SIMILARITY_MODELS": "efficientnet-lite0"})
    names = ["motorcycle_left.png", "coffee.png", "coins.png", "rocket.jpg", "chelsea.png"]
    compose = composition.compose(settings)
    async with loopback_service(compose, service_names=composition.SERVICE_NAMES) as (_, channel):
        stub = similarity_grpc.SimilarityServiceStub(channel)
        images = {name: media_pb2.EncodedImage(content=photograph(name)) for name in names}
        await stub.UpsertImages(add_request("", *(item(name, image) for name, image in images.items())))
        right = media_pb2.EncodedImage(content=photograph("motorcycle_right.png"))
        response = await stub.SearchImages(search_request("", right))
        assert response.neighbors[0].id == "motorcycle_left.png"
        assert response.neighbors[0].score > response.neighbors[1].score + 0.2
        itself = await stub.SearchImages(search_request("", images["coins.png"], 1))
        assert (itself.neighbors[0].id, itself.neighbors[0].score) == ("coins.png", 1.0)
        code, error = await refusal(stub.SearchImages(audio_request("", 1, 0, 0)))
        assert code is grpc.StatusCode.UNIMPLEMENTED
        assert "send image, id or embedding" in error.message
