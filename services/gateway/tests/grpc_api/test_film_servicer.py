"""Films over gRPC."""

from __future__ import annotations

import grpc
import pytest

from chladni.gateway.v1alpha1 import film_service_pb2 as film_pb2
from chladni.gateway.v1alpha1 import film_service_pb2_grpc as film_grpc
from chladni_contract.errors import Reason
from chladni_contract.metadata import SESSION_TOKEN_KEY
from chladni_contract.status import from_rpc_error
from chladni_gateway.domain.films.options import FilmPart
from chladni_gateway.film.maker import FilmMaker

OTHERS = ((SESSION_TOKEN_KEY, "o" * 43),)
COVER = film_pb2.FilmOptions(parts=[film_pb2.FILM_PART_COVER], seed=7)


@pytest.fixture
def films(gateway, monkeypatch):
    async def make(self, folder, record, report):
        folder.file(FilmPart.COVER).write_bytes(folder.song.read_bytes())
        fields = {name: getattr(record, name) for name in record.__slots__}
        return type(record)(**fields | {"files": (folder.describe(FilmPart.COVER),)})

    monkeypatch.setattr(FilmMaker, "make", make)
    return film_grpc.FilmServiceStub(gateway.channel)


async def create(films, *pieces, metadata=None, **config):
    messages = [
        film_pb2.CreateFilmRequest(config=film_pb2.FilmConfig(**{"options": COVER} | config)),
        *(film_pb2.CreateFilmRequest(content=piece) for piece in pieces),
    ]
    return await films.CreateFilm(iter(messages), metadata=metadata)


async def failure_of(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def test_a_film_from_its_song_to_its_files(films):
    created = await create(films, b"fLaC", b", or so", display_name="A song")
    mine = ((SESSION_TOKEN_KEY, created.session_token),)
    film_id = created.film.film_id
    assert created.film.options.frames_per_second == 12
    events = [
        event async for event in films.WatchFilm(film_pb2.WatchFilmRequest(film_id=film_id), metadata=mine)
    ]
    last = events[-1].film
    assert (last.state, last.display_name, last.progress) == (film_pb2.FILM_STATE_COMPLETED, "A song", 1.0)
    request = film_pb2.DownloadFilmRequest(film_id=film_id, part=film_pb2.FILM_PART_COVER, offset_bytes=4)
    parts = [part async for part in films.DownloadFilm(request, metadata=mine)]
    assert (b"".join(part.content for part in parts), parts[0].total_bytes) == (b", or so", 11)
    listed = await films.ListFilms(film_pb2.ListFilmsRequest(), metadata=mine)
    assert [film.film_id for film in listed.films] == [film_id]
    limits = listed.limits
    assert (limits.min_song_duration.seconds, limits.max_song_duration.seconds) == (3, 600)
    assert (limits.side_pixels.min, limits.side_pixels.max, limits.side_step_pixels) == (256, 1024, 64)
    assert (limits.frames_per_second.min, limits.frames_per_second.max) == (6, 30)
    assert (limits.min_loop_duration.seconds, limits.max_loop_duration.seconds) == (3, 8)
    assert (limits.max_song_bytes, limits.max_films, limits.retention.seconds) == (200 * 2**20, 8, 86400)
    unknown = films.GetFilm(film_pb2.GetFilmRequest(film_id=film_id), metadata=OTHERS)
    assert (await failure_of(unknown)).reason is Reason.UNKNOWN_JOB
    await films.DeleteFilm(film_pb2.DeleteFilmRequest(film_id=film_id), metadata=mine)
    gone = films.GetFilm(film_pb2.GetFilmRequest(film_id=film_id), metadata=mine)
    assert (await failure_of(gone)).reason is Reason.UNKNOWN_JOB


async def test_what_is_wrong_is_named(films):
    options = film_pb2.FilmOptions(width_pixels=100)
    assert (await failure_of(create(films, b"fLaC", options=options))).reason is Reason.INVALID_FIELD
    assert (await failure_of(create(films))).reason is Reason.EMPTY_AUDIO
    assert (await failure_of(create(films, b"a", request_id="7"))).reason is Reason.INVALID_FIELD
