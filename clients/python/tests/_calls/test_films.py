"""Films: started, followed over lost connections, fetched in parts and removed."""

from __future__ import annotations

import grpc
import pytest

import chladni_client as chladni
from chladni.gateway.v1alpha1 import film_service_pb2 as film_pb2
from chladni_fakes.scripted_gateway.films import FILES, FILM_ID

LOOP = FILES[film_pb2.FILM_PART_LOOP]


@pytest.fixture
def song(tmp_path):
    path = tmp_path / "A song.flac"
    path.write_bytes(b"fLaC, or so")
    return path


async def test_a_film_is_started_with_its_options(async_client, script, song):
    film = await async_client.create_film(
        song, width_pixels=256, loop_seconds=4.5, look="water", seed=7, parts=["loop"], request_id=FILM_ID
    )
    assert (film.film_id, film.state, film.seed) == (FILM_ID, chladni.FilmState.QUEUED, 7)
    assert script.uploaded == b"fLaC, or so"
    config = script.requests[0]
    assert (config.display_name, config.request_id) == ("A song", FILM_ID)
    assert (config.options.width_pixels, config.options.look) == (256, "water")
    assert not config.options.HasField("height_pixels")
    assert config.options.loop_duration.ToNanoseconds() == 4_500_000_000
    assert list(config.options.parts) == [film_pb2.FILM_PART_LOOP]
    with pytest.raises(FileNotFoundError):
        await async_client.create_film(song.with_name("nothing.flac"))


async def test_a_film_is_followed_to_its_end_over_a_lost_connection(async_client, script, rich_error):
    script.error_after = (1, rich_error(grpc.StatusCode.UNAVAILABLE, "DRAINING"))
    films = [film async for film in async_client.watch_film(FILM_ID)]
    assert [str(film.state) for film in films] == ["running", "running", "completed"]
    assert (films[0].part, films[0].remaining_seconds, films[0].song_seconds) == ("loop", 90.0, 180.0)
    assert {file.part for file in films[-1].files} == {"loop", "cover"}


async def test_a_film_that_failed_says_why(async_client, script):
    script.film_fails = True
    *_, last = [film async for film in async_client.watch_film(FILM_ID)]
    assert last.state is chladni.FilmState.FAILED
    assert last.error.reason


async def test_a_download_goes_on_where_it_was(async_client, script, rich_error, tmp_path):
    script.error_after = (1, rich_error(grpc.StatusCode.UNAVAILABLE, "DRAINING"))
    path = await async_client.download_film(FILM_ID, "loop", tmp_path / "loop.mp4")
    assert path.read_bytes() == LOOP
    assert [request.offset_bytes for request in script.requests] == [0, 10]


async def test_a_download_that_fails_leaves_nothing(async_client, script, rich_error, tmp_path):
    script.error_after = (1, rich_error(grpc.StatusCode.NOT_FOUND, "UNKNOWN_JOB"))
    with pytest.raises(chladni.ChladniError):
        await async_client.download_film(FILM_ID, "loop", tmp_path / "loop.mp4")
    assert not list(tmp_path.iterdir())


def test_a_server_may_say_no_limits_or_make_no_films(client, script, rich_error):
    script.says_film_limits = False
    assert client.film_limits() is None
    script.errors.append(rich_error(grpc.StatusCode.UNIMPLEMENTED, "NOT_IMPLEMENTED"))
    with pytest.raises(chladni.NotOfferedError):
        client.film_limits()


def test_the_other_calls(client):
    assert client.get_film(FILM_ID).state == "running"
    assert [film.state for film in client.list_films()] == ["completed"]
    assert client.film_limits() == chladni.FilmLimits(
        max_song_bytes=200 * 2**20,
        song_seconds=(3.0, 600.0),
        side_pixels=(256, 1024),
        side_step_pixels=64,
        frames_per_second=(6, 30),
        loop_seconds=(3.0, 8.0),
        max_films=8,
        retention_seconds=86400.0,
    )
    assert client.cancel_film(FILM_ID).state == "cancelled"
    assert client.resume_film(FILM_ID).state == "queued"
    assert client.delete_film(FILM_ID) is None
