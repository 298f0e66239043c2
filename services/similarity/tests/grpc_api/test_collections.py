"""Collections over loopback, as a caller sees them: what they keep, list and remove, and when they cannot."""

from __future__ import annotations

import asyncio

import grpc
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni_contract.errors import Reason

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_same_identifier_replaces_and_counts_are_exact(stub, coloured, build):
    first = await stub.UpsertImages(
        build.add(
            "replaced", build.item("a", coloured(9, 0, 0), {"version": 1}), build.item("b", coloured(0, 9, 0))
        )
    )
    second = await stub.UpsertImages(
        build.add(
            "replaced", build.item("a", coloured(0, 0, 9), {"version": 2}), build.item("c", coloured(5, 5, 5))
        )
    )
    assert (first.image_count, second.image_count) == (2, 3)
    (neighbor,) = (await stub.SearchImages(build.search("replaced", coloured(0, 0, 90), 1))).neighbors
    assert neighbor.id == "a"
    assert neighbor.metadata["version"] == 2
    response = await stub.DeleteImages(
        similarity_pb2.DeleteImagesRequest(collection="replaced", ids=["a", "a", "b", "never-added"])
    )
    assert response.deleted_count == 2
    assert (
        await stub.UpsertImages(build.add("replaced", build.item("c", coloured(9, 9, 9))))
    ).image_count == 1


async def test_the_empty_name_is_the_collection_default(stub, coloured, ids_of, build):
    await stub.UpsertImages(build.add("", build.item("a", coloured(9, 0, 0))))
    assert ids_of(await stub.SearchImages(build.search("default", coloured(9, 0, 0)))) == ["a"]
    response = await stub.DeleteImages(similarity_pb2.DeleteImagesRequest(ids=["a"]))
    assert response.deleted_count == 1
    assert ids_of(await stub.SearchImages(build.search("", coloured(9, 0, 0)))) == []


def grays(count, prefix="n"):
    """Gives names and colours that are the less like blue the higher the number."""
    return {f"{prefix}{number}": (number, number, 250) for number in range(count)}


async def test_the_images_of_a_collection_are_listed(stub, coloured, all_pages, refusal, build):
    colours = grays(30)
    items = [build.item(name, coloured(*colour), {"name": name}) for name, colour in colours.items()]
    await stub.UpsertImages(build.add("listed", *items, build.item("plain", coloured(1, 2, 3))))
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


async def test_a_page_of_large_metadata_fits_what_clients_take(
    monkeypatch, coloured, served, all_pages, build
):
    async with served(monkeypatch, max_images_per_collection="400") as (_, stub):
        for start in range(0, 320, 64):
            items = [build.item(f"{start + n}", coloured(n, 1, 9), {"t": "x" * 16_300}) for n in range(64)]
            await stub.UpsertImages(build.add("", *items))
        request = similarity_pb2.ListImagesRequest(page_size=1000)
        pages = await all_pages(stub.ListImages, request)
        assert len(pages) == 2
        assert all(page.ByteSize() < 4 * 2**20 - 4096 for page in pages)
        assert len({image.id for page in pages for image in page.images}) == 320


async def test_collections_are_listed_described_and_deleted(
    monkeypatch, coloured, served, all_pages, refusal, build
):
    async with served(monkeypatch) as (running, stub):
        assert not (await stub.ListCollections(similarity_pb2.ListCollectionsRequest())).collections
        for name, count in (("b", 1), ("default", 2), ("A", 3)):
            items = [build.item(f"{number}", coloured(number, 0, 9)) for number in range(count)]
            await stub.UpsertImages(build.add(name, *items))
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
        async with httpx.AsyncClient(verify=False) as client:
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
async def test_metadata_comes_back_as_it_was(stub, coloured, metadata, build):
    added = build.item("a", coloured(9, 0, 0), metadata)
    await stub.UpsertImages(build.add("metadata", added))
    (neighbor,) = (await stub.SearchImages(build.search("metadata", coloured(9, 0, 0)))).neighbors
    assert neighbor.HasField("metadata")
    assert neighbor.metadata == added.metadata


async def test_a_full_collection_says_so_and_no_retry_is_suggested(stub, coloured, refusal, build):
    for start in range(0, 200, 50):
        items = [build.item(str(start + index), coloured(index, 2, start)) for index in range(50)]
        await stub.UpsertImages(build.add("full", *items))
    code, error = await refusal(
        stub.UpsertImages(build.add("full", build.item("one-more", coloured(1, 2, 3))))
    )
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "at most 200" in error.message
    assert error.retry_after_seconds is None


