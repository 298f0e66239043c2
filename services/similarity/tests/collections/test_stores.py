"""Stores of collections: in memory, in a folder, and on a Qdrant server where one is at hand.

The server's tests need CHLADNI_TEST_QDRANT_URL, the URL of a server whose collections may be lost.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import asynccontextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chladni_contract.errors import ChladniError, NotFoundError, Reason, UnavailableError
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_similarity.collections import local_store
from chladni_similarity.collections.interface import (
    CollectionInfo,
    CollectionLimits,
    ServerAccess,
    StoredImage,
    VectorKind,
    VectorSpace,
)
from chladni_similarity.collections.local_store import StoreOpeningError, open_local_store
from chladni_similarity.collections.opening import open_store
from chladni_similarity.collections.qdrant_collections import collection_name, qdrant_name

LIMITS = CollectionLimits(max_collections=3, max_images=100)
IMAGES = VectorSpace(VectorKind.IMAGE, "see", "0123456789abcdef", 4)
CLIPS = VectorSpace(VectorKind.AUDIO, "hear", "fedcba9876543210", 3)
SERVER_URL = os.environ.get("CHLADNI_TEST_QDRANT_URL")


@pytest.fixture(params=["memory", "folder", "server"])
def location(request, tmp_path):
    if request.param == "memory":
        return None
    if request.param == "folder":
        return tmp_path / "collections"
    if SERVER_URL is None:
        pytest.skip("NOT TESTED against a Qdrant server: set CHLADNI_TEST_QDRANT_URL to one")
    return ServerAccess(SERVER_URL)


@pytest.fixture
def opened(location):
    """Opens a store, and empties a server's before and after."""
    return lambda **options: opened_store(location, **options)


@asynccontextmanager
async def opened_store(location, spaces=(IMAGES,), limits=LIMITS):
    async with open_store(location, spaces=spaces, limits=limits, max_waiting=100) as store:
        if isinstance(location, ServerAccess):
            await drop_all(store)
        yield store
        if isinstance(location, ServerAccess):
            await drop_all(store)


async def drop_all(store):
    client = store._collections._client
    for item in (await client.get_collections()).collections:
        if item.name.startswith("chladni-"):
            await client.delete_collection(item.name)


def unit(*components):
    vector = np.array(components, np.float32)
    return vector / np.linalg.norm(vector)


def image(image_id, *components, metadata=None):
    return StoredImage(image_id, {VectorKind.IMAGE: unit(*components)}, metadata)


async def add(store, collection, *images):
    return await store.add(collection, images, CancellationToken())


async def search(store, collection, vector, count=10, kind=VectorKind.IMAGE):
    found = await store.search(collection, kind, vector, count, CancellationToken())
    return [item.image_id for item in found]


async def delete(store, collection, *image_ids):
    return await store.delete(collection, image_ids, CancellationToken())


async def sizes(store):
    return await store.sizes(CancellationToken())


async def test_the_nearest_come_first_with_their_cosines_and_metadata(opened):
    async with opened() as store:
        count = await add(
            store,
            "things",
            image("far", 0, 0, 1, 0, metadata='{"note": "ä"}'),
            image("near", 1, 0.2, 0, 0),
            image("same", 1, 0, 0, 0, metadata="{}"),
        )
        assert count == 3
        found = await store.search("things", VectorKind.IMAGE, unit(1, 0, 0, 0), 10, CancellationToken())
        assert [item.image_id for item in found] == ["same", "near", "far"]
        assert [item.cosine for item in found] == pytest.approx([1, unit(1, 0.2)[0], 0], abs=1e-6)
        assert [item.metadata for item in found] == ["{}", None, '{"note": "ä"}']
        assert await search(store, "things", unit(0, 0, 1, 0), count=1) == ["far"]


async def test_an_image_of_the_same_identifier_replaces_the_first(opened):
    async with opened() as store:
        await add(store, "things", image("a", 1, 0, 0, 0, metadata='"old"'), image("b", 0, 1, 0, 0))
        assert await add(store, "things", image("a", 0, 0, 0, 1)) == 2
        found = await store.search("things", VectorKind.IMAGE, unit(0, 0, 0, 1), 1, CancellationToken())
        assert (found[0].image_id, found[0].metadata) == ("a", None)


