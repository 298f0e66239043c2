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
from chladni_contract.tensors import to_tensor
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
            patch.setattr(composition, "load_catalog", lambda _: ModelCatalog([Colours("colours")]))
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
        ("SearchImages", lambda image: search_request("default", None), "query", "set image or audio"),
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
        assert "send query.image" in error.message
