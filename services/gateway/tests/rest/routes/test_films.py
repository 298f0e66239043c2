"""Films over REST."""

from __future__ import annotations

import asyncio
import json

import pytest

from chladni_gateway.domain.films.options import FilmPart
from chladni_gateway.film.maker import FilmMaker
from chladni_gateway.film.runner import Progress


@pytest.fixture
def maker(monkeypatch):
    """Makes a cover of the bytes of the song, once it may."""
    may_end = asyncio.Event()
    may_end.set()

    async def make(self, folder, record, report):
        progress = Progress()
        progress.part = FilmPart.COVER
        progress.move_to(0.5)
        report(record, progress)
        await may_end.wait()
        folder.file(FilmPart.COVER).write_bytes(folder.song.read_bytes())
        fields = {name: getattr(record, name) for name in record.__slots__}
        return type(record)(**fields | {"files": (folder.describe(FilmPart.COVER),)})

    monkeypatch.setattr(FilmMaker, "make", make)
    return may_end


async def start(http, content=b"fLaC, or so", **fields):
    return await http.post("/api/v1/films", files={"file": ("song.flac", content)}, data=fields)


async def watch(http, film_id):
    text = (await http.get(f"/api/v1/films/{film_id}/events")).text
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


async def test_a_film_from_its_song_to_its_files(maker, gateway):
    async with gateway.browser() as http:
        started = await start(http, parts="cover", seed=7)
        assert started.status_code == 202, started.text
        film = started.json()
        assert started.headers["location"] == f"/api/v1/films/{film['film_id']}"
        assert (film["display_name"], film["seed"]) == ("song.flac", 7)
        last = (await watch(http, film["film_id"]))[-1]
        assert (last["state"], last["progress"]) == ("completed", 1.0)
        (file,) = last["files"]
        assert (file["part"], file["content_type"]) == ("cover", "image/png")
        whole = await http.get(file["url"])
        assert (whole.content, whole.headers["content-type"]) == (b"fLaC, or so", "image/png")
        part = await http.get(file["url"], headers={"Range": "bytes=4-"})
        assert (part.status_code, part.content) == (206, b", or so")
        assert (await http.get(f"/api/v1/films/{film['film_id']}/files/loop")).status_code == 404
        assert (await http.get(f"/api/v1/films/{film['film_id']}/files/sound")).status_code == 400
        assert [item["state"] for item in (await http.get("/api/v1/films")).json()["films"]] == ["completed"]


async def test_a_film_is_stopped_resumed_and_removed_by_its_owner_alone(maker, gateway):
    maker.clear()
    async with gateway.browser() as http, gateway.browser() as other:
        path = (await start(http, parts="cover")).headers["location"]
        assert (await other.get(path)).status_code == 404
        assert (await other.delete(path)).status_code == 404
        assert (await http.post(f"{path}/cancel")).json()["state"] == "cancelled"
        assert (await http.post(f"{path}/resume")).json()["state"] == "queued"
        assert (await http.delete(path)).status_code == 204
        assert (await http.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"width_pixels": 100}, "width_pixels"),
        ({"parts": "sound"}, "parts"),
        ({"start_seconds": 3}, "start_seconds"),
        ({"loop_seconds": 60}, "loop"),
    ],
)
async def test_wrong_options_are_refused(maker, gateway, fields, named):
    async with gateway.browser() as http:
        refused = await start(http, **fields)
        assert refused.status_code == 400
        assert named in refused.text


async def test_a_song_without_bytes_is_refused(maker, gateway):
    async with gateway.browser() as http:
        refused = await start(http, b"")
        assert (refused.status_code, refused.json()["error"]["reason"]) == (400, "EMPTY_AUDIO")
        assert (await http.get("/api/v1/films")).json() == {"films": []}
