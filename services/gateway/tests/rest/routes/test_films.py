"""Films over REST."""

from __future__ import annotations

import asyncio
import json

import pytest

from chladni_gateway.domain.films.options import FilmPart
from chladni_gateway.film.index import Progress
from chladni_gateway.film.maker import FilmMaker
from chladni_gateway.rest.routes.films.bodies import LIST_EXAMPLE


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
        assert whole.headers["content-disposition"] == 'inline; filename="song-cover.png"'
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
        assert (await http.get("/api/v1/films")).json()["films"] == []


async def test_the_limits_are_there_before_a_song_is_sent(maker, gateway):
    async with gateway.browser() as http:
        limits = (await http.get("/api/v1/films")).json()["limits"]
    assert limits == LIST_EXAMPLE["limits"]


async def begin(settings, head, body=b""):
    """Send the beginning of a request whose body never ends; return the status and the error."""
    reader, writer = await asyncio.open_connection("127.0.0.1", settings.http_port)
    writer.write(b"POST /api/v1/films HTTP/1.1\r\nHost: 127.0.0.1\r\n" + head + b"\r\n" + body)
    async with asyncio.timeout(10):
        answer = await reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        error = json.loads(await reader.readexactly(length))["error"]
    writer.close()
    await writer.wait_closed()
    return int(answer.split()[1]), error


FORM = b"Content-Type: multipart/form-data; boundary=b\r\n"
FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="song.flac"\r\n\r\nfLaC'


async def test_a_song_that_announces_too_much_is_refused_before_it_is_sent(maker, gateway):
    status, error = await begin(gateway.settings, FORM + b"Content-Length: 300000000\r\n")
    assert (status, error["code"]) == (400, "FILE_TOO_LARGE")
    assert error["message"].startswith("file is larger than 200 MiB, the limit of large files")


async def test_a_song_of_unknown_length_is_cut_off_at_the_limit(maker, open_gateway_with):
    async with open_gateway_with(max_audio_bytes=100_000, max_upload_bytes=100_000) as gateway:
        piece = FILE + bytes(150_000)
        chunk = b"%x\r\n%s\r\n" % (len(piece), piece)
        status, error = await begin(gateway.settings, FORM + b"Transfer-Encoding: chunked\r\n", chunk)
    assert (status, error["code"], error["metadata"]["max_bytes"]) == (400, "FILE_TOO_LARGE", "100000")


@pytest.mark.parametrize(("name", "value"), [("width_pixels", b"100"), ("parts", b"sound")])
async def test_options_before_the_song_are_refused_before_it_has_come(maker, gateway, name, value):
    option = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value)
    status, error = await begin(gateway.settings, FORM + b"Content-Length: 1000000\r\n", option + FILE)
    assert status == 400
    assert name in error["message"]


async def test_one_film_too_many_is_refused_before_its_song_has_come(maker, open_gateway_with):
    maker.clear()
    async with open_gateway_with(max_films_per_session=1) as gateway, gateway.browser() as http:
        request_id = "6f1c2f0e-6a3f-4a51-9c7e-0d6e1f2a3b4c"
        first = (await start(http, parts="cover", seed=1)).json()
        cookie = "; ".join(f"{name}={value}" for name, value in http.cookies.items())
        head = FORM + f"Cookie: {cookie}\r\nContent-Length: 1000000\r\n".encode()
        status, error = await begin(gateway.settings, head, FILE)
        assert (status, error["code"]) == (429, "QUEUE_FULL")
        assert (await http.delete(f"/api/v1/films/{first['film_id']}")).status_code == 204
        # What may be the repetition of a request is looked at as a whole.
        named = (await start(http, parts="cover", seed=1, request_id=request_id)).json()
        again = (await start(http, parts="cover", seed=1, request_id=request_id)).json()
        assert again["film_id"] == named["film_id"]
        assert (await start(http, parts="cover")).status_code == 429
