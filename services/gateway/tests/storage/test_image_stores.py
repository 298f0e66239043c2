"""What every store of images does: the folder, an object store in memory, a real server of S3's protocol."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from chladni_contract.errors import ChladniError, NotFoundError, Reason
from chladni_contract.provenance import Provenance
from chladni_fakes.image_records import put, record_at
from chladni_gateway.domain.images import ImageFormat


async def test_an_image_comes_back_as_it_went_in(open_store, clock):
    store = open_store()
    record = await put(store, clock, b"\x89PNG content")
    stored = await store.get(record.image_id)
    assert stored.content == b"\x89PNG content"
    assert stored.record == record


async def test_what_is_known_of_an_image_is_kept(open_store, clock):
    clock.time += timedelta(seconds=1)
    provenance = Provenance(model="m", reproducible=True, device_capability="AVX512", decode_batch_size=4)
    record = replace(record_at(clock.time), provenance=provenance, is_reused=True)
    await open_store().put(b"png", record)
    assert (await open_store().get(record.image_id)).record == record


async def test_images_survive_a_restart(open_store, clock):
    record = await put(open_store(), clock)
    assert (await open_store().get(record.image_id)).record == record


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


async def test_only_the_owner_deletes(open_store, clock):
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
    assert await store.describe(nobodys.image_id) == nobodys


async def test_a_page_can_only_begin_after_an_image_of_the_owner(open_store, clock):
    store = open_store()
    await put(store, clock, owner="ann")
    strange = await put(store, clock, owner="bob")
    for before in (strange.image_id, uuid.uuid4()):
        with pytest.raises(NotFoundError):
            await store.list_owned("ann", limit=9, before=before)


async def test_an_owner_sees_its_own_newest_first_page_by_page(open_store, clock):
    store = open_store()
    owners = ["ann", "bob", "ann", "", "ann", "bob"]
    records = [await put(store, clock, owner=owner) for owner in owners]
    for owner in ("ann", "bob"):
        expected = [record for record in reversed(records) if record.owner == owner]
        seen, before = [], None
        while page := await open_store().list_owned(owner, limit=2, before=before):
            assert len(page) <= 2
            seen.extend(page)
            before = page[-1].image_id
        assert seen == expected
    for stranger in ("", "eve", "an"):
        assert await store.list_owned(stranger, limit=9) == ()


async def test_owners_may_have_any_name(open_store, clock):
    store = open_store()
    names = ["a/b", "a%2Fb", "a b", "ü", "https://issuer.example/#4711", ".."]
    records = {name: await put(store, clock, owner=name) for name in names}
    for name, record in records.items():
        assert await store.list_owned(name, limit=9) == (record,)


async def test_images_of_each_format_are_kept_and_removed(open_store, clock):
    store = open_store()
    for form in ImageFormat:
        clock.time += timedelta(seconds=1)
        record = replace(record_at(clock.time), format=form, owner="ann")
        await store.put(form.value.encode(), record)
        assert (await store.get(record.image_id)).content == form.value.encode()
        await store.delete(record.image_id, owner="ann")
        with pytest.raises(NotFoundError):
            await store.get(record.image_id)


async def test_the_same_image_twice_is_one_image(open_store, clock):
    store = open_store()
    record = await put(store, clock, owner="ann")
    assert await store.put(b"png", record) == record
    assert await store.count_owned("ann") == 1
    assert await store.list_owned("ann", limit=9) == (record,)


async def test_what_has_expired_is_unknown_before_and_after_it_is_swept(open_store, clock):
    removed = []
    store = open_store(on_removed=removed.append)
    old, new = await put(store, clock, owner="ann"), await put(store, clock, owner="ann")
    clock.time = old.expires_at
    with pytest.raises(NotFoundError) as caught:
        await store.get(old.image_id)
    assert caught.value.reason is Reason.UNKNOWN_IMAGE
    assert await store.list_owned("ann", limit=9) == (new,)
    assert await store.sweep() == 1
    assert removed == [old.image_id]
    assert await store.count_owned("ann") == 1
    assert await store.sweep() == 0


async def test_the_limits_hold_when_many_come_at_once(open_store, clock):
    store = open_store(max_images=6, max_images_per_owner=4)
    records = [
        replace(record_at(clock.time + timedelta(seconds=index)), owner="ann" if index % 2 else "bob")
        for index in range(12)
    ]
    await asyncio.gather(*(store.put(b"png", record) for record in records))
    assert await store.count_owned("ann") + await store.count_owned("bob") == 6


async def test_a_pinned_image_is_removed_by_neither_limit_nor_time(open_store, clock):
    store = open_store(max_images=4, max_images_per_owner=2)
    kept = await put(store, clock, owner="ann")
    pinned = await store.pin(kept.image_id, owner="ann", is_pinned=True)
    assert pinned == replace(kept, is_pinned=True)
    for _ in range(3):
        newest = await put(store, clock, owner="ann")
    assert await store.list_owned("ann", limit=9) == (newest, pinned)
    for owner in ("bob", "bob", "eve", "eve"):
        await put(store, clock, owner=owner)
    clock.time += timedelta(days=9)
    await store.sweep()
    assert await open_store().list_owned("ann", limit=9) == (pinned,)
    assert (await open_store().get(kept.image_id)).record == pinned
    assert await store.pin(kept.image_id, owner="ann", is_pinned=False) == kept
    with pytest.raises(NotFoundError):
        await store.get(kept.image_id)
    assert await store.sweep() == 1


async def test_half_of_the_images_can_be_pinned_by_their_owners(open_store, clock):
    store = open_store(max_images=7, max_images_per_owner=4)
    anns = [await put(store, clock, owner="ann") for _ in range(3)]
    bobs = [await put(store, clock, owner="bob") for _ in range(3)]
    for stranger in ("bob", ""):
        with pytest.raises(NotFoundError):
            await store.pin(anns[0].image_id, owner=stranger, is_pinned=True)
    for record in anns[:2]:
        await store.pin(record.image_id, owner="ann", is_pinned=True)
    await store.pin(anns[0].image_id, owner="ann", is_pinned=True)
    with pytest.raises(ChladniError, match="You have 2 pinned images") as caught:
        await store.pin(anns[2].image_id, owner="ann", is_pinned=True)
    assert caught.value.reason is Reason.COLLECTION_FULL
    await store.pin(bobs[0].image_id, owner="bob", is_pinned=True)
    with pytest.raises(ChladniError, match="The server keeps 3 pinned images"):
        await store.pin(bobs[1].image_id, owner="bob", is_pinned=True)
    await store.pin(anns[0].image_id, owner="ann", is_pinned=False)
    await store.pin(bobs[1].image_id, owner="bob", is_pinned=True)
