"""What the tests of the page share: one browser for all of them, and a window of its own for each visitor."""

from __future__ import annotations

import asyncio
import re
import shutil
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import async_playwright, expect

from chladni_fakes import scripted_backends, solid_png
from chladni_fakes.loopback import free_port
from chladni_fixtures.audio import encoded, melody
from chladni_gateway.composition import open_gateway
from chladni_gateway.config import GatewaySettings
from chladni_gateway.domain.films.options import FilmPart
from chladni_gateway.film import encoding, index
from chladni_gateway.film.maker import FilmMaker
from chladni_runtime.server.metrics import new_registry

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MICROPHONE_PITCH_HZ = 440.0

# Each window of Chromium renders two unseen pages of its own, which cost more than the page in test.
UNUSED_FEATURES = "WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup,WebUIOmniboxSimplification"

expect.set_options(timeout=30_000)


def pytest_collection_modifyitems(items):
    """Runs the tests of this folder on one event loop, which is that of the browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if pytest_asyncio.is_async_test(item):
                item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(tmp_path_factory):
    """Chromium, with a microphone that hears a tone for ever."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed; the page is not tested")
    heard = tmp_path_factory.mktemp("microphone") / "heard.wav"
    heard.write_bytes(encoded(melody(2.0, pitch_hz=MICROPHONE_PITCH_HZ, rate_hz=48000), rate_hz=48000))
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                # It would be rendered in software all the same, by way of a driver: Debian asks for that.
                "--disable-gpu",
                f"--disable-features={UNUSED_FEATURES}",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-audio-capture={heard}",
            ],
        )
        yield running
        await running.close()


class Watch:
    """Notes what pages of a window complain about, and what they fetch from elsewhere."""

    def __init__(self, context, address):
        self.complaints = []
        self.strangers = []
        self._address = address
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("console", self._hear)
        context.on("request", self._see)

    def _hear(self, message):
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _see(self, request):
        if request.url.startswith(("http", "ws")) and not request.url.startswith(self._address):
            self.strangers.append(request.url)

    def check(self, expected):
        """Fails for what was fetched from elsewhere, and for complaints that do not match a pattern."""
        unexpected = [text for text in self.complaints if not (expected and re.search(expected, text))]
        assert (unexpected, self.strangers) == ([], [])


@pytest.fixture
def visit(browser):
    """Opens the page for a visitor who has not been there: ``async with visit(address) as page``.

    `complaints` is a pattern of what the browser's console may say; by default nothing.
    """

    @asynccontextmanager
    async def opener(address, *, complaints=None, **options):
        context = await browser.new_context(**({"reduced_motion": "reduce"} | options))
        watch = Watch(context, address)
        page = await context.new_page()
        await page.goto(address)
        await expect(page.locator("#limits")).to_contain_text("up to 10 MB")
        try:
            yield page
            watch.check(complaints)
        finally:
            await context.close()

    return opener


# --- a gateway over services that follow a script ----------------------------------------------------


def _gateway_settings(backends, folder, **overrides):
    values = {
        "http_port": free_port(),
        "image_folder": folder,
        "audio_features_target": backends.servers["audio-features"].target,
        "image_generation_target": backends.servers["image-generation"].target,
        "similarity_target": backends.servers["similarity"].target,
        "drain_timeout_seconds": 0.2,
        "job_retry_seconds": 0,
        "model_listing_seconds": 0,
    }
    return GatewaySettings(**(values | overrides))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_backends():
    async with scripted_backends() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def address(shared_backends, tmp_path_factory):
    """Where the page is, over scripted services."""
    settings = _gateway_settings(shared_backends, tmp_path_factory.mktemp("images"))
    async with open_gateway(settings, new_registry(), draw_seed=lambda: 4711) as gateway:
        yield f"http://127.0.0.1:{gateway.http_port}"


@pytest_asyncio.fixture(loop_scope="session")
async def backends(shared_backends):
    """The scripted services, all running and with nothing remembered."""
    await shared_backends.reset()
    return shared_backends


