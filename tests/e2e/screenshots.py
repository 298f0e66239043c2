"""Takes images of the page in its main states, over the real services.

    make screenshots
    python tests/e2e/screenshots.py --widths 390 --schemes dark

Starts the four services on free ports, opens the page in Chromium, makes an image of each sample sound, and
goes through what a visitor may see: the empty page, jobs in progress, the gallery, one image large, two and
several compared, those alike, the recorder and the help, an image that plays, a part of a long recording, the
page of a shared image, music, films and machines. Every state is taken at each width, light and dark:

    build/screenshots/03_gallery_1440_light.png

The fake microphone of Chromium hears one of the samples. Needs Chromium and playwright.
"""

from __future__ import annotations

import argparse
import array
import asyncio
import io
import math
import shutil
import sys
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.async_api import Page, async_playwright, expect

from chladni_local.cluster import LocalCluster

if TYPE_CHECKING:
    from collections.abc import Sequence

REPOSITORY = Path(__file__).parents[2]
SAMPLES = REPOSITORY / "tests" / "fixtures" / "samples"
MACHINES = REPOSITORY / "tests" / "fixtures" / "machines"
DOCUMENTED = REPOSITORY / "services" / "gateway" / "docs"
HEARD_BY_MICROPHONE = SAMPLES / "speech_english.wav"
HEIGHT_PIXELS = {390: 844, 820: 1180, 1440: 900}
USUAL_HEIGHT_PIXELS = 900
JPEG_QUALITY = 82


@dataclass(frozen=True)
class Photographer:
    """Takes a state of the page at several widths, light and dark.

    Attributes:
        page: The page.
        folder: Folder of the screenshots.
        widths_pixels: Widths of the window.
        schemes: Of "light" and "dark".
        is_documenting: Whether those of the README are taken as well.
    """

    page: Page
    folder: Path
    widths_pixels: Sequence[int]
    schemes: Sequence[str]
    is_documenting: bool

    async def take(self, name: str, *, is_whole: bool = False, focus: str | None = None) -> None:
        """Takes a state.

        Args:
            name: Its name, the beginning of the files' names.
            is_whole: Whether the whole page is taken, or the window.
            focus: Selector of what is scrolled to; `None` for the top of the page.
        """
        for width_pixels in self.widths_pixels:
            for scheme in self.schemes:
                await self._look(width_pixels, scheme, focus)
                path = self.folder / f"{name}_{width_pixels}_{scheme}.png"
                await self.page.screenshot(path=path, full_page=is_whole)
                print(path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path)

    async def document(self, name: str, *, focus: str) -> None:
        """Takes the window for the README."""
        if not self.is_documenting:
            return
        await self._look(1440, "light", focus)
        DOCUMENTED.mkdir(exist_ok=True)
        path = DOCUMENTED / f"{name}.jpg"
        await self.page.screenshot(path=path, type="jpeg", quality=JPEG_QUALITY)
        print(path.relative_to(REPOSITORY))

    async def _look(self, width_pixels: int, scheme: str, focus: str | None) -> None:
        height_pixels = HEIGHT_PIXELS.get(width_pixels, USUAL_HEIGHT_PIXELS)
        await self.page.set_viewport_size({"width": width_pixels, "height": height_pixels})
        await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        selector = focus or "body"
        await self.page.locator(selector).evaluate("element => element.scrollIntoView({block: 'start'})")


async def show_jobs(page: Page, camera: Photographer) -> None:
    """Takes the empty page, makes the images, and takes jobs in progress."""
    await expect(page.locator("#limits")).to_contain_text("up to")
    await camera.take("01_empty", is_whole=True)

    samples = sorted(path for path in SAMPLES.iterdir() if path.suffix in {".wav", ".flac", ".ogg", ".mp3"})
    await page.locator("#settings-panel > summary").click()
    for seed, sample in enumerate(samples, start=1):
        await page.locator("#settings [name=seed]").fill(str(seed))
        await page.set_input_files("#file", sample)
        await expect(page.locator(".image-card")).to_have_count(seed)
    await expect(page.locator(".image-card .player__spectrogram:visible")).to_have_count(len(samples))

    await page.locator("#settings [name=steps]").fill("150")
    await page.locator("#settings-panel > summary").click()
    await page.set_input_files("#file", samples[-3:])
    await expect(page.locator("#status")).to_contain_text("Step 3")
    await camera.take("02_working")
    await page.locator("#cancel-all").click()
    await expect(page.locator("#job-panel")).to_be_hidden()
    await page.locator("#settings").evaluate("form => form.reset()")


