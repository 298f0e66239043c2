"""The page in a real browser, over a real gateway; the services behind it follow a script."""

import io
import math
import re
import shutil
import socket
import struct
import wave
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from chladni_gateway.composition import open_gateway
from chladni_gateway.config import GatewaySettings
from chladni_gateway.testing import scripted_backends
from chladni_runtime.errors import QueueFullError
from chladni_runtime.metrics import new_registry

playwright_api = pytest.importorskip("playwright.async_api")
expect = playwright_api.expect
expect.set_options(timeout=30_000)

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
    pytest.mark.asyncio(loop_scope="module"),
]


def sound(seconds=0.5, pitch_hz=440.0, rate_hz=8000):
    """The bytes of a WAV file with a tone."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate_hz)
        angle = 2 * math.pi * pitch_hz / rate_hz
        writer.writeframes(
            b"".join(
                struct.pack("<h", round(9000 * math.sin(angle * i))) for i in range(int(seconds * rate_hz))
            )
        )
    return file.getvalue()


def file(name="voice.wav", content=None):
    return {"name": name, "mimeType": "audio/wav", "buffer": sound() if content is None else content}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page_backends():
    async with scripted_backends() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address(page_backends, tmp_path_factory):
    settings = GatewaySettings(
        http_port=free_port(),
        image_folder=tmp_path_factory.mktemp("images"),
        audio_features_target=page_backends.servers["audio-features"].target,
        image_generation_target=page_backends.servers["image-generation"].target,
        similarity_target=page_backends.servers["similarity"].target,
        drain_timeout_seconds=1,
    )
    async with open_gateway(settings, new_registry()) as gateway:
        yield f"http://127.0.0.1:{gateway.http_port}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser():
    async with playwright_api.async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        await running.close()


@pytest_asyncio.fixture(loop_scope="module")
async def backends(page_backends):
    await page_backends.reset()
    return page_backends


@pytest.fixture
def open_page(browser, address, backends):
    """Opens the page; on leaving, nothing may have been complained about or fetched from elsewhere."""

    @asynccontextmanager
    async def opener(*, expected_failures=0, **options):
        context = await browser.new_context(**({"reduced_motion": "reduce"} | options))
        page = await context.new_page()
        complaints, strangers = [], []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.on(
            "request",
            lambda request: (
                request.url.startswith(("http:", "https:"))
                and not request.url.startswith(address)
                and strangers.append(request.url)
            ),
        )
        await page.goto(address)
        await expect(page.locator("#limits")).to_contain_text("up to 10 MB")
        yield page
        await context.close()
        assert strangers == []
        assert len(complaints) == expected_failures, complaints

    return opener


async def draw(page, *files, count=None):
    await page.set_input_files("#file", list(files))
    await expect(page.locator(".figure")).to_have_count(count or len(files))


async def test_a_chosen_file_becomes_a_figure_with_steps_and_previews_on_the_way(open_page, backends):
    generation = backends.image_generation
    generation.default_steps, generation.pause_after_step = 8, 4
    generation.may_go_on.clear()
    async with open_page() as page:
        await expect(page.locator("#empty")).to_be_visible()
        await page.set_input_files("#file", file("my voice.wav"))
        await expect(page.locator("#run-title")).to_have_text("my voice.wav")
        await expect(page.locator("#status")).to_have_text("Step 4 of 8.")
        await expect(page.locator('[data-step="paint"]')).to_have_attribute("aria-current", "step")
        await expect(page.locator("#preview")).to_have_attribute("src", beginning_with("data:image/png"))
        await expect(page.locator("#heard dt").first).to_have_text("loudness")
        assert float(await page.locator("#bar").get_attribute("value")) == 0.5
        generation.may_go_on.set()
        figure = page.locator(".figure")
        await expect(figure).to_have_count(1)
        await expect(figure.locator(".figure__name")).to_have_text("my voice.wav")
        await expect(figure.locator(".figure__facts")).to_contain_text("seed 4711 · 8 steps")
        await expect(figure.locator("audio")).to_have_attribute("src", beginning_with("blob:"))
        await expect(page.locator("#preview")).to_have_attribute("src", beginning_with("/api/images/"))
        await expect(page.locator("#status")).to_have_text("Done.")
        await expect(page.locator("#empty")).to_be_hidden()
        image = figure.locator("img")
        assert await image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 512
        async with page.expect_download() as download:
            await figure.get_by_role("link", name="Download").click()
        assert (await download.value).suggested_filename == "my voice-4711.png"


def beginning_with(start):
    return re.compile("^" + re.escape(start))


async def test_files_may_be_dropped_several_at_once(open_page):
    async with open_page() as page:
        await page.evaluate(
            """contents => {
                const transfer = new DataTransfer();
                contents.forEach((bytes, index) =>
                    transfer.items.add(new File([new Uint8Array(bytes)], `dropped ${index}.wav`)));
                const options = { dataTransfer: transfer, bubbles: true, cancelable: true };
                const event = (name) => new DragEvent(name, options);
                document.querySelector("#plate").dispatchEvent(event("dragenter"));
                document.querySelector("#plate").dispatchEvent(event("drop"));
            }""",
            [list(sound(pitch_hz=pitch)) for pitch in (220, 330)],
        )
        await expect(page.locator(".figure__name")).to_have_text(["dropped 1.wav", "dropped 0.wav"])
        await expect(page.locator("#plate")).not_to_have_attribute("data-over", "")


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (file("notes.wav", b"only text, whatever its name says"), "not a recording in WAV, MP3, FLAC or OGG"),
        (file("nothing.wav", b""), "the file is empty"),
        (file("lecture.wav", sound(31)), "31 s is too long; at most 30 s are allowed"),
        (file("blip.wav", sound(0.05)), "too short; at least 0.1 s"),
    ],
)
async def test_a_file_that_cannot_be_used_is_refused_with_the_reason_before_it_is_sent(
    open_page, backends, refused, reason
):
    async with open_page() as page:
        await page.set_input_files("#file", refused)
        toast = page.locator(".toast")
        await expect(toast).to_contain_text(reason)
        await expect(toast).to_contain_text(refused["name"])
        await toast.get_by_role("button", name="Dismiss").click()
        await expect(toast).to_have_count(0)
        await expect(page.locator("#run")).to_be_hidden()
    assert backends.audio_features.requests == []


async def test_a_file_of_too_many_bytes_is_refused_before_it_is_sent(open_page, backends, tmp_path):
    path = tmp_path / "album.wav"
    path.write_bytes(sound() + bytes(10 * 2**20))
    async with open_page() as page:
        await page.set_input_files("#file", path)
        await expect(page.locator(".toast")).to_contain_text("album.wav: the file is over 10 MB, the limit")
    assert backends.audio_features.requests == []


async def test_cancel_stops_the_work_and_leaves_the_page_ready(open_page, backends):
    generation = backends.image_generation
    generation.may_go_on.clear()
    async with open_page() as page:
        await page.set_input_files("#file", file())
        await expect(page.locator("#status")).to_contain_text("Step 1 of")
        await page.get_by_role("button", name="Cancel").click()
        await expect(page.locator("#run")).to_be_hidden()
        await expect(page.locator(".toast")).to_have_count(0)
        for _ in range(500):
            if generation.cancelled == 1:
                break
            await page.wait_for_timeout(10)
        assert (generation.cancelled, generation.running) == (1, 0)
        generation.may_go_on.set()
        await draw(page, file())


async def test_an_error_of_the_server_is_told_and_the_page_goes_on(open_page, backends):
    backends.image_generation.error = QueueFullError("Eight pictures wait already.", retry_after_seconds=2)
    async with open_page() as page:
        await page.set_input_files("#file", file())
        await expect(page.locator(".toast__text")).to_have_text("Eight pictures wait already.")
        backends.image_generation.error = None
        await draw(page, file())


async def test_a_wrong_setting_is_marked(open_page):
    async with open_page(expected_failures=1) as page:
        await page.get_by_text("Settings").click()
        await expect(page.get_by_label("Recipe")).to_have_value("embedded")
        await page.get_by_label("Steps").fill("999")
        await page.set_input_files("#file", file())
        await expect(page.locator(".toast")).to_contain_text("must be from 1 to 150")
        await expect(page.get_by_label("Steps")).to_have_attribute("aria-invalid", "true")
        await page.get_by_label("Steps").fill("3")
        await page.get_by_label("Seed").fill("12")
        await draw(page, file())
        await expect(page.locator(".figure__facts")).to_contain_text("seed 12 · 3 steps")


@pytest.mark.parametrize(
    ("color_scheme", "score", "level"),
    [
        ("light", 0.0, "low"),
        ("light", 0.294, "low"),
        ("light", 0.3, "middle"),
        ("light", 0.7, "middle"),
        ("light", 0.706, "high"),
        ("dark", 0.294, "low"),
        ("dark", 0.5, "middle"),
        ("dark", 0.99, "high"),
    ],
)
async def test_two_figures_are_compared_in_the_color_of_their_level(
    open_page, backends, score, level, color_scheme
):
    backends.similarity.score = score
    async with open_page(color_scheme=color_scheme) as page:
        await draw(page, file("a.wav", sound(pitch_hz=200)), file("b.wav", sound(pitch_hz=300)))
        boxes = page.locator(".figure input")
        await boxes.nth(0).focus()
        await page.keyboard.press("Space")
        await expect(page.locator("#selection-text")).to_have_text("Select one more to compare.")
        await expect(page.get_by_role("button", name="Compare")).to_be_disabled()
        await boxes.nth(1).focus()
        await page.keyboard.press("Space")
        await page.get_by_role("button", name="Compare").click()
        percentage = page.locator("#percentage")
        await expect(percentage).to_have_text(f"{round(score * 100)}%")
        await expect(page.locator("#verdict")).to_have_attribute("data-level", level)
        await expect(page.get_by_role("meter")).to_have_attribute("aria-valuenow", str(round(score * 100)))
        color = await percentage.evaluate("element => getComputedStyle(element).color")
        red, green, blue = (int(value) for value in color.removeprefix("rgb(").rstrip(")").split(","))
        assert {
            "low": red > 1.5 * green,
            "middle": red >= green > 1.4 * blue,
            "high": green > red,
        }[level], color
        captions = page.locator("#comparison figcaption")
        await expect(captions).to_have_text(["Fig. 2, b.wav", "Fig. 1, a.wav"])


async def test_a_third_choice_replaces_the_first(open_page):
    async with open_page() as page:
        await draw(page, *(file(f"{pitch}.wav", sound(pitch_hz=pitch)) for pitch in (200, 300, 400)))
        boxes = page.locator(".figure input")
        for index in range(3):
            await boxes.nth(index).check(force=True)
        assert [await boxes.nth(index).is_checked() for index in range(3)] == [False, True, True]


async def test_a_service_that_goes_and_comes_back_is_told_and_used_again(open_page, backends):
    async with open_page(expected_failures=1) as page:
        await backends.servers["audio-features"].kill()
        await page.set_input_files("#file", file())
        await expect(page.locator(".toast")).to_contain_text("audio-features cannot be reached")
        await backends.servers["audio-features"].start()
        await page.wait_for_timeout(1500)
        await draw(page, file())


async def test_light_and_dark_follow_the_system_until_someone_chooses(open_page):
    async with open_page(color_scheme="dark") as page:
        background = "getComputedStyle(document.body).backgroundColor"
        dark = await page.evaluate(background)
        button = page.locator("#theme")
        await expect(button).to_have_attribute("aria-pressed", "true")
        await button.click()
        light = await page.evaluate(background)
        assert light != dark
        await page.reload()
        assert await page.evaluate(background) == light
        await expect(button).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize("width", [320, 390, 820, 1440])
async def test_nothing_sticks_out_at_any_width(open_page, width):
    async with open_page(viewport={"width": width, "height": 800}) as page:
        names = ("a.wav", f"{'a very long name ' * 8}.wav")
        await draw(page, *(file(name, sound(pitch_hz=len(name) * 20)) for name in names))
        for box in await page.locator(".figure input").all():
            await box.check(force=True)
        await page.get_by_role("button", name="Compare").click()
        await expect(page.locator("#percentage")).to_have_text("50%")
        assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_the_keyboard_reaches_everything_in_order(open_page):
    async with open_page() as page:
        reached = []
        for _ in range(5):
            await page.keyboard.press("Tab")
            reached.append(await page.evaluate("document.activeElement.id || document.activeElement.tagName"))
        assert reached == ["A", "theme", "file", "SUMMARY", "A"]


async def test_the_sand_moves_unless_that_is_not_wanted(open_page):
    pixels = "document.querySelector('#sand').toDataURL()"
    async with open_page(reduced_motion="no-preference") as page:
        before = await page.evaluate(pixels)
        await page.wait_for_timeout(500)
        assert await page.evaluate(pixels) != before
    async with open_page(reduced_motion="reduce") as page:
        before = await page.evaluate(pixels)
        await page.wait_for_timeout(500)
        assert await page.evaluate(pixels) == before