async def test_deleting_tells_how_many_were_there(opened):
    async with opened() as store:
        assert await delete(store, "never-made", "a") == 0
        await add(store, "things", image("a", 1, 0, 0, 0), image("b", 0, 1, 0, 0))
        assert await delete(store, "things", "a", "not-there") == 1
        assert await delete(store, "things", "a") == 0
        assert await search(store, "things", unit(1, 0, 0, 0)) == ["b"]
        assert await sizes(store) == {"things": 1}


async def test_searching_what_was_never_made_is_refused(opened):
    async with opened() as store:
        with pytest.raises(NotFoundError, match=r"no collection 'things'.*UpsertImages"):
            await search(store, "things", unit(1, 0, 0, 0))


async def test_the_images_of_a_collection_are_listed_part_by_part_in_an_order_that_stays(opened):
    async with opened() as store:
        token = CancellationToken()
        names = [str(index) for index in range(9)]
        await add(store, "things", *(image(name, 1, 0, 0, 0, metadata=f"[{name}]") for name in names))
        await add(store, "others", image("x", 1, 0, 0, 0))
        listed = await store.list_images("things", 100, token)
        order = [item.image_id for item in listed]
        assert sorted(order) == names
        assert [item.metadata for item in listed] == [f"[{name}]" for name in order]
        await delete(store, "things", order[4], order[5])
        await add(store, "things", image("new", 1, 0, 0, 0))
        kept = [item.image_id for item in await store.list_images("things", 100, token)]
        assert [name for name in kept if name != "new"] == order[:4] + order[6:]
        part = [item.image_id for item in await store.list_images("things", 3, token, first_id=order[5])]
        assert [name for name in part if name != "new"][:2] == order[6:8]
        with pytest.raises(NotFoundError, match="no collection 'nothing'"):
            await store.list_images("nothing", 3, token)


async def test_collections_are_listed_described_and_dropped(opened):
    async with opened(spaces=(IMAGES, CLIPS)) as store:
        token = CancellationToken()
        vectors = {VectorKind.IMAGE: unit(1, 0, 0, 0), VectorKind.AUDIO: unit(0, 1, 0)}
        for name in ("b", "Z", "a"):
            await add(store, name, StoredImage("1", vectors), StoredImage("2", vectors))
        infos = await store.list_collections(9, token)
        assert [info.name for info in infos] == ["Z", "a", "b"]
        assert infos[1] == CollectionInfo("a", 2, ["see", "hear"], is_outdated=False)
        assert await store.describe("a", token) == infos[1]
        assert await store.list_collections(1, token, first_name="a") == [infos[1]]
        assert await store.list_collections(9, token, first_name="aa") == [infos[2]]
        assert await store.drop("a", token) == 2
        for call in (store.drop, store.describe):
            with pytest.raises(NotFoundError, match="no collection 'a'") as caught:
                await call("a", token)
            assert caught.value.reason is Reason.UNKNOWN_COLLECTION
        assert await sizes(store) == {"Z": 2, "b": 2}


async def test_an_image_of_the_collection_gives_its_vector_and_can_be_left_out(opened):
    async with opened() as store:
        token = CancellationToken()
        await add(store, "things", *(image(str(index), 1, index, 0, 0) for index in range(5)))
        vector = await store.vector_of("things", VectorKind.IMAGE, "2", token)
        np.testing.assert_allclose(vector, unit(1, 2, 0, 0), atol=1e-6)
        found = await store.search("things", VectorKind.IMAGE, vector, 9, token, excluded_id="2")
        order = [item.image_id for item in found]
        assert set(order) == {"0", "1", "3", "4"}
        for options in ({}, {"candidate_ids": order}):
            part = await store.search(
                "things", VectorKind.IMAGE, vector, 2, token, excluded_id="2", skipped=1, **options
            )
            assert [item.image_id for item in part] == order[1:3]
        with pytest.raises(NotFoundError, match="no image 'x'") as caught:
            await store.vector_of("things", VectorKind.IMAGE, "x", token)
        assert caught.value.reason is Reason.UNKNOWN_IMAGE
        with pytest.raises(NotFoundError, match="no collection 'nothing'"):
            await store.vector_of("nothing", VectorKind.IMAGE, "2", token)


