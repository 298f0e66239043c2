"""Links to images in a folder."""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from chladni_contract.errors import InvalidInputError, Reason
from chladni_gateway.domain.storage.image_store import unknown_image
from chladni_gateway.storage.share_links import ShareLinks
from chladni_runtime.files import write_temporary

START = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """A clock that goes a second at each look."""

    def __init__(self):
        self.looks = 0

    def __call__(self):
        self.looks += 1
        return START + timedelta(seconds=self.looks)


async def test_a_link_is_found_has_a_clip_and_is_withdrawn(tmp_path):
    links = ShareLinks(tmp_path / "shared", max_links=10, max_bytes=100, now=Clock())
    image_id = uuid.uuid4()
    assert await links.of_image(image_id, owner="mine") is None
    made = await links.make(image_id, owner="mine")
    assert await links.make(image_id, owner="mine") == made
    assert await links.find(made.token) == made
    assert await links.of_image(image_id, owner="another") is None
    assert await links.audio(made) is None
    heard = await links.add_audio(made, b"clip", "audio/wav")
    assert await links.find(made.token) == heard
    assert await links.audio(heard) == b"clip"
    await links.withdraw(made.token)
    assert await links.find(made.token) is None
    assert list((tmp_path / "shared").iterdir()) == []


async def test_the_oldest_link_makes_room(tmp_path):
    links = ShareLinks(tmp_path, max_links=2, max_bytes=100, now=Clock())
    first, second, third = [await links.make(uuid.uuid4(), owner="mine") for _ in range(3)]
    assert [await links.find(link.token) for link in (first, second, third)] == [None, second, third]


async def test_the_owner_with_the_most_loses_the_oldest_clips(tmp_path):
    links = ShareLinks(tmp_path, max_links=99, max_bytes=100, now=Clock())
    made = [await links.make(uuid.uuid4(), owner=owner) for owner in ("rich", "rich", "poor", "new")]
    for link, size in zip(made, (30, 40, 25), strict=False):
        await links.add_audio(link, size * b"c", "audio/wav")
    assert await links.add_audio(made[3], 30 * b"d", "audio/wav") is not None
    kept = [await links.find(link.token) for link in made]
    assert [bool(link.audio_media_type) for link in kept] == [False, True, True, True]
    assert [len(await links.audio(link) or b"") for link in kept] == [0, 40, 25, 30]
    assert sum(path.stat().st_size for path in tmp_path.glob("*.audio")) == 95
    assert await links.add_audio(made[3], 35 * b"d", "audio/wav") is not None, "in place of its own"
    assert len(list(tmp_path.glob("*.audio"))) == 3


async def test_who_would_have_the_most_with_a_new_clip_makes_room_for_it(tmp_path):
    links = ShareLinks(tmp_path, max_links=99, max_bytes=100, now=Clock())
    owners = ("other", "greedy", "greedy")
    made = [await links.make(uuid.uuid4(), owner=owner) for owner in owners]
    for link, size in zip(made, (50, 45, 30), strict=True):
        await links.add_audio(link, size * b"c", "audio/wav")
    kept = [await links.find(link.token) for link in made]
    assert [bool(link.audio_media_type) for link in kept] == [True, False, True]


async def test_a_clip_larger_than_all_may_be_is_refused_and_takes_nothing_from_others(tmp_path):
    links = ShareLinks(tmp_path, max_links=99, max_bytes=100, now=Clock())
    made = [await links.make(uuid.uuid4(), owner=owner) for owner in ("other", "greedy")]
    kept = [await links.add_audio(link, 40 * b"c", "audio/wav") for link in made]
    with pytest.raises(InvalidInputError, match="101 bytes") as caught:
        await links.add_audio(kept[1], 101 * b"d", "audio/wav")
    assert caught.value.reason is Reason.FILE_TOO_LARGE
    assert [await links.audio(await links.find(link.token)) for link in made] == 2 * [40 * b"c"]


async def test_a_token_is_never_part_of_a_path(tmp_path):
    links = ShareLinks(tmp_path / "shared", max_links=2, max_bytes=100, now=Clock())
    (tmp_path / "secret.json").write_text("{}")
    for token in ("", "../secret", "../secret" + "a" * 13, "a" * 21 + "/", "ä" * 22):
        assert await links.find(token) is None
        await links.withdraw(token)
    assert (tmp_path / "secret.json").exists()
    await links.make(uuid.uuid4(), owner="mine")
    (tmp_path / "shared" / ("a" * 22 + ".json")).write_text("no link")
    assert await links.find("a" * 22) is None


async def test_a_clip_that_comes_late_does_not_bring_a_withdrawn_link_back(tmp_path):
    links = ShareLinks(tmp_path, max_links=2, max_bytes=100, now=Clock())
    link = await links.make(uuid.uuid4(), owner="mine")
    await links.withdraw(link.token)
    assert await links.add_audio(link, b"clip", "audio/wav") is None
    assert list(tmp_path.iterdir()) == []


async def test_links_and_their_clips_go_with_their_images(tmp_path):
    links = ShareLinks(tmp_path, max_links=9, max_bytes=100, now=Clock())
    kept, gone = [await links.make(uuid.uuid4(), owner="mine") for _ in range(2)]
    for link in (kept, gone):
        await links.add_audio(link, b"clip", "audio/wav")

    async def describe(image_id):
        if image_id == gone.image_id:
            raise unknown_image(image_id)

    os.utime(write_temporary(tmp_path, b"part"), (0, 0))  # A killed process left it.
    assert await links.sweep(SimpleNamespace(describe=describe)) == 1
    assert {path.stem for path in tmp_path.iterdir()} == {kept.token}
    async with links.swept(SimpleNamespace(describe=describe), interval_seconds=60):
        assert await links.audio(await links.find(kept.token)) == b"clip"
