"""The folder of images: limit, expiry, restarts, faults of the disk."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chladni_contract.errors import InvalidInputError, NotFoundError, Reason, UnavailableError
from chladni_contract.provenance import Provenance
from chladni_gateway.domain.audio import AudioProperties, Descriptor, Embedding
from chladni_gateway.domain.image_store import ImageRecord, parse_image_id
from chladni_gateway.domain.stages import STAGE_KEY
from chladni_gateway.image_folder import FolderImageStore, periodic_sweep

DAY = timedelta(days=1)


class SteppedClock:
    """A clock that moves when it is told to."""

    def __init__(self):
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return SteppedClock()


@pytest.fixture
def open_store(tmp_path, clock):
    def opener(max_images=100, max_images_per_owner=100):
        return FolderImageStore(
            tmp_path,
            max_images=max_images,
            max_images_per_owner=max_images_per_owner,
            retention=DAY,
            now=clock,
        )

    return opener


def record_at(moment, content=b"png"):
    return ImageRecord(
        image_id=uuid.uuid4(),
        created_at=moment,
        expires_at=moment + DAY,
        sha256=hashlib.sha256(content).hexdigest(),
        width_pixels=512,
        height_pixels=512,
        source_name="voice ü.wav",
        recipe="embedded",
        processing_seconds=1.5,
        audio=AudioProperties("wav", 44100, 2, 3.25, "ab" * 32),
        descriptors=(Descriptor("tempo", 120.5, "bpm", 0, 300, "How fast."),),
        provenance=Provenance(model="m", seed=7, library_versions={"torch": "2"}),
    )


async def put(store, clock, content=b"png", owner=""):
    clock.time += timedelta(seconds=1)
    record = replace(record_at(clock.time, content), owner=owner)
    return await store.put(content, record)


async def test_an_image_comes_back_as_it_went_in(open_store, clock):
    store = open_store()
    record = await put(store, clock, b"\x89PNG content")
    stored = await store.get(record.image_id)
    assert stored.content == b"\x89PNG content"
    assert stored.record == record


async def test_records_of_earlier_versions_are_read(open_store, clock, tmp_path):
    record = await put(open_store(), clock)
    path = tmp_path / f"{record.image_id}.json"
    facts = json.loads(path.read_text())
    del facts["is_reused"]
    del facts["owner"]
    del facts["audio_embedding"]
    for name in ("reproducible", "device_capability", "decode_batch_size"):
        del facts["provenance"][name]
    path.write_text(json.dumps(facts | {"a_fact_of_later_versions": 1}))
    assert (await open_store().get(record.image_id)).record == record


async def test_what_is_known_of_an_image_is_kept(open_store, clock):
    clock.time += timedelta(seconds=1)
    provenance = Provenance(model="m", reproducible=True, device_capability="AVX512", decode_batch_size=4)
    record = replace(record_at(clock.time), provenance=provenance, is_reused=True)
    await open_store().put(b"png", record)
    assert (await open_store().get(record.image_id)).record == record


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=1024))
def test_the_embedding_of_the_sound_is_kept_to_the_last_bit(tmp_path_factory, data):
    folder, clock = tmp_path_factory.mktemp("images"), SteppedClock()
    embedding = Embedding("space", (len(data) // 4,), data)
    record = replace(record_at(clock.time), audio_embedding=embedding)

    async def scenario():
        await FolderImageStore(folder, max_images=1, max_images_per_owner=100, retention=DAY, now=clock).put(
            b"png", record
        )
        reopened = FolderImageStore(folder, max_images=1, max_images_per_owner=100, retention=DAY, now=clock)
        assert await reopened.describe(record.image_id) == record

    asyncio.run(scenario())


async def test_records_of_earlier_versions_name_the_embedding_differently(open_store, clock, tmp_path):
    record = replace(record_at(clock.time), audio_embedding=Embedding("space", (1,), b"abcd"))
    await open_store().put(b"png", record)
    [path] = tmp_path.rglob("*.json")
    facts = json.loads(path.read_text())
    facts["sound"] = facts.pop("audio_embedding")
    path.write_text(json.dumps(facts))
    assert (await open_store().get(record.image_id)).record == record


async def test_images_survive_a_restart(open_store, clock):
    record = await put(open_store(), clock)
    assert (await open_store().get(record.image_id)).record == record


@settings(max_examples=100, deadline=None)
@given(limit=st.integers(1, 3), count=st.integers(0, 5))
def test_the_limit_holds_and_the_oldest_go_first(tmp_path_factory, limit, count):
    folder, clock = tmp_path_factory.mktemp("images"), SteppedClock()
    store = FolderImageStore(folder, max_images=limit, max_images_per_owner=100, retention=DAY, now=clock)

    async def scenario():
        records = [await put(store, clock) for _ in range(count)]
        for record in records[:-limit]:
            with pytest.raises(NotFoundError):
                await store.get(record.image_id)
        for record in records[-limit:]:
            await store.get(record.image_id)

    asyncio.run(scenario())
    assert len(list(folder.iterdir())) == 2 * min(limit, count)


async def test_an_owner_at_the_limit_loses_its_own_oldest_image_and_is_told(open_store, clock):
    store = open_store(max_images_per_owner=2)
    other = await put(store, clock, owner="bob")
    first = await put(store, clock, owner="ann")
    second = await put(store, clock, owner="ann")
    assert await store.count_owned("ann") == 2
    clock.time += timedelta(seconds=1)
    third = await store.put(b"png", replace(record_at(clock.time), owner="ann"))
    assert (await store.describe(third.image_id)).warnings == third.warnings
    [warning] = third.warnings
    assert (warning.reason, warning.metadata) == ("IMAGES_REMOVED", {"count": "1", "maximum": "2"})
    with pytest.raises(NotFoundError):
        await store.get(first.image_id)
    for record in (other, second, third):
        await store.get(record.image_id)
    assert [await store.count_owned(owner) for owner in ("ann", "bob", "")] == [2, 1, 0]


async def test_a_full_store_takes_from_the_owner_of_the_most_images(open_store, clock):
    store = open_store(max_images=4)
    lone = await put(store, clock, owner="bob")
    many = [await put(store, clock, owner="ann") for _ in range(3)]
    new = await put(store, clock, owner="eve")
    assert new.warnings == ()
    with pytest.raises(NotFoundError):
        await store.get(many[0].image_id)
    for record in (lone, *many[1:], new):
        await store.get(record.image_id)


async def test_the_limit_holds_when_many_come_at_once(open_store, clock, tmp_path):
    store = open_store(max_images=5)
    records = [record_at(clock.time + timedelta(seconds=index)) for index in range(20)]
    await asyncio.gather(*(store.put(b"png", record) for record in records))
    assert len(list(tmp_path.glob("*.json"))) == 5
    assert len(list(tmp_path.glob("*.png"))) == 5


async def test_an_expired_image_is_unknown_before_and_after_it_is_swept(open_store, clock, tmp_path):
    store = open_store()
    old, new = await put(store, clock), await put(store, clock)
    clock.time = old.expires_at
    with pytest.raises(NotFoundError) as caught:
        await store.get(old.image_id)
    assert caught.value.reason is Reason.UNKNOWN_IMAGE
    assert await store.sweep() == 1
    assert {path.stem for path in tmp_path.iterdir()} == {str(new.image_id)}
    assert await store.sweep() == 0


async def test_the_regular_sweep_goes_on_after_a_fault(open_store, clock, tmp_path, eventually):
    store = open_store()
    record = await put(store, clock)
    clock.time = record.expires_at
    hidden = tmp_path.with_name("hidden")
    tmp_path.rename(hidden)
    async with periodic_sweep(store, interval_seconds=0.01):
        await asyncio.sleep(0.05)
        hidden.rename(tmp_path)
        await eventually(lambda: not list(tmp_path.iterdir()))


@pytest.mark.parametrize("failing_write", [1, 2])
async def test_a_full_disk_is_told_and_leaves_nothing_behind(
    open_store, clock, tmp_path, monkeypatch, failing_write
):
    store = open_store()
    kept = await put(store, clock)
    writes = []

    def fsync_of_a_full_disk(_descriptor):
        writes.append(1)
        if len(writes) == failing_write:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync_of_a_full_disk)
        with pytest.raises(UnavailableError) as caught:
            await put(store, clock)
    assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
    assert "disk is full" in caught.value.message
    assert str(tmp_path) not in caught.value.message
    assert {path.stem for path in tmp_path.iterdir()} == {str(kept.image_id)}
    await put(store, clock)


async def test_a_write_that_stops_between_its_files_leaves_no_image(open_store, clock, tmp_path):
    store = open_store()
    record = await put(store, clock)
    (tmp_path / f"{record.image_id}.json").unlink()
    (tmp_path / "half-written.tmp").write_bytes(b"half")
    with pytest.raises(NotFoundError):
        await store.get(record.image_id)
    clock.time = datetime.now(UTC) + timedelta(minutes=1)
    os.utime(tmp_path / f"{record.image_id}.png")
    await store.sweep()
    assert len(list(tmp_path.iterdir())) == 2, "may still be in the making"
    clock.time += timedelta(hours=2)
    await store.sweep()
    assert list(tmp_path.iterdir()) == []


async def test_a_damaged_record_is_a_fault_of_the_storage(open_store, clock, tmp_path):
    store = open_store()
    record = await put(store, clock)
    (tmp_path / f"{record.image_id}.json").write_text("{")
    with pytest.raises(UnavailableError) as caught:
        await store.get(record.image_id)
    assert caught.value.reason is Reason.STORAGE_UNAVAILABLE


def test_a_folder_that_cannot_be_made_is_told_at_once(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UnavailableError):
        FolderImageStore(tmp_path / "file" / "images", max_images=1, max_images_per_owner=100, retention=DAY)


HOSTILE = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="./\\%0123456789abcdef-\x00~", max_size=60),
    st.uuids().map(lambda value: f"../{value}"),
    st.uuids().map(lambda value: f"{value}/.."),
    st.uuids().map(lambda value: f"{value}\n"),
    st.uuids().map(lambda value: f"{{{value}}}"),
    st.uuids().map(lambda value: value.urn),
    st.uuids().map(lambda value: value.hex),
)


@settings(max_examples=300)
@given(text=HOSTILE)
def test_nothing_but_a_plain_uuid_becomes_an_identifier(text):
    with pytest.raises(InvalidInputError) as caught:
        parse_image_id(text, field="image_id")
    assert caught.value.violations[0].field == "image_id"
    assert caught.value.metadata[STAGE_KEY] == "validation"


@settings(max_examples=100)
@given(value=st.uuids(), is_upper=st.booleans())
def test_a_uuid_becomes_the_same_identifier_in_any_case(value, is_upper):
    text = str(value).upper() if is_upper else str(value)
    assert parse_image_id(text, field="image_id") == value
    assert Path(f"{value}.png").name == f"{value}.png"


@settings(max_examples=100, deadline=None)
@given(
    owners=st.lists(st.sampled_from(["ann", "bob", ""]), max_size=8),
    limit=st.integers(1, 4),
    is_reopened=st.booleans(),
)
def test_each_owner_sees_its_own_newest_first_page_by_page(tmp_path_factory, owners, limit, is_reopened):
    folder, clock = tmp_path_factory.mktemp("images"), SteppedClock()

    def open_it():
        return FolderImageStore(folder, max_images=100, max_images_per_owner=100, retention=DAY, now=clock)

    async def scenario():
        store = open_it()
        records = [await put(store, clock, owner=owner) for owner in owners]
        store = open_it() if is_reopened else store
        for owner in ("ann", "bob"):
            expected = [record for record in reversed(records) if record.owner == owner]
            seen, before = [], None
            while page := await store.list_owned(owner, limit=limit, before=before):
                assert len(page) <= limit
                seen.extend(page)
                before = page[-1].image_id
            assert seen == expected
        assert await store.list_owned("", limit=limit) == ()
        assert await store.list_owned("eve", limit=limit) == ()

    asyncio.run(scenario())


async def test_only_the_owner_deletes(open_store, clock, tmp_path):
    store = open_store()
    record, other = await put(store, clock, owner="ann"), await put(store, clock, owner="ann")
    nobodys = await put(store, clock)
    for stranger in ("bob", ""):
        with pytest.raises(NotFoundError):
            await store.delete(record.image_id, owner=stranger)
    with pytest.raises(NotFoundError):
        await store.delete(nobodys.image_id, owner="")
    await store.delete(record.image_id, owner="ann")
    with pytest.raises(NotFoundError):
        await store.get(record.image_id)
    with pytest.raises(NotFoundError):
        await store.delete(record.image_id, owner="ann")
    assert await store.list_owned("ann", limit=9) == (other,)
    assert not list(tmp_path.glob(f"{record.image_id}*"))
    assert await store.describe(nobodys.image_id) == nobodys


async def test_a_page_can_only_begin_after_an_image_of_the_owner(open_store, clock):
    store = open_store()
    await put(store, clock, owner="ann")
    strange = await put(store, clock, owner="bob")
    for before in (strange.image_id, uuid.uuid4()):
        with pytest.raises(NotFoundError):
            await store.list_owned("ann", limit=9, before=before)


async def test_lists_leave_out_what_has_expired_or_is_damaged(open_store, clock, tmp_path):
    store = open_store()
    expired = await put(store, clock, owner="ann")
    clock.time += DAY
    damaged, sound = await put(store, clock, owner="ann"), await put(store, clock, owner="ann")
    assert await store.list_owned("ann", limit=9) == (sound, damaged)
    (tmp_path / f"{damaged.image_id}.json").write_text("{")
    (tmp_path / "notes.json").write_text("[]")
    assert await store.list_owned("ann", limit=9) == (sound,)
    assert await open_store().list_owned("ann", limit=9) == (sound,)
    with pytest.raises(NotFoundError):
        await store.describe(expired.image_id)