async def test_a_full_collection_takes_replacements_and_no_more(opened):
    async with opened() as store:
        await add(store, "things", *(image(str(index), 1, index, 0, 0) for index in range(99)))
        with pytest.raises(ChladniError, match=r"holds 99 images.*would hold 101.*at most 100"):
            await add(store, "things", image("a", 1, 0, 0, 0), image("b", 1, 0, 0, 0), image("5", 0, 0, 0, 1))
        assert await search(store, "things", unit(0, 0, 0, 1), count=100) != ["5"]
        assert await sizes(store) == {"things": 99}
        assert await add(store, "things", image("a", 1, 0, 0, 0), image("5", 0, 0, 0, 1)) == 100
        assert await search(store, "things", unit(0, 0, 0, 1), count=1) == ["5"]


async def test_an_empty_collection_makes_room_for_another(opened):
    async with opened() as store:
        for name in ("one", "two", "three"):
            await add(store, name, image("a", 1, 0, 0, 0))
        with pytest.raises(ChladniError, match="at most 3 collections"):
            await add(store, "four", image("a", 1, 0, 0, 0))
        await delete(store, "two", "a")
        assert await search(store, "two", unit(1, 0, 0, 0)) == []
        await add(store, "four", image("a", 1, 0, 0, 0))
        assert await sizes(store) == {"one": 1, "three": 1, "four": 1}


async def test_sounds_find_images_by_the_vectors_of_their_own_model(opened):
    async with opened(spaces=(IMAGES, CLIPS)) as store:
        vectors = {
            "a": {VectorKind.IMAGE: unit(1, 0, 0, 0), VectorKind.AUDIO: unit(0, 1, 0)},
            "b": {VectorKind.IMAGE: unit(0, 1, 0, 0), VectorKind.AUDIO: unit(1, 0, 0)},
        }
        await add(store, "things", *(StoredImage(name, item) for name, item in vectors.items()))
        assert await search(store, "things", unit(1, 0, 0, 0)) == ["a", "b"]
        assert await search(store, "things", unit(1, 0, 0), kind=VectorKind.AUDIO) == ["b", "a"]


async def test_names_that_differ_in_case_or_mean_folders_are_collections_of_their_own(opened):
    names = ["Cats", "cats", ".."]
    async with opened() as store:
        for index, name in enumerate(names):
            await add(store, name, image(f"of-{index}", 1, 0, 0, 0))
        assert await sizes(store) == dict.fromkeys(names, 1)
        assert await search(store, "cats", unit(1, 0, 0, 0)) == ["of-1"]


@given(st.lists(st.from_regex("[A-Za-z0-9._-]{1,64}", fullmatch=True), min_size=1, max_size=20, unique=True))
def test_every_collection_has_a_name_in_qdrant_that_no_other_has(names):
    in_qdrant = [qdrant_name(name) for name in names]
    assert [collection_name(name) for name in in_qdrant] == names
    assert len({name.casefold() for name in in_qdrant}) == len(names)
    assert all(len(name) < 200 and not set(name) & set('<>:"/\\|?*') for name in in_qdrant)


operations = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 9), st.integers(0, 2**32 - 1)),
        st.tuples(st.just("delete"), st.integers(0, 9), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=100, deadline=None)
@given(operations=operations, query_seed=st.integers(0, 2**32 - 1), count=st.integers(1, 12))
def test_whatever_is_added_and_deleted_searches_find_the_true_neighbours(operations, query_seed, count):
    def vector_of(seed):
        return unit(*np.random.default_rng(seed).standard_normal(4))

    async def play():
        kept = {}
        async with opened_store(None) as store:
            await add(store, "things", image("10", 1, 0, 0, 0))
            kept["10"] = unit(1, 0, 0, 0)
            for operation, number, seed in operations:
                image_id = str(number)
                if operation == "add":
                    kept[image_id] = vector_of(seed)
                    assert await add(store, "things", image(image_id, *kept[image_id])) == len(kept)
                else:
                    assert await delete(store, "things", image_id) == (kept.pop(image_id, None) is not None)
            query = vector_of(query_seed)
            found = await store.search("things", VectorKind.IMAGE, query, count, CancellationToken())
        cosines = {image_id: float(query @ vector) for image_id, vector in kept.items()}
        assert len(found) == min(count, len(kept))
        assert {item.image_id: item.cosine for item in found} == pytest.approx(
            {item.image_id: cosines[item.image_id] for item in found}, abs=1e-5
        )
        best = sorted(cosines.values(), reverse=True)[: len(found)]
        assert [item.cosine for item in found] == pytest.approx(best, abs=1e-5)

    asyncio.run(play())


