"""axe, finds nothing wrong in any state of the page, light and dark, at three widths."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from playwright.async_api import expect

from chladni_contract.errors import Reason, UnavailableError
from chladni_fakes import families

AXE_VERSION = "4.14.1"
AXE_SHA256 = "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745"
TOOLS = Path(__file__).parents[2] / "build" / "tools"
WIDTHS_PIXELS = (390, 820, 1440)
SCHEMES = ("light", "dark")
ALL_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OF_COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
# Elements and roles are the same at a width that shows nothing new; where things are is not, nor are names,
# of which a part may be hidden.
OF_PLACES = {"type": "rule", "values": ["target-size", "scrollable-region-focusable"]}
OF_NAMES = {
    "type": "rule",
    "values": ["button-name", "link-name", "label", "select-name", "summary-name", "empty-heading"],
}
OF_A_WIDTH = {"type": "rule", "values": [*OF_COLOURS["values"], *OF_PLACES["values"], *OF_NAMES["values"]]}
# The places among all elements of those that are seen.
VISIBLE = """() => [...document.querySelectorAll("body *")].flatMap((element, place) =>
    element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) ? [place] : [])"""
# Contrasts with a gradient are not computed; this is the end of it that text stands out from least.
FLATTEN = "document.body.style.background = 'light-dark(var(--paper), var(--paper-raised))'"
# The bar lies over whatever is scrolled below it, and which target that is depends on chance.
UNSTICK = "document.querySelector('.selection')?.style.setProperty('position', 'static')"
# The elements that pass are not written out, which takes as long as looking at them. Style sheets are fetched
# once for each state: the rules that need them depend on no width.
RUN_AXE = """async ([rules, preload]) => {
    const options = { runOnly: rules, preload, resultTypes: ["violations"] };
    const { violations, passes } = await axe.run(document, options);
    return {
        violations: violations.flatMap(({ id, nodes }) =>
            nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 120)}: ${failureSummary}`)),
        passes: passes.length,
    };
}"""


@pytest.fixture(scope="session")
def axe_source():
    """The checker's source, which npm gets once."""
    archive = TOOLS / f"axe-core-{AXE_VERSION}.tgz"
    if not archive.exists():
        fetch(archive)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert digest == AXE_SHA256, f"{archive} is not what was published; delete it"
    with tarfile.open(archive) as package:
        return package.extractfile("package/axe.min.js").read().decode()


def fetch(archive):
    package = f"axe-core@{AXE_VERSION}"
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"no npm to get {package} with; accessibility is not tested")
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        command = [npm, "pack", package, "--silent", "--pack-destination", folder]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=60)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"npm could not get {package}; accessibility is not tested ({type(error).__name__})")
        # At once, so that no other process of tests sees a part of it.
        Path(folder, archive.name).replace(archive)


class Checker:
    """Runs axe on a page at several widths, and keeps what it found."""

    def __init__(self, page, source):
        self.found = []
        self._page = page
        self._source = source

    async def check(self, state, *, only_colours=False):
        """Look at a state; at its colours alone if the elements are those of a state before it."""
        # A page that was opened again does not have it any more.
        if not await self._page.evaluate("'axe' in window"):
            await self._page.evaluate(self._source)
            await self._page.evaluate(FLATTEN)
            await self._page.evaluate(UNSTICK)
        for color_scheme in SCHEMES:
            seen = set()
            for width in WIDTHS_PIXELS:
                await self._page.emulate_media(color_scheme=color_scheme)
                await self._page.set_viewport_size({"width": width, "height": 900})
                visible = set(await self._page.evaluate(VISIBLE))
                shows_more = not visible <= seen
                seen |= visible
                # Elements, names and places are the same in the dark, where only colours differ.
                if color_scheme == "dark" or only_colours:
                    if shows_more:
                        await self._run(OF_COLOURS, f"{state}, {color_scheme}, {width}")
                else:
                    await self._run(
                        ALL_RULES if shows_more else OF_A_WIDTH,
                        f"{state}, {color_scheme}, {width}",
                        preload=width == WIDTHS_PIXELS[0],
                    )

    async def _run(self, rules, place, *, preload=False):
        result = await self._page.evaluate(RUN_AXE, [rules, preload])
        assert result["passes"] > 0, "axe looked at nothing"
        self.found += [f"{place}: {text}" for text in result["violations"]]


async def test_axe_finds_what_is_wrong(page, axe_source):
    await page.evaluate("document.querySelector('#theme').replaceChildren()")
    await page.evaluate("document.querySelector('h1').style.color = 'light-dark(#ddd, #333)'")
    checker = Checker(page, axe_source)
    await checker.check("broken")
    found = Counter((text.split(", ")[1], text.split(": ")[1]) for text in checker.found)
    assert found["light", "button-name"] == found["light", "color-contrast"] == len(WIDTHS_PIXELS)
    # In the dark, the other widths are looked at if they show more.
    assert 1 <= found["dark", "color-contrast"] <= len(WIDTHS_PIXELS)


async def test_a_width_that_shows_more_is_looked_at_in_the_dark_too(page, axe_source):
    await page.evaluate("document.querySelector('h1').style.color = 'light-dark(#111, #333)'")
    await page.evaluate(
        """() => {
            const sheet = [...document.styleSheets].at(-1);
            sheet.insertRule("@media (width < 1000px) { h1 { display: none } }", sheet.cssRules.length);
        }"""
    )
    checker = Checker(page, axe_source)
    await checker.check("broken")
    found = [text for text in checker.found if "color-contrast:" in text]
    assert [text.partition(":")[0] for text in found] == [f"broken, dark, {WIDTHS_PIXELS[-1]}"]


async def test_axe_finds_nothing_in_the_collection(visit, address, backends, clip, draw, select, axe_source):
    async with visit(address) as page:
        checker = Checker(page, axe_source)
        await checker.check("empty")
        await draw(page, *(clip(f"{hz}.wav", pitch_hz=hz) for hz in (200, 300, 400)))
        await expect(page.locator(".image-card .player__spectrogram:visible")).to_have_count(3)
        await select(page, 0, 1)
        for score in (0.1, 0.5, 0.9):
            backends.similarity.score = score
            await page.locator("#compare").click()
            await expect(page.locator("#percentage")).to_have_text(f"{round(score * 100)}%")
            await expect(page.locator("#pair .fit")).to_have_count(4)
            await checker.check(f"gallery and pair at {score}", only_colours=score != 0.1)
        await select(page, 2)
        await page.locator("#compare").click()
        await expect(page.locator("#matrix")).to_be_visible()
        await checker.check("matrix")
        await page.locator("#clear-selection").click()
        await select(page, 0)
        await page.locator("#find-alike").click()
        await expect(page.locator("#similar")).to_be_visible()
        await checker.check("alike")
        await page.locator(".image-card__open").first.click()
        await page.get_by_text("How it was made").click()
        await expect(page.locator("#viewer-fit .fit")).to_be_visible()
        await checker.check("sheet")
        await page.keyboard.press("Escape")
        await page.locator("#help-open").click()
        await checker.check("help")
        assert checker.found == []


async def test_axe_finds_nothing_at_the_start(visit, address, backends, clip, select, axe_source):
    async with visit(address, permissions=["microphone"]) as page:
        checker = Checker(page, axe_source)
        backends.image_generation.pause_after_step = 2
        backends.image_generation.may_go_on.clear()
        await page.locator("#settings-panel > summary").click()
        files = [clip(f"{hz}.wav", pitch_hz=hz) for hz in (200, 300, 400, 500)]
        await page.set_input_files("#file", files)
        await expect(page.locator("#preview")).to_be_visible()
        await checker.check("working")
        await page.locator("#cancel-all").click()
        await expect(page.locator("#job-panel")).to_be_hidden()
        await page.locator("#record").click()
        await expect(page.locator("#level")).to_have_attribute("aria-valuetext", "-20 decibels")
        await checker.check("recording")
        await page.locator("#recorder-stop").click()
        await expect(page.locator("#take .player__spectrogram")).to_be_visible()
        await checker.check("recorded")
        await page.locator("#recorder-discard").click()
        await backends.servers["image-generation"].kill()
        await page.set_input_files("#file", files[0])
        await expect(page.locator("#notice")).to_be_visible()
        await page.set_input_files("#file", clip("notes.txt") | {"buffer": b"no sound"})
        await expect(page.locator(".toast")).to_have_count(2)
        await checker.check("trouble")
        assert checker.found == []


async def test_axe_finds_nothing_in_proofs_and_deletions(visit, address, backends, clip, draw, axe_source):
    async with visit(address) as page:
        checker = Checker(page, axe_source)
        await draw(page, clip())
        await page.locator(".image-card").get_by_role("button", name="Reproduce").click()
        await page.get_by_role("button", name="Look at both").click()
        await expect(page.locator("#proof")).to_be_visible()
        await checker.check("proof")
        await page.locator(".image-card").get_by_role("button", name="Delete").click()
        await expect(page.locator(".toast").get_by_role("button", name="Undo")).to_be_visible()
        await checker.check("deleted")
        assert checker.found == []


async def test_axe_finds_nothing_among_the_recipes(visit, address, backends, clip, axe_source):
    backends.audio_features.models.append(families.clap())
    backends.image_generation.models += [
        families.broken(families.audioldm()), families.stable_diffusion(), families.stable_diffusion_xl(),
    ]  # fmt: skip
    async with visit(address) as page:
        checker = Checker(page, axe_source)
        await page.locator("#settings-panel > summary").click()
        for name in ("latent-noise", "music-prompts", "audioldm"):
            await page.get_by_role("radio", name=name).check()
            await checker.check(name)
        # A job that is done keeps no drafts: the page must see this one while the job runs.
        backends.image_generation.may_go_on.clear()
        await page.set_input_files("#file", clip())
        await expect(page.locator("#draft")).to_be_visible()
        backends.image_generation.may_go_on.set()
        await expect(page.locator(".image-card")).to_have_count(1)
        await expect(page.locator("#fallback")).to_be_visible()
        await checker.check("another way")
        await page.locator(".image-card__open").click()
        await page.get_by_text("How it was made").click()
        await checker.check("sheet of another way")
        assert checker.found == []


async def test_axe_finds_nothing_on_the_stage_among_parts_music_and_machines(
    visit, address, backends, clip, draw, axe_source
):
    async with visit(address) as page:
        checker = Checker(page, axe_source)
        await draw(page, clip())
        await page.locator("#figure-actions").get_by_text("Play large").click()
        await expect(page.locator("#stage")).to_have_attribute("data-playing", "")
        await checker.check("stage")
        await page.keyboard.press("Escape")
        await page.set_input_files("#file", clip("long.wav", seconds=31))
        await expect(page.locator("#part-words")).to_contain_text("0:31")
        await checker.check("part of a long recording")
        await page.locator("#part-cancel").click()
        await page.get_by_role("link", name="Music").click()
        await expect(page.get_by_role("button", name="calm tune", exact=True)).to_be_visible()
        await page.set_input_files("#music-file", clip())
        await expect(page.get_by_role("img", name="as notes")).to_be_visible()
        await page.get_by_text("As ABC", exact=True).click()
        await checker.check("music")
        await page.get_by_role("link", name="Machines").click()
        await expect(page.locator("#machines-none")).to_be_visible()
        await checker.check("no machine")
        await page.locator("#machines-new-name").fill("pump")
        await page.set_input_files("#machines-normal", clip())
        await page.get_by_role("button", name="Learn what is normal").click()
        await expect(page.locator("#machines-machine")).to_have_value("pump")
        for name in ("a.wav", "b.wav"):
            await page.set_input_files("#machines-file", clip(name))
            await expect(page.locator("#machines-name")).to_have_text(name)
        await page.get_by_text("As a table").click()
        await checker.check("machine")
        assert checker.found == []


async def test_axe_finds_nothing_among_films(visit, address, backends, films, clip, axe_source):
    async with visit(address) as page:
        checker = Checker(page, axe_source)
        await page.get_by_role("link", name="Film", exact=True).click()
        await page.get_by_role("button", name="Make the film").click()
        await expect(page.locator("#films-refusal")).to_be_visible()
        await checker.check("no song")
        films.may_go_on.clear()
        await page.set_input_files("#films-file", clip("song.wav", seconds=4))
        await expect(page.locator("#films-song")).to_be_visible()
        await page.get_by_role("button", name="Make the film").click()
        await expect(page.locator(".film__status")).to_contain_text("42 % done")
        await checker.check("film in progress")
        films.error = UnavailableError(Reason.BACKEND_UNAVAILABLE, "Image generation does not answer.")
        films.may_go_on.set()
        await expect(page.locator(".film__fault")).to_be_visible()
        await checker.check("failed film")
        films.error = None
        await page.get_by_role("button", name="Go on").click()
        await expect(page.locator(".film video")).to_have_count(2)
        await checker.check("film")
        assert checker.found == []
