"""What only the folder of images does: files, restarts, faults of the disk. See `test_image_stores` too."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chladni_contract.errors import InvalidInputError, NotFoundError, Reason, UnavailableError
from chladni_fakes.image_records import DAY, SteppedClock, put, record_at
from chladni_gateway.domain.audio import Embedding
from chladni_gateway.domain.stages import STAGE_KEY
from chladni_gateway.domain.storage.image_store import parse_image_id
from chladni_gateway.storage.image_folder import FolderImageStore
from chladni_gateway.storage.image_records import periodic_sweep


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


async def test_a_removed_image_leaves_no_file(open_store, clock, tmp_path):
    store = open_store()
    record = await put(store, clock, owner="ann")
    await store.pin(record.image_id, owner="ann", is_pinned=True)
    await store.delete(record.image_id, owner="ann")
    assert not list(tmp_path.iterdir())