@pytest.mark.parametrize("changed", [VectorSpace(VectorKind.IMAGE, "see", "another", 4), CLIPS])
async def test_a_collection_of_other_models_is_refused_until_it_is_empty(tmp_path, changed):
    async with opened_store(tmp_path) as store:
        await add(store, "things", image("a", 1, 0, 0, 0))
    spaces = (IMAGES, changed) if changed.kind is VectorKind.AUDIO else (changed,)
    vectors = {space.kind: unit(*range(1, space.dimension + 1)) for space in spaces}
    async with opened_store(tmp_path, spaces=spaces) as store:
        with pytest.raises(ChladniError) as caught:
            await add(store, "things", StoredImage("b", vectors))
        assert "made with see (0123456789abcdef) for images; this server has" in caught.value.message
        assert f"{changed.model_id} ({changed.fingerprint})" in caught.value.message
        with pytest.raises(ChladniError, match="made with see"):
            await search(store, "things", vectors[changed.kind], kind=changed.kind)
        token = CancellationToken()
        assert await store.describe("things", token) == CollectionInfo("things", 1, ["see"], is_outdated=True)
        if changed is CLIPS:  # the vectors of images are still of this server's model
            assert await search(store, "things", unit(1, 0, 0, 0)) == ["a"]
        assert await delete(store, "things", "a") == 1
        assert await add(store, "things", StoredImage("b", vectors)) == 1
        assert await search(store, "things", vectors[changed.kind], kind=changed.kind) == ["b"]


async def test_a_collection_of_other_models_is_replaced_on_request(tmp_path):
    async with opened_store(tmp_path) as store:
        await add(store, "things", image("a", 1, 0, 0, 0), image("b", 0, 1, 0, 0))
        kept = await store.add("things", [image("c", 0, 0, 1, 0)], CancellationToken(), replace_outdated=True)
        assert kept == 3, "it was made with the models that this server has"
    changed = VectorSpace(VectorKind.IMAGE, "see", "another", 4)
    async with opened_store(tmp_path, spaces=(changed,)) as store:
        images = [image("d", 1, 0, 0, 0)]
        assert await store.add("things", images, CancellationToken(), replace_outdated=True) == 1
        assert await search(store, "things", unit(1, 0, 0, 0)) == ["d"]


async def test_a_search_among_candidates_finds_no_others(opened):
    async with opened() as store:
        await add(store, "things", *(image(str(index), 1, index, 0, 0) for index in range(9)))
        token = CancellationToken()
        for candidate_ids in (["3"], ["8", "0", "not-there"], ["not-there"]):
            found = await store.search(
                "things", VectorKind.IMAGE, unit(1, 0, 0, 0), 9, token, candidate_ids=candidate_ids
            )
            assert [item.image_id for item in found] == sorted(set(candidate_ids) - {"not-there"})


FILLING = """
import asyncio, sys
from pathlib import Path
import numpy as np
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_similarity.collections.interface import *
from chladni_similarity.collections.local_store import open_local_store

async def fill():
    space = VectorSpace(VectorKind.IMAGE, "see", "0123456789abcdef", 4)
    limits = CollectionLimits(max_collections=3, max_images=100)
    async with open_local_store(Path(sys.argv[1]), spaces=[space], limits=limits, max_waiting=9) as store:
        images = [StoredImage(str(i), {VectorKind.IMAGE: np.eye(4, dtype=np.float32)[i]}, f"[{i}]")
                  for i in range(4)]
        await store.add("things", images, CancellationToken())
        await store.delete("things", ["2"], CancellationToken())
        print("filled", flush=True)
        sys.stdin.readline()

asyncio.run(fill())
"""


