"""SearchImages over loopback: what is found, how well it fits, and page by page."""

from __future__ import annotations

import grpc
import numpy as np
import pytest

from chladni.media.v1 import media_pb2
from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.similarity.v1 import similarity_service_pb2_grpc as similarity_grpc
from chladni_contract.errors import Reason
from chladni_contract.tensors import to_array
from chladni_fakes.loopback import loopback_service
from chladni_runtime.settings import load_settings
from chladni_similarity import composition
from chladni_similarity.config import SimilaritySettings

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_images_are_found_by_images_with_the_score_of_a_comparison(stub, coloured, ids_of, build):
    colours = {"red": (250, 0, 0), "orange": (250, 120, 0), "blue": (0, 0, 250)}
    items = [build.item(name, coloured(*colour), {"name": name}) for name, colour in colours.items()]
    assert (await stub.UpsertImages(build.add("by-image", *items))).image_count == 3
    response = await stub.SearchImages(build.search("by-image", coloured(250, 0, 0)))
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
    assert ids_of(await stub.SearchImages(build.search("by-image", coloured(0, 0, 9), 1))) == ["blue"]


async def test_images_are_found_by_sounds_with_the_score_of_their_alignment(stub, coloured, ids_of, build):
    items = [build.item("red", coloured(250, 0, 0)), build.item("purple", coloured(120, 0, 250))]
    await stub.UpsertImages(build.add("by-sound", *items))
    response = await stub.SearchImages(build.search_by_audio("by-sound", 0.1, 0, 0.9))
    assert ids_of(response) == ["purple", "red"]
    for neighbor, image in zip(response.neighbors, (items[1].image, items[0].image), strict=True):
        alignment = await stub.ScoreAlignment(
            similarity_pb2.ScoreAlignmentRequest(
                audio=build.search_by_audio("", 0.1, 0, 0.9).audio, image=image
            )
        )
        assert neighbor.score == pytest.approx(alignment.score, abs=1e-6)
        assert not neighbor.HasField("metadata")


async def test_a_search_among_candidates_tells_which_the_collection_does_not_hold(
    stub, coloured, build, ids_of
):
    colours = {"red": (250, 0, 0), "orange": (250, 120, 0), "blue": (0, 0, 250), "other-blue": (0, 0, 250)}
    items = [build.item(name, coloured(*colour)) for name, colour in colours.items()]
    await stub.UpsertImages(build.add("candidates", *items))
    query = coloured(0, 0, 250)
    response = await stub.SearchImages(build.search_among("candidates", query, ["z", "red", "a", "orange"]))
    assert set(ids_of(response)) == {"red", "orange"}
    assert response.absent_ids == ["z", "a"]
    among_all = await stub.SearchImages(build.search("candidates", query))
    scores = {neighbor.id: neighbor.score for neighbor in among_all.neighbors}
    assert {neighbor.id: neighbor.score for neighbor in response.neighbors} == pytest.approx(
        {name: scores[name] for name in ("red", "orange")}, abs=1e-6
    )
    assert not among_all.absent_ids
    # Of equal scores the first candidate is the first, even if not all are returned.
    for first, second in (("blue", "other-blue"), ("other-blue", "blue")):
        request = build.search_among("candidates", query, ["red", first, second], 1)
        response = await stub.SearchImages(request)
        assert (ids_of(response), response.neighbors[0].score) == ([first], 1.0)
        assert not response.absent_ids
    none = await stub.SearchImages(build.search_among("candidates", query, ["never-added"]))
    assert (ids_of(none), none.absent_ids) == ([], ["never-added"])


async def test_a_search_among_a_thousand_candidates_is_answered(stub, coloured, ids_of, build):
    await stub.UpsertImages(build.add("thousand", build.item("500", coloured(9, 0, 0))))
    candidate_ids = [str(number) for number in range(1000)]
    response = await stub.SearchImages(build.search_among("thousand", coloured(9, 0, 0), candidate_ids))
    assert ids_of(response) == ["500"]
    assert response.absent_ids == candidate_ids[:500] + candidate_ids[501:]


