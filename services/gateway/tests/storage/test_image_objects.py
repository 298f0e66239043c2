"""What only an object store does: remnants, faults, several gateways on one bucket."""

from __future__ import annotations

import asyncio
import logging
import uuid
from dataclasses import replace
from datetime import timedelta

import obstore
import pytest
from obstore.store import MemoryStore

from chladni_contract.errors import NotFoundError, Reason, UnavailableError
from chladni_fakes.image_records import DAY, put, record_at
from chladni_fakes.loopback import free_port
from chladni_fixtures.state_servers import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from chladni_gateway.storage.image_objects import ObjectImageStore, s3_bucket


@pytest.fixture
def objects():
    return MemoryStore()


@pytest.fixture
def open_store(objects, clock):
    def opener(max_images=100, max_images_per_owner=100):
        return ObjectImageStore(
            objects,
            max_images=max_images,
            max_images_per_owner=max_images_per_owner,
            retention=DAY,
            now=clock,
        )

    return opener


def keys(objects):
    return sorted(item["path"] for item in obstore.list(objects).collect())


async def test_a_removed_image_leaves_no_object(open_store, clock, objects):
    store = open_store()
    record = await put(store, clock, owner="ann")
    await store.pin(record.image_id, owner="ann", is_pinned=True)
    assert len(keys(objects)) == 4
    await store.delete(record.image_id, owner="ann")
    assert keys(objects) == []


@pytest.mark.parametrize("written", [1, 2])
async def test_a_write_that_stops_half_way_leaves_no_image(open_store, clock, objects, written, monkeypatch):
    store = open_store()
    count = 0

    def failing_put(*arguments, **options):
        nonlocal count
        count += 1
        if count > written:
            raise obstore.exceptions.GenericError("the network is gone")
        return put_object(*arguments, **options)

    put_object = obstore.put
    with monkeypatch.context() as patch:
        patch.setattr(obstore, "put", failing_put)
        with pytest.raises(UnavailableError) as caught:
            await put(store, clock, owner="ann")
    assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
    assert "network" not in caught.value.message
    assert await store.list_owned("ann", limit=9) == ()
    await store.sweep()
    assert keys(objects), "another gateway may be writing it"
    clock.time += timedelta(hours=2)
    await store.sweep()
    assert keys(objects) == []


async def test_a_sweep_holds_the_limits_that_several_gateways_exceeded_together(open_store, clock):
    stores = [open_store(max_images=4) for _ in range(3)]
    for store in stores:
        await store.sweep()
    for store in stores:
        for _ in range(3):
            await put(store, clock, owner="ann")
    assert await stores[0].count_owned("ann") == 9
    await stores[0].sweep()
    assert await stores[1].count_owned("ann") == 4


async def test_an_image_that_two_gateways_made_is_one_image(open_store, clock, objects):
    late, store = open_store(), open_store()
    record = replace(record_at(clock.time), owner="ann")
    again = replace(record, created_at=clock.time + timedelta(seconds=5))
    await late.put(b"png", record)
    await store.put(b"png", again)
    assert await store.list_owned("ann", limit=9) == (again,)
    assert await store.count_owned("ann") == 1
    await store.sweep()
    assert len(keys(objects)) == 3
    await store.delete(record.image_id, owner="ann")
    assert keys(objects) == []


async def test_what_others_put_beside_the_images_disturbs_nothing(open_store, clock, objects):
    store = open_store()
    record = await put(store, clock, owner="ann")
    for key in ("owners/notes.txt", "owners/by-ann/notes.txt", "owners/by-ann/1-2", "pins/notes.txt"):
        obstore.put(objects, key, b"")
    await store.put(b"png", replace(record_at(clock.time), owner="ann"))
    await store.pin(record.image_id, owner="ann", is_pinned=True)
    await store.sweep()
    assert len(await store.list_owned("ann", limit=9)) == 2


async def test_an_image_that_is_made_and_pinned_during_a_sweep_stays_pinned(
    open_store, clock, objects, monkeypatch
):
    store, other = open_store(), open_store()
    index = store._index

    async def slow_index(owner=None):
        entries = await index(owner)
        record = await put(other, clock, owner="ann")
        await other.pin(record.image_id, owner="ann", is_pinned=True)
        return entries

    monkeypatch.setattr(store, "_index", slow_index)
    await store.sweep()
    [record] = await other.list_owned("ann", limit=9)
    assert record.is_pinned


async def test_a_damaged_record_is_a_fault_of_the_storage(open_store, clock, objects):
    store = open_store()
    damaged, sound = await put(store, clock, owner="ann"), await put(store, clock, owner="ann")
    obstore.put(objects, f"records/{damaged.image_id}.json", b"{")
    with pytest.raises(UnavailableError):
        await store.get(damaged.image_id)
    assert await store.list_owned("ann", limit=9) == (sound,)


async def test_an_image_without_its_file_is_unknown(open_store, clock, objects):
    store = open_store()
    record = await put(store, clock)
    obstore.delete(objects, f"images/{record.image_id}.png")
    with pytest.raises(NotFoundError):
        await store.get(record.image_id)


async def test_a_wrong_key_is_told_at_once_and_tells_nothing(bucket_of, clock, caplog):
    caplog.set_level(logging.CRITICAL)
    store = ObjectImageStore(
        bucket_of(secret="another"), max_images=1, max_images_per_owner=1, retention=DAY, now=clock
    )
    with pytest.raises(UnavailableError, match="cannot be opened") as caught:
        await store.check()
    assert "another" not in caught.value.message


async def test_a_bucket_can_be_checked_and_shared(bucket_of, clock):
    prefix = uuid.uuid4().hex
    first, second = (
        ObjectImageStore(
            bucket_of(prefix=prefix), max_images=9, max_images_per_owner=9, retention=DAY, now=clock
        )
        for _ in range(2)
    )
    await asyncio.gather(first.check(), second.check())
    record = await put(first, clock, owner="ann")
    assert await second.describe(record.image_id) == record
    await second.delete(record.image_id, owner="ann")
    assert await first.list_owned("ann", limit=9) == ()


async def test_a_server_that_is_not_there_is_told(clock, monkeypatch):
    monkeypatch.setattr("chladni_gateway.storage.image_objects._MAX_TRIES", 1)
    bucket = s3_bucket(
        "images",
        endpoint=f"http://127.0.0.1:{free_port()}",
        region="us-east-1",
        access_key_id=ACCESS_KEY_ID,
        secret_access_key=SECRET_ACCESS_KEY,
    )
    store = ObjectImageStore(bucket, max_images=1, max_images_per_owner=1, retention=DAY, now=clock)
    with pytest.raises(UnavailableError, match="does not answer"):
        await store.check()


async def test_files_are_written_side_by_side_and_limits_hold_all_the_same(open_store, clock, objects):
    store = open_store(max_images_per_owner=4)
    write, writing, at_once = store._write, 0, []

    async def slow_write(key, data, **options):
        nonlocal writing
        if data:
            writing += 1
            at_once.append(writing)
            await asyncio.sleep(0.02)
            writing -= 1
        await write(key, data, **options)

    store._write = slow_write
    records = [replace(record_at(clock() + timedelta(seconds=index)), owner="ann") for index in range(12)]
    await asyncio.gather(*(store.put(b"png", record) for record in records))
    assert max(at_once) == 8
    await store.sweep()
    assert await store.count_owned("ann") == 4
    assert {record.image_id for record in await store.list_owned("ann", limit=9)} == {
        record.image_id for record in records[-4:]
    }