async def show_gallery(page: Page, camera: Photographer) -> None:
    """Takes the gallery, one image, and the comparisons."""
    await camera.take("03_gallery", is_whole=True)
    await camera.document("page_gallery", focus=".collection")

    await page.locator(".image-card__open").nth(1).click()
    await camera.take("04_sheet")
    await page.keyboard.press("Escape")

    await select(page, 0, 2)
    await page.locator("#compare").click()
    await expect(page.locator("#percentage")).to_contain_text("%")
    await expect(page.locator("#pair .fit, #fit-note:visible").first).to_be_visible()
    await camera.take("05_pair", focus="#comparison")
    await camera.document("page_compare", focus="#comparison")

    await select(page, *range(await page.locator(".image-card").count()))
    await page.locator("#compare").click()
    await expect(page.locator("#matrix")).to_be_visible()
    await camera.take("06_matrix", focus="#comparison")

    await page.locator("#clear-selection").click()
    await select(page, 0)
    await page.locator("#find-alike").click()
    await expect(page.locator("#similar")).to_be_visible()
    await camera.take("07_alike", focus="#comparison")
    await page.locator("#comparison-close").click()
    await page.locator("#clear-selection").click()


async def show_the_rest(page: Page, camera: Photographer) -> None:
    """Takes the recorder, the help, and a refusal beside the settings."""
    await page.locator("#record").click()
    await expect(page.locator("#recorder-time")).to_contain_text("0:03")
    await camera.take("08_recording")
    await page.locator("#recorder-stop").click()
    await expect(page.locator("#recorder-heard")).to_be_visible()
    await expect(page.locator("#take .player__spectrogram")).to_be_visible()
    await camera.take("09_recorded")
    await page.locator("#recorder-discard").click()

    await page.locator("#help-open").click()
    await camera.take("10_help")
    await page.keyboard.press("Escape")

    await page.locator("#settings-panel > summary").click()
    await page.set_input_files(
        "#file", {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no sound"}
    )
    await expect(page.locator(".toast")).to_be_visible()
    await camera.take("11_settings_and_refusal")


async def show_the_stage_and_a_shared_image(page: Page, camera: Photographer) -> None:
    """Takes an image that plays, a part of a long recording, and the page of a shared image."""
    await page.reload()
    await page.get_by_role("button", name="Draw drum loop").click()
    actions = page.locator("#figure-actions")
    await expect(actions).to_be_visible()
    await camera.take("12_finished")
    await camera.document("page_finished", focus="body")
    await actions.get_by_text("Play large").click()
    await expect(page.locator("#stage")).to_have_attribute("data-playing", "")
    await camera.take("13_stage")
    await page.keyboard.press("Escape")

    lecture = {"name": "lecture.wav", "mimeType": "audio/wav", "buffer": long_recording()}
    await page.set_input_files("#file", lecture)
    await expect(page.locator("#part-words")).to_contain_text("of 1:30")
    await camera.take("14_part")
    await page.locator("#part-cancel").click()

    await actions.get_by_text("Share").click()
    await page.locator("#share-with-audio").check()
    await page.locator("#share-make").click()
    await expect(page.locator("#share-public")).to_be_visible()
    await camera.take("15_share")
    here = page.url
    await page.goto(await page.locator("#share-address").input_value())
    await expect(page.locator("#explanation li").first).to_be_visible()
    await camera.take("16_shared", is_whole=True)
    await page.goto(here)


async def show_music_films_and_machines(page: Page, camera: Photographer) -> None:
    """Takes the parts for music, for films and for machines."""
    await page.locator("#parts").get_by_role("link", name="Music").click()
    await page.locator("#view-music").get_by_role("button", name="calm tune").click()
    await expect(page.get_by_role("img", name="as notes")).to_be_visible()
    await expect(page.locator("#music-spectrogram")).to_be_visible()
    await camera.take("17_music", is_whole=True)
    await camera.document("page_music", focus="#music-result")

    await page.locator("#parts").get_by_role("link", name="Film").click()
    await page.locator("#view-films").get_by_role("button", name="drum loop").click()
    await expect(page.locator("#films-song")).to_contain_text("drum_loop.mp3")
    await camera.take("19_film", is_whole=True)

    await page.locator("#parts").get_by_role("link", name="Machines").click()
    await page.locator("#machines-new-name").fill("gearbox")
    await page.set_input_files("#machines-normal", MACHINES / "gearbox_healthy.flac")
    await page.locator("#machines-learn").click()
    await expect(page.locator("#machines-judge")).to_be_visible()
    for name in ("gearbox_healthy.flac", "gearbox_faulty.flac"):
        await page.set_input_files("#machines-file", MACHINES / name)
        await expect(page.locator("#machines-name")).to_have_text(name)
    await page.get_by_role("button", name="Dismiss").click()
    await camera.take("18_machine", is_whole=True)
    await camera.document("page_machine", focus="#machines-result")


def long_recording() -> bytes:
    """Return a WAV of a minute and a half, for which a part must be chosen."""
    rate_hz, seconds = 8000, 90
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        swell = (0.15 + abs(math.sin(index / 40_000)) for index in range(rate_hz * seconds))
        tone = (round(9000 * share * math.sin(index / 7)) for index, share in enumerate(swell))
        file.writeframes(array.array("h", tone).tobytes())
    return buffer.getvalue()


async def select(page: Page, *places: int) -> None:
    """Selects images by their places, the newest first."""
    for place in places:
        await page.locator(".image-card__select input").nth(place).check()


async def photograph(arguments: argparse.Namespace, chromium: str) -> None:
    """Starts everything and takes the screenshots."""
    arguments.output.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=90_000)
    with LocalCluster(folder=arguments.output / "services", ports="free") as cluster:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=chromium,
                args=[
                    "--no-sandbox",
                    "--use-fake-device-for-media-stream",
                    "--autoplay-policy=no-user-gesture-required",
                    f"--use-file-for-fake-audio-capture={HEARD_BY_MICROPHONE}",
                ],
            )
            context = await browser.new_context(permissions=["microphone"], reduced_motion="reduce")
            page = await context.new_page()
            await page.goto(cluster.page_url)
            camera = Photographer(
                page=page,
                folder=arguments.output,
                widths_pixels=arguments.widths,
                schemes=arguments.schemes,
                is_documenting=arguments.document,
            )
            for show in (
                show_jobs,
                show_gallery,
                show_the_rest,
                show_the_stage_and_a_shared_image,
                show_music_films_and_machines,
            ):
                await show(page, camera)
            await browser.close()


def main() -> int:
    """Takes the screenshots; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=REPOSITORY / "build" / "screenshots",
        metavar="FOLDER",
        help="folder for the screenshots (default: build/screenshots)",
    )
    parser.add_argument(
        "--widths",
        type=int,
        nargs="+",
        default=[1440, 820, 390],
        metavar="PIXELS",
        help="widths of the window (default: 1440 820 390)",
    )
    parser.add_argument(
        "--schemes",
        nargs="+",
        choices=["light", "dark"],
        default=["light", "dark"],
        help="colour schemes (default: both)",
    )
    parser.add_argument(
        "--document", action="store_true", help="also take the images of services/gateway/docs"
    )
    arguments = parser.parse_args()
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    chromium = next((path for path in found if path), None)
    if chromium is None:
        print("Error: no Chromium is installed", file=sys.stderr)
        return 1
    asyncio.run(photograph(arguments, chromium))
    return 0


if __name__ == "__main__":
    sys.exit(main())