async def test_ten_neighbours_are_found_unless_the_request_says_otherwise(stub, coloured, build):
    items = [build.item(str(index), coloured(index, 9, 100 - index)) for index in range(64)]
    await stub.UpsertImages(build.add("many", *items))
    await stub.UpsertImages(
        build.add("many", *(build.item(f"x{index}", coloured(index, 1, 2)) for index in range(50)))
    )
    for count, found_count in ((0, 10), (1, 1), (100, 100)):
        response = await stub.SearchImages(build.search("many", coloured(50, 9, 50), count))
        assert len(response.neighbors) == found_count
        scores = [neighbor.score for neighbor in response.neighbors]
        assert scores == sorted(scores, reverse=True)


def grays(count, prefix="n"):
    """Gives names and colours that are the less like blue the higher the number."""
    return {f"{prefix}{number}": (number, number, 250) for number in range(count)}


async def test_a_search_goes_on_page_by_page(stub, coloured, build, ids_of, refusal, all_pages):
    colours = grays(45)
    await stub.UpsertImages(
        build.add("pages", *(build.item(name, coloured(*c)) for name, c in colours.items()))
    )
    whole = await stub.SearchImages(build.search("pages", coloured(0, 0, 250), 100))
    assert not whole.next_page_token
    assert len(whole.neighbors) == 45
    for options in ({}, {"candidate_ids": [*reversed(colours), "never-added"]}):
        request = build.search_by(collection="pages", image=coloured(0, 0, 250), page_size=20, **options)
        pages = await all_pages(stub.SearchImages, request)
        assert [len(page.neighbors) for page in pages] == [20, 20, 5]
        found = [neighbor for page in pages for neighbor in page.neighbors]
        assert [(item.id, item.score) for item in found] == [
            (item.id, pytest.approx(item.score, abs=1e-6)) for item in whole.neighbors
        ]
        absent_ids = ["never-added"] if options else []
        assert all(list(page.absent_ids) == absent_ids for page in pages)
    # A page may be of another size, but not of another request.
    request = build.search_by(collection="pages", image=coloured(0, 0, 250), page_size=20)
    request.page_token = (await stub.SearchImages(request)).next_page_token
    request.page_size = 3
    assert ids_of(await stub.SearchImages(request)) == [item.id for item in whole.neighbors[20:23]]
    request.min_score = 0.01
    _, error = await refusal(stub.SearchImages(request))
    assert error.reason is Reason.INVALID_FIELD
    assert [violation.field for violation in error.violations] == ["page_token"]