async def test_requests_at_the_same_time_are_all_kept(stub, coloured, build):
    await stub.UpsertImages(build.add("many", build.item("a", coloured(1, 9, 7))))
    requests = [
        build.add("busy", *(build.item(f"{n}-{index}", coloured(n, index, 7)) for index in range(4)))
        for n in range(25)
    ]
    searches = [build.search("many", coloured(n, 9, 7)) for n in range(25)]
    answers = await asyncio.gather(*map(stub.UpsertImages, requests), *map(stub.SearchImages, searches))
    assert sorted(answer.image_count for answer in answers[:25]) == list(range(4, 101, 4))


async def test_operators_see_sizes_and_times_and_no_names(service, stub, coloured, build):
    await stub.UpsertImages(build.add("secret-name", build.item("a", coloured(9, 0, 0))))
    await stub.SearchImages(build.search("secret-name", coloured(9, 0, 0)))
    await stub.SearchImages(build.search_by_audio("secret-name", 1, 0, 0))
    async with httpx.AsyncClient(verify=False) as client:
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


async def test_a_folder_is_found_again_by_the_next_server(monkeypatch, tmp_path, coloured, served, build):
    folder = str(tmp_path / "collections")
    async with served(monkeypatch, collections=folder) as (_, stub):
        await stub.UpsertImages(build.add("kept", build.item("a", coloured(9, 0, 0), {"n": 1})))
    async with served(monkeypatch, collections=folder) as (running, stub):
        (neighbor,) = (await stub.SearchImages(build.search("kept", coloured(9, 0, 0)))).neighbors
        assert (neighbor.id, neighbor.score, neighbor.metadata["n"]) == ("a", 1.0, 1)
        async with httpx.AsyncClient(verify=False) as client:
            text = (await client.get(f"http://127.0.0.1:{running.metrics_port}/metrics")).text
        assert 'chladni_collection_images{collections="all"} 1.0' in text


async def test_without_collections_a_hint_says_what_to_do(monkeypatch, coloured, served, refusal, build):
    async with served(monkeypatch, collections="off") as (_, stub):
        for call in (
            stub.UpsertImages(build.add("a", build.item("a", coloured(1, 2, 3)))),
            stub.SearchImages(build.search("a", coloured(1, 2, 3))),
            stub.DeleteImages(similarity_pb2.DeleteImagesRequest(ids=["a"])),
            stub.ListImages(similarity_pb2.ListImagesRequest()),
            stub.ListCollections(similarity_pb2.ListCollectionsRequest()),
            stub.GetCollection(similarity_pb2.GetCollectionRequest()),
            stub.DeleteCollection(similarity_pb2.DeleteCollectionRequest(collection="a")),
            stub.SearchImages(build.search_by(collection="a", id="a")),
        ):
            code, error = await refusal(call)
            assert code is grpc.StatusCode.UNIMPLEMENTED
            assert "CHLADNI_SIMILARITY_COLLECTIONS" in error.message


async def test_a_store_that_is_down_takes_nothing_else_with_it(
    monkeypatch, coloured, unused_tcp_port, served, refusal, build
):
    async with served(monkeypatch, collections=f"http://127.0.0.1:{unused_tcp_port}") as (running, stub):
        for call in (
            stub.UpsertImages(build.add("a", build.item("a", coloured(1, 2, 3)))),
            stub.SearchImages(build.search("a", coloured(1, 2, 3))),
            stub.DeleteImages(similarity_pb2.DeleteImagesRequest(ids=["a"])),
            stub.ListImages(similarity_pb2.ListImagesRequest()),
            stub.ListCollections(similarity_pb2.ListCollectionsRequest()),
            stub.GetCollection(similarity_pb2.GetCollectionRequest()),
            stub.DeleteCollection(similarity_pb2.DeleteCollectionRequest(collection="a")),
            stub.SearchImages(build.search_by(collection="a", id="a")),
        ):
            code, error = await refusal(call)
            assert (code, error.reason) == (grpc.StatusCode.UNAVAILABLE, Reason.STORAGE_UNAVAILABLE)
            assert error.retry_after_seconds > 0
        images = similarity_pb2.ImageBatch(images=[coloured(1, 2, 3)])
        response = await stub.EmbedImages(similarity_pb2.EmbedImagesRequest(encoded=images))
        assert response.embeddings.values.shape == [1, 3]
        async with httpx.AsyncClient(verify=False) as client:
            text = (await client.get(f"http://127.0.0.1:{running.metrics_port}/metrics")).text
        assert "chladni_ready 1.0" in text