async def test_a_folder_outlives_its_process_and_serves_one_at_a_time(tmp_path):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FILLING, str(tmp_path), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert await process.stdout.readline() == b"filled\n"
    refused = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FILLING, str(tmp_path), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    _, complaint = await refused.communicate()
    assert refused.returncode != 0
    assert b"in use by another process" in complaint
    process.kill()  # what was answered must have been written
    await process.communicate()
    async with opened_store(tmp_path) as store:
        assert await sizes(store) == {"things": 3}
        found = await store.search("things", VectorKind.IMAGE, unit(0, 0, 0, 1), 1, CancellationToken())
        assert [(item.image_id, item.metadata) for item in found] == [("3", "[3]")]


async def test_a_folder_of_other_things_is_refused(tmp_path):
    (tmp_path / "meta.json").write_text("no JSON at all")
    with pytest.raises(StoreOpeningError, match="no intact collections"):
        async with opened_store(tmp_path):
            pass
    (tmp_path / "file").touch()
    with pytest.raises(StoreOpeningError, match="cannot be used for collections"):
        async with opened_store(tmp_path / "file"):
            pass


@pytest.mark.parametrize("kept", ["memory", "folder"])
async def test_the_memory_of_deleted_images_comes_free(tmp_path, monkeypatch, kept):
    monkeypatch.setattr(local_store, "_MIN_VACATED_SLOTS", 40)  # every write to the folder waits for the disk
    rng = np.random.default_rng(7)
    async with opened_store(tmp_path if kept == "folder" else None, spaces=(IMAGES, CLIPS)) as store:
        vectors = {
            str(index): {
                VectorKind.IMAGE: unit(*rng.standard_normal(4)),
                VectorKind.AUDIO: unit(*rng.standard_normal(3)),
            }
            for index in range(70)
        }
        images = [StoredImage(name, item, f'"{name}"') for name, item in vectors.items()]
        await add(store, "things", *images)
        await add(store, "others", *images[:5])
        slots = [len(store._client._client.collections["chladni-things"].ids)]
        for numbers in (range(39), range(39, 50)):
            await delete(store, "things", *map(str, numbers))
            slots.append(len(store._client._client.collections["chladni-things"].ids))
        assert slots == [70, 70, 20]
        assert await sizes(store) == {"things": 20, "others": 5}
        query = vectors["60"][VectorKind.AUDIO]
        found = await store.search("things", VectorKind.AUDIO, query, 1, CancellationToken())
        assert [(item.image_id, item.metadata) for item in found] == [("60", '"60"')]


async def test_a_disk_that_fails_is_an_outage(tmp_path):
    async with opened_store(tmp_path) as store:
        await add(store, "things", image("a", 1, 0, 0, 0))
        store._client._client.collections["chladni-things"].storage.close()  # as if the disk were gone
        with pytest.raises(UnavailableError) as caught:
            await add(store, "things", image("b", 1, 0, 0, 0))
        assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
        assert caught.value.retry_after_seconds > 0
        assert str(tmp_path) not in caught.value.message
        assert await search(store, "things", unit(1, 0, 0, 0)) == ["a"]


async def test_many_at_once_are_all_kept(opened):
    async with opened() as store:
        await asyncio.gather(*(add(store, "things", image(f"{n}", 1, n, 0, 0)) for n in range(50)))
        results = await asyncio.gather(
            *(delete(store, "things", f"{n}") for n in range(20)),
            *(add(store, "things", image(f"more-{n}", 1, n, 1, 0)) for n in range(20)),
            *(search(store, "things", unit(1, n, 0, 0)) for n in range(20)),
        )
        assert results[:20] == [1] * 20
        assert await sizes(store) == {"things": 50}


async def test_a_caller_that_has_gone_writes_nothing():
    async with open_local_store(None, spaces=[IMAGES], limits=LIMITS, max_waiting=9) as store:
        token = CancellationToken()
        token.cancel()
        with pytest.raises(ChladniError):
            await store.add("things", [image("a", 1, 0, 0, 0)], token)
        assert await sizes(store) == {}
