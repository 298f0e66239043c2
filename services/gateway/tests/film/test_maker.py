"""A small film from beginning to end, of images that a fake makes of what it is asked for."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import uuid4

import av
import numpy as np
import pytest
import soundfile
from PIL import Image as PillowImage

from chladni_contract.errors import FaultError
from chladni_gateway.domain.events import Completed
from chladni_gateway.domain.films.options import FilmOptions, FilmPart
from chladni_gateway.domain.films.record import FilmRecord
from chladni_gateway.domain.films.song import SongProgress
from chladni_gateway.domain.images import Image
from chladni_gateway.film.flashes import count_flashes
from chladni_gateway.film.maker import FilmMaker
from chladni_gateway.film.store import FilmStore

SONG_SECONDS = 9.0


class Server:
    """Draws the segments of a window as stripes."""

    def __init__(self):
        self.requests = []
        self.fail_after = None

    async def generate(self, generation, deadline):
        self.requests.append(generation)
        if self.fail_after is not None and len(self.requests) > self.fail_after:
            raise ValueError("the server is gone")
        width, height = generation.settings.width_pixels, generation.settings.height_pixels
        window = generation.conditioning.course_window
        x = (np.arange(width) + 0.5) / width
        stripes = np.full(width, 80.0)
        if window is not None:
            distances = np.abs(x[:, None] - window.centers)
            stripes = 60 + 120 * window.course[distances.argmin(axis=1), 0] * (distances.min(axis=1) < 0.02)
        pixels = np.repeat(np.tile(stripes, (height, 1))[:, :, None], 3, axis=2).astype(np.uint8)
        buffer = io.BytesIO()
        PillowImage.fromarray(pixels).save(buffer, "PNG")
        yield Completed(Image(buffer.getvalue(), "image/png", width, height), SimpleNamespace())


class Analyzer:
    def __init__(self, song):
        self.song = song

    async def analyze_song(self, pieces, deadline):
        assert b"".join([piece async for piece in pieces]).startswith(b"fLaC")
        yield SongProgress(0.5)
        yield self.song


class Processes:
    def run(self, function, *args, token=None):
        return function(*args)


@pytest.fixture
def film(tmp_path, make_song, monkeypatch):
    monkeypatch.setattr(
        "chladni_gateway.film.maker.MODELS",
        SimpleNamespace(select=lambda *_: SimpleNamespace(image=SimpleNamespace(name="model"))),
    )
    monkeypatch.setattr("chladni_gateway.film.planning._SEGMENT_SECONDS", 2.0)
    path = tmp_path / "song.flac"
    times = np.arange(round(SONG_SECONDS * 22050)) / 22050
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 330 * times), 22050)
    server = Server()

    async def cached(_deadline):
        return None

    maker = FilmMaker(
        analyzer=Analyzer(make_song(SONG_SECONDS)),
        servers_of=lambda _model: [server],
        catalog=SimpleNamespace(cached=cached),
        processes=Processes(),
    )

    def record(*parts):
        return FilmRecord(
            film_id=uuid4(),
            owner="me",
            caller="",
            options=FilmOptions(seed=7, width_pixels=64, height_pixels=64, loop_seconds=3.0, parts=parts),
            created_at=datetime.now(UTC),
            song_sha256="0" * 64,
            display_name="A song",
        )

    return SimpleNamespace(
        maker=maker, server=server, record=record, song=path, store=FilmStore(tmp_path / "films")
    )


def frames_of(path):
    with av.open(str(path)) as opened:
        return [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]


async def make(film, record, folder=None):
    folder = folder or film.store.add(record, film.song)
    shares = []
    made = await film.maker.make(folder, record, lambda _record, progress: shares.append(progress.share))
    return folder, made, shares


async def test_a_film_is_as_long_as_its_song_and_has_its_sound(film):
    folder, made, shares = await make(film, film.record(FilmPart.VISUALIZER, FilmPart.COVER))
    assert {file.part for file in made.files} == {FilmPart.VISUALIZER, FilmPart.COVER}
    frames = frames_of(folder.file(FilmPart.VISUALIZER))
    assert len(frames) == round(SONG_SECONDS * 12)
    assert count_flashes(frames, 12) <= 3
    with av.open(str(folder.file(FilmPart.VISUALIZER))) as opened:
        assert sum(frame.samples for frame in opened.decode(audio=0)) / 48000 == pytest.approx(
            SONG_SECONDS, abs=0.05
        )
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    assert not folder.segment(FilmPart.VISUALIZER, 0).exists()


async def test_a_film_that_was_interrupted_has_the_same_frames(film):
    record = film.record(FilmPart.VISUALIZER)
    whole, _, _ = await make(film, record)
    expected = frames_of(whole.file(FilmPart.VISUALIZER))
    again = film.record(FilmPart.VISUALIZER)
    film.server.requests.clear()
    film.server.fail_after = 40
    with pytest.raises(FaultError):
        await make(film, again)
    folder = film.store.folder(again.film_id)
    assert folder.segment(FilmPart.VISUALIZER, 1).exists()
    film.server.fail_after = None
    film.server.requests.clear()
    await make(film, again, folder)
    assert len(film.server.requests) < 45
    frames = frames_of(folder.file(FilmPart.VISUALIZER))
    assert len(frames) == len(expected)
    assert all(np.array_equal(one, other) for one, other in zip(frames, expected, strict=True))


async def test_the_seam_of_a_loop_is_like_any_other_step(film, monkeypatch):
    monkeypatch.setattr("chladni_gateway.film.planning.LOOP_SIZE", (72, 128))
    monkeypatch.setattr("chladni_gateway.film.planning._LOOP_RENDER_SIZE", (64, 112))
    folder, _, _ = await make(film, film.record(FilmPart.LOOP))
    frames = np.array(frames_of(folder.file(FilmPart.LOOP))).astype(float)
    assert 3 * 24 <= len(frames) <= 8 * 24
    steps = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
    seam = np.abs(frames[0] - frames[-1]).mean()
    assert seam <= max(np.median(steps) * 1.5, np.percentile(steps, 95))


async def test_keys_are_asked_for_with_batch_priority_and_one_seed(film):
    await make(film, film.record(FilmPart.VISUALIZER))
    settings = [request.settings for request in film.server.requests]
    assert {str(item.priority) for item in settings} == {"batch"}
    assert {item.seed for item in settings} == {7}
    assert len(settings) == round(SONG_SECONDS * 6) + 1