async def test_the_pages_of_a_search_end_after_a_thousand_neighbours(
    monkeypatch, coloured, served, build, all_pages, ids_of
):
    async with served(monkeypatch, max_images_per_collection="1200") as (_, stub):
        colours = {f"{number}": (number % 250, number // 250, 9) for number in range(1050)}
        items = [build.item(name, coloured(*colour)) for name, colour in colours.items()]
        for start in range(0, len(items), 50):
            await stub.UpsertImages(build.add("", *items[start : start + 50]))
        request = build.search_by(image=coloured(9, 9, 9), page_size=97)
        pages = await all_pages(stub.SearchImages, request)
        assert [len(page.neighbors) for page in pages] == [97] * 10 + [30]
        assert len({name for page in pages for name in ids_of(page)}) == 1000


async def test_neighbours_below_the_lowest_score_are_left_out(stub, coloured, build, ids_of, all_pages):
    colours = {"same": (0, 0, 250), "near": (60, 0, 250), "far": (250, 0, 60), "other": (250, 0, 0)}
    await stub.UpsertImages(
        build.add("scores", *(build.item(name, coloured(*colour)) for name, colour in colours.items()))
    )
    for min_score, expected in ((0.0, [*colours]), (0.5, ["same", "near"]), (1.0, ["same"])):
        request = build.search_by(collection="scores", image=coloured(0, 0, 250), min_score=min_score)
        assert ids_of(await stub.SearchImages(request)) == expected
        request.page_size = 1
        pages = await all_pages(stub.SearchImages, request)
        assert [ids_of(page) for page in pages] == [[name] for name in expected]
    request = build.search_by_audio("scores", 0, 0, 1)
    request.min_score = 0.5
    assert ids_of(await stub.SearchImages(request)) == ["same", "near"]


async def test_images_are_found_by_one_of_the_collection(stub, coloured, ids_of, build, refusal):
    colours = {"blue": (0, 0, 250), "other-blue": (0, 0, 250), "violet": (90, 0, 250), "red": (250, 0, 0)}
    await stub.UpsertImages(
        build.add("by-id", *(build.item(name, coloured(*colour)) for name, colour in colours.items()))
    )
    response = await stub.SearchImages(build.search_by(collection="by-id", id="blue"))
    assert ids_of(response) == ["other-blue", "violet", "red"]
    assert response.neighbors[0].score == 1.0
    request = build.search_by(collection="by-id", id="blue", candidate_ids=["red", "blue", "x"], page_size=1)
    response = await stub.SearchImages(request)
    assert (ids_of(response), response.absent_ids, response.next_page_token) == (["red"], ["x"], "")
    for collection, reason, field in (
        ("by-id", Reason.UNKNOWN_IMAGE, "id"),
        ("never-made", Reason.UNKNOWN_COLLECTION, "collection"),
    ):
        code, error = await refusal(
            stub.SearchImages(build.search_by(collection=collection, id="never-added"))
        )
        assert (code, error.reason) == (grpc.StatusCode.NOT_FOUND, reason)
        assert [violation.field for violation in error.violations] == [field]


async def test_images_are_found_by_the_embedding_of_one(stub, coloured, ids_of, build):
    colours = {"blue": (0, 0, 250), "violet": (90, 0, 250), "red": (250, 0, 0)}
    await stub.UpsertImages(
        build.add("by-vector", *(build.item(name, coloured(*colour)) for name, colour in colours.items()))
    )
    query = coloured(200, 0, 250)
    images = similarity_pb2.ImageBatch(images=[query])
    embeddings = (await stub.EmbedImages(similarity_pb2.EmbedImagesRequest(encoded=images))).embeddings
    values = to_array(embeddings.values, field="values", dtype=np.float32, shape=(1, 3))[0]
    expected = await stub.SearchImages(build.search("by-vector", query))
    for factor in (1, 40):  # of any length
        response = await stub.SearchImages(
            build.search_by_vector(embeddings.space, values * factor, "by-vector")
        )
        assert ids_of(response) == ids_of(expected)
        scores = [neighbor.score for neighbor in expected.neighbors]
        assert [neighbor.score for neighbor in response.neighbors] == pytest.approx(scores, abs=1e-6)


async def test_photographs_find_their_like_and_a_model_that_hears_nothing_says_so(photograph, refusal, build):
    settings = load_settings(SimilaritySettings, {"CHLADNI_SIMILARITY_MODELS": "efficientnet-lite0"})
    names = ["motorcycle_left.png", "coffee.png", "coins.png", "rocket.jpg", "chelsea.png"]
    compose = composition.compose(settings)
    async with loopback_service(compose, service_names=composition.SERVICE_NAMES) as (_, channel):
        stub = similarity_grpc.SimilarityServiceStub(channel)
        images = {name: media_pb2.EncodedImage(content=photograph(name)) for name in names}
        await stub.UpsertImages(build.add("", *(build.item(name, image) for name, image in images.items())))
        right = media_pb2.EncodedImage(content=photograph("motorcycle_right.png"))
        response = await stub.SearchImages(build.search("", right))
        assert response.neighbors[0].id == "motorcycle_left.png"
        assert response.neighbors[0].score > response.neighbors[1].score + 0.2
        itself = await stub.SearchImages(build.search("", images["coins.png"], 1))
        assert (itself.neighbors[0].id, itself.neighbors[0].score) == ("coins.png", 1.0)
        code, error = await refusal(stub.SearchImages(build.search_by_audio("", 1, 0, 0)))
        assert code is grpc.StatusCode.UNIMPLEMENTED
        assert "send image, id or embedding" in error.message