class OwnGateway:
    """A gateway for one test, which can be stopped and started again at the same address."""

    def __init__(self, settings):
        self.address = f"http://127.0.0.1:{settings.http_port}"
        self._settings = settings
        self._running = AsyncExitStack()

    async def start(self):
        await self._running.enter_async_context(
            open_gateway(self._settings, new_registry(), draw_seed=lambda: 4711)
        )

    async def stop(self):
        await self._running.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def own_gateway(backends, tmp_path):
    """Starts a gateway with other settings than the default ones."""
    async with AsyncExitStack() as stack:

        async def opener(**overrides):
            gateway = OwnGateway(_gateway_settings(backends, tmp_path / "images", **overrides))
            await gateway.start()
            stack.push_async_callback(gateway.stop)
            return gateway

        yield opener


@pytest_asyncio.fixture(loop_scope="session")
async def page(visit, address, backends):
    """The page, open for a new visitor, over scripted services."""
    async with visit(address) as page:
        yield page


class ScriptedFilms:
    """What makes films in these tests: small files, each once it may.

    Attributes:
        may_go_on: Cleared, a film stops after its cover.
        error: What a film fails with; `None` for nothing.
    """

    def __init__(self, files):
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.error = None
        self._files = files

    async def make(self, folder, record, report):
        progress = Progress()
        files = []
        for share, part in ((0.1, FilmPart.COVER), (0.42, FilmPart.LOOP), (0.7, FilmPart.VISUALIZER)):
            if part not in record.options.parts:
                continue
            progress.part = part
            progress.move_to(share)
            progress.remaining_seconds = 310.5
            record = replace(record, song_seconds=4.0, files=tuple(files))
            report(record, progress)
            if part is not FilmPart.COVER:
                await self.may_go_on.wait()
            if self.error is not None:
                raise self.error
            folder.file(part).write_bytes(self._files[part])
            files.append(folder.describe(part))
        return replace(record, files=tuple(files))


class Progress(index.Progress):
    """Progress whose time left is what a test says."""

    remaining_seconds = None


@pytest.fixture(scope="session")
def film_files(tmp_path_factory):
    """The files of a film of black frames, by their parts."""
    folder = tmp_path_factory.mktemp("film")
    song, sound, segment, film = (folder / name for name in ("song.wav", "sound.m4a", "0.mp4", "film.mp4"))
    song.write_bytes(encoded(melody(2.0)))
    encoding.extract_audio(song, sound, 2.0)
    writer = encoding.SegmentWriter(segment, width_pixels=256, height_pixels=256, frames_per_second=12)
    for _ in range(24):
        writer.write(np.zeros((256, 256, 3), np.uint8))
    writer.close()
    encoding.join([segment], sound, film, frames_per_second=12, metadata={})
    moving = film.read_bytes()
    return {
        FilmPart.COVER: solid_png(64, 64, (184, 122, 60)),
        FilmPart.LOOP: moving,
        FilmPart.VISUALIZER: moving,
    }


@pytest.fixture
def films(monkeypatch, film_files):
    """What makes films, by a script."""
    scripted = ScriptedFilms(film_files)
    monkeypatch.setattr(FilmMaker, "make", lambda _maker, *arguments: scripted.make(*arguments))
    return scripted


# --- what visitors have and do -----------------------------------------------------------------------


@pytest.fixture
def clip():
    """Makes a file to upload: a WAV of some notes of one pitch."""

    def make(name="voice.wav", *, pitch_hz=440.0, seconds=0.5):
        content = encoded(melody(seconds, pitch_hz=pitch_hz))
        return {"name": name, "mimeType": "audio/wav", "buffer": content}

    return make


@pytest.fixture
def draw():
    """Chooses recordings on a page and waits until each has become an image."""

    async def drawing(page, *files):
        cards = page.locator(".image-card")
        before = await cards.count()
        await page.set_input_files("#file", list(files))
        await expect(cards).to_have_count(before + len(files))

    return drawing


@pytest.fixture
def select():
    """Selects images by their places, the newest first."""

    async def selecting(page, *places):
        boxes = page.locator(".image-card__select input")
        for place in places:
            await boxes.nth(place).check()

    return selecting


@pytest.fixture
def eventually():
    """Waits until a condition, asynchronous or not, holds; fails after thirty seconds."""

    async def wait(condition):
        async with asyncio.timeout(30):
            while True:
                result = condition()
                if await result if asyncio.iscoroutine(result) else result:
                    return
                await asyncio.sleep(0.01)

    return wait
