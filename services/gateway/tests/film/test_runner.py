"""Films in progress: stopped, resumed, removed, and found again after a restart."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from chladni_contract.errors import InvalidInputError, NotFoundError, QueueFullError, Reason, UnavailableError
from chladni_gateway.domain.films.options import FilmOptions, FilmPart
from chladni_gateway.domain.films.record import FilmFile, FilmRecord, FilmState
from chladni_gateway.film.index import Progress, UnknownFilmError
from chladni_gateway.film.runner import FilmLimits, FilmRunner
from chladni_gateway.film.store import FilmStore

OPTIONS = FilmOptions(seed=7, parts=(FilmPart.COVER,))


class Maker:
    """Makes a cover in steps, as far as it is let."""

    def __init__(self):
        self.may_go_on = asyncio.Event()
        self.calls = 0
        self.error = None

    async def make(self, folder, record, report):
        self.calls += 1
        progress = Progress()
        progress.part = FilmPart.COVER
        progress.move_to(0.5)
        report(record, progress)
        await self.may_go_on.wait()
        if self.error:
            raise self.error
        folder.file(FilmPart.COVER).write_bytes(folder.song.read_bytes())
        file = folder.describe(FilmPart.COVER)
        return type(record)(**{name: getattr(record, name) for name in record.__slots__} | {"files": (file,)})


@pytest.fixture
def song(tmp_path):
    path = tmp_path / "song.wav"
    path.write_bytes(b"a song")
    return path


@asynccontextmanager
async def running(folder, maker, **limits):
    runner = FilmRunner(store=FilmStore(folder), maker=maker, limits=FilmLimits(**limits))
    await runner.open()
    try:
        yield runner
    finally:
        await runner.close()


async def start(runner, song, **fields):
    values = {"sha256": "ab", "owner": "me", "caller": "", "options": OPTIONS}
    return await runner.start(song, **values | fields)


async def ended(runner, film):
    async for seen in runner.watch(film, interval_seconds=0.0):
        last = seen
    return last.record.state


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_film_is_made_and_its_file_can_be_had(tmp_path, song):
    maker = Maker()
    async with running(tmp_path / "films", maker) as runner:
        film = await start(runner, song, display_name="A song")
        await until(lambda: film.share == 0.5)
        with pytest.raises(NotFoundError):
            runner.file(film, FilmPart.COVER)
        maker.may_go_on.set()
        assert await ended(runner, film) is FilmState.COMPLETED
        assert runner.file(film, FilmPart.COVER).read_bytes() == b"a song"
        assert film.record.files == (FilmFile(FilmPart.COVER, 6, film.record.files[0].sha256),)
        assert await runner.list_owned("me") == [film]
        with pytest.raises(UnknownFilmError):
            await runner.find(film.record.film_id, owner="somebody else")


async def test_a_cancelled_film_goes_on_when_it_is_resumed(tmp_path, song):
    maker = Maker()
    async with running(tmp_path / "films", maker) as runner:
        film = await start(runner, song)
        await until(lambda: maker.calls)
        await runner.cancel(film.record.film_id, owner="me")
        assert film.record.state is FilmState.CANCELLED
        maker.may_go_on.set()
        await runner.resume(film.record.film_id, owner="me")
        assert await ended(runner, film) is FilmState.COMPLETED
        assert maker.calls == 2


async def test_a_film_survives_its_gateway(tmp_path, song):
    maker = Maker()
    async with running(tmp_path / "films", maker) as runner:
        film_id = (await start(runner, song)).record.film_id
        await until(lambda: maker.calls)
    again = Maker()
    again.may_go_on.set()
    async with running(tmp_path / "films", again) as runner:
        film = await runner.find(film_id, owner="me")
        assert await ended(runner, film) is FilmState.COMPLETED


async def test_the_same_request_is_the_same_film(tmp_path, song):
    request_id = uuid4()
    async with running(tmp_path / "films", Maker()) as runner:
        first = await start(runner, song, request_id=request_id)
        assert await start(runner, song, request_id=request_id) is first
        with pytest.raises(InvalidInputError):
            await start(runner, song, request_id=request_id, sha256="cd")


async def test_a_failure_is_kept_with_its_reason(tmp_path, song):
    maker = Maker()
    maker.error = UnavailableError(Reason.BACKEND_UNAVAILABLE, "It cannot be reached.")
    maker.may_go_on.set()
    async with running(tmp_path / "films", maker) as runner:
        film = await start(runner, song)
        assert await ended(runner, film) is FilmState.FAILED
    assert film.record.error.reason == "BACKEND_UNAVAILABLE"
    assert FilmStore(tmp_path / "films").records()[0].error == film.record.error


async def test_films_are_bounded_and_can_be_deleted(tmp_path, song):
    async with running(tmp_path / "films", Maker(), max_per_owner=1) as runner:
        film = await start(runner, song)
        with pytest.raises(QueueFullError):
            await start(runner, song)
        await runner.delete(film.record.film_id, owner="me")
        assert not list((tmp_path / "films").iterdir())
        await start(runner, song)


async def test_films_are_removed_in_time(tmp_path, song):
    maker = Maker()
    maker.may_go_on.set()
    async with running(tmp_path / "films", maker) as runner:
        await ended(runner, await start(runner, song))
    async with running(tmp_path / "films", maker, retention_seconds=0.0) as runner:
        await until(lambda: not list((tmp_path / "films").iterdir()))
        assert await runner.list_owned("me") == []


async def test_a_song_that_cannot_be_kept_leaves_nothing(tmp_path, song, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    async with running(tmp_path / "films", Maker(), max_unfinished=1) as runner:
        with monkeypatch.context() as patched:
            patched.setattr("chladni_gateway.film.store.shutil.copyfile", full)
            with pytest.raises(UnavailableError, match="No space left"):
                await start(runner, song)
        assert await runner.list_owned("me") == []
        assert not list((tmp_path / "films").iterdir())
        await start(runner, song)


async def test_a_song_must_have_bytes(tmp_path, song):
    song.write_bytes(b"")
    async with running(tmp_path / "films", Maker()) as runner:
        with pytest.raises(InvalidInputError) as caught:
            await start(runner, song)
        assert caught.value.reason is Reason.EMPTY_AUDIO


async def test_what_another_gateway_made_reaches_those_who_watch(tmp_path, song, monkeypatch):
    monkeypatch.setattr("chladni_gateway.film.runner._LOCK_SECONDS", 0.01)
    maker = Maker()
    async with running(tmp_path / "films", maker) as first:
        film_id = (await start(first, song)).record.film_id
        await until(lambda: maker.calls)
        idle = Maker()
        async with running(tmp_path / "films", idle) as second:
            film = await second.find(film_id, owner="me")
            watching = asyncio.create_task(ended(second, film))
            maker.may_go_on.set()
            async with asyncio.timeout(5):
                assert await watching is FilmState.COMPLETED
            assert (film.share, idle.calls) == (1.0, 0)


@pytest.fixture
def impatient(monkeypatch):
    """Gateways look at what others do without waiting."""
    for name in ("_LOCK_SECONDS", "_LOOK_SECONDS", "_STOP_LOOK_SECONDS"):
        monkeypatch.setattr(f"chladni_gateway.film.runner.{name}", 0.01)


@pytest.fixture
async def two(tmp_path, impatient):
    """Two gateways that share a folder, both running, and their makers."""
    makers = Maker(), Maker()
    async with (
        running(tmp_path / "films", makers[0]) as first,
        running(tmp_path / "films", makers[1]) as second,
    ):
        yield first, second, *makers


async def test_a_film_that_another_gateway_started_later_is_seen_as_it_gets_on(two, song):
    first, second, maker, idle = two
    request_id = uuid4()
    film_id = (await start(first, song, request_id=request_id)).record.film_id
    await until(lambda: maker.calls)
    (seen,) = await second.list_owned("me")
    assert (seen.record.film_id, seen.record.state, seen.share) == (film_id, FilmState.RUNNING, 0.5)
    assert await second.find(film_id, owner="me") is seen
    assert await start(second, song, request_id=request_id) is seen
    watching = asyncio.create_task(ended(second, seen))
    maker.may_go_on.set()
    async with asyncio.timeout(5):
        assert await watching is FilmState.COMPLETED
    assert second.file(seen, FilmPart.COVER).read_bytes() == b"a song"
    assert (seen.share, idle.calls) == (1.0, 0)


async def test_a_film_is_stopped_resumed_and_removed_through_another_gateway(two, song):
    first, second, maker, idle = two
    film = await start(first, song)
    film_id = film.record.film_id
    await until(lambda: maker.calls)
    assert (await second.cancel(film_id, owner="me")).record.state is FilmState.CANCELLED
    assert (await first.find(film_id, owner="me")).record.state is FilmState.CANCELLED
    await second.resume(film_id, owner="me")
    await until(lambda: idle.calls)
    assert (await first.find(film_id, owner="me")).record.state is FilmState.RUNNING
    await first.delete(film_id, owner="me")
    assert await second.list_owned("me") == await first.list_owned("me") == []
    idle.may_go_on.set()
    next_one = await start(second, song)
    assert await ended(second, next_one) is FilmState.COMPLETED


async def test_a_film_of_a_gateway_that_is_gone_is_made_by_another(tmp_path, song, impatient):
    maker, other = Maker(), Maker()
    other.may_go_on.set()
    async with running(tmp_path / "films", other) as second:
        async with running(tmp_path / "films", maker) as first:
            film_id = (await start(first, song)).record.film_id
            await until(lambda: maker.calls)
            await second._sweep()
            assert not other.calls
        assert await ended(second, await second.find(film_id, owner="me")) is FilmState.COMPLETED


async def test_a_state_that_the_disk_does_not_take_is_not_forgotten(tmp_path, song, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    maker = Maker()
    async with running(tmp_path / "films", maker) as runner:
        film = await start(runner, song)
        await until(lambda: maker.calls)
        with monkeypatch.context() as patched:
            patched.setattr("chladni_gateway.film.store.FilmFolder.write_record", full)
            await runner.cancel(film.record.film_id, owner="me")
            assert (await runner.find(film.record.film_id, owner="me")).record.state is FilmState.CANCELLED
        await runner._sweep()
    assert [record.state for record in FilmStore(tmp_path / "films").records()] == [FilmState.CANCELLED]


async def test_files_that_are_not_whole_go_when_a_film_stops(tmp_path, song):
    maker = Maker()
    maker.error = OSError(28, "No space left on device")
    async with running(tmp_path / "films", maker) as runner:
        film = await start(runner, song)
        await until(lambda: maker.calls)
        folder = FilmStore(tmp_path / "films").folder(film.record.film_id)
        for path in (folder.file(FilmPart.COVER), folder.segment(FilmPart.LOOP, 1)):
            path.with_name(f"{path.name}.partial").write_bytes(b"part")
        folder.segment(FilmPart.LOOP, 0).write_bytes(b"whole")
        maker.may_go_on.set()
        assert await ended(runner, film) is FilmState.FAILED
    assert not list(folder.path.rglob("*.partial"))
    assert folder.segment(FilmPart.LOOP, 0).exists()


async def test_a_film_that_ends_while_its_state_is_sent_is_seen_as_ended(tmp_path, song):
    maker = Maker()
    async with running(tmp_path / "films", maker) as runner:
        film = await start(runner, song)
        await until(lambda: maker.calls)
        states = []
        async for seen in runner.watch(film, interval_seconds=0.0):
            states.append(seen.record.state)
            maker.may_go_on.set()
            await until(lambda: film.record.state is FilmState.COMPLETED)
        assert states == [FilmState.RUNNING, FilmState.COMPLETED]


async def test_a_film_whose_files_are_gone_fails_and_the_next_one_is_made(tmp_path, song):
    maker = Maker()
    async with running(tmp_path / "films", maker) as runner:
        await start(runner, song)
        await until(lambda: maker.calls)
        lost, next_one = await start(runner, song), await start(runner, song)
        FilmStore(tmp_path / "films").folder(lost.record.film_id).remove()
        maker.may_go_on.set()
        assert await ended(runner, lost) is FilmState.FAILED
        assert await ended(runner, next_one) is FilmState.COMPLETED


async def test_a_completed_film_keeps_its_files_alone(tmp_path, song):
    maker = Maker()
    maker.may_go_on.set()
    async with running(tmp_path / "films", maker) as runner:
        film = await start(runner, song)
        await ended(runner, film)
    folder = FilmStore(tmp_path / "films").folder(film.record.film_id)
    assert {path.name for path in folder.path.iterdir()} == {"cover.png", "film.json", "lock"}


def test_folders_that_a_killed_gateway_left_are_removed(tmp_path):
    store = FilmStore(tmp_path)
    left, new, other = tmp_path / str(uuid4()), tmp_path / str(uuid4()), tmp_path / "images"
    for path in (left, new, other):
        path.mkdir()
    for path in (left, other):
        os.utime(path, (0, 0))
    store.remove_left_folders()
    assert {path.name for path in tmp_path.iterdir()} == {new.name, "images"}


def test_the_estimate_leaves_out_what_was_made_before(monkeypatch):
    now = 100.0
    monkeypatch.setattr("chladni_gateway.film.index.time.monotonic", lambda: now)
    progress = Progress()
    progress.move_to(0.5)
    progress.begin_here()
    assert progress.remaining_seconds is None
    progress.move_to(0.6)
    now = 110.0
    progress.move_to(0.8)
    assert progress.remaining_seconds == pytest.approx(10.0)


def test_films_have_a_room_of_bytes(tmp_path, song):
    store = FilmStore(tmp_path / "films", max_bytes=20)
    record = FilmRecord(
        film_id=uuid4(),
        owner="me",
        caller="",
        options=OPTIONS,
        created_at=datetime.now(UTC),
        song_sha256="ab",
    )
    store.add(record, song)
    with pytest.raises(OSError, match="space"):
        store.add(replace(record, film_id=uuid4()), song)
    store.folder(record.film_id).remove()
    store.add(replace(record, film_id=uuid4()), song)


def test_films_that_stopped_without_an_end_make_room_the_longest_stopped_first(tmp_path, song):
    store = FilmStore(tmp_path / "films", max_bytes=8000)
    made = []
    for hour, state in enumerate(("failed", "completed", "cancelled", "running")):
        record = FilmRecord(
            film_id=uuid4(),
            owner=state,
            caller="",
            options=OPTIONS,
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            ended_at=datetime(2026, 1, 1, 9 - hour, tzinfo=UTC),
            song_sha256="ab",
            state=FilmState(state),
        )
        store.add(record, song).file(FilmPart.COVER).write_bytes(bytes(300))
        made.append(record)

    def kept():
        return {record.owner for record in store.records() if record in made}

    new = replace(made[3], owner="new")
    song.write_bytes(bytes(8000))
    with pytest.raises(OSError, match="space"):
        store.add(replace(new, film_id=uuid4()), song)
    assert kept() == {"failed", "completed", "cancelled", "running"}
    used = sum(path.stat().st_size for path in (tmp_path / "films").rglob("*") if path.is_file())
    song.write_bytes(bytes(4000 - used + 1))
    store.add(replace(new, film_id=uuid4()), song)
    assert kept() == {"failed", "completed", "running"}
