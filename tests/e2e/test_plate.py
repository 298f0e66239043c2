"""The plate: sounds to try, what to do with a finished image, the image that is played, and Back."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

from playwright.async_api import expect

import chladni_gateway

SAMPLES = Path(chladni_gateway.__file__).parent / "web" / "samples"
# Three strokes of noise in a second and a half, and quiet between them.
STROKES = """async () => {
    const { measure } = await import("/static/scripts/play/onsets.js");
    const samples = new Float32Array(16500);
    for (const at of [2000, 7000, 12000])
        for (let i = 0; i < 1500; i += 1) samples[at + i] = Math.sin(i * i) * Math.exp(-i / 400);
    return measure(samples, 11025).onsets.map(({ seconds }) => seconds);
}"""


ANOTHER_IMAGE_AND_LATE_NEWS = """stage => {
    const before = stage.querySelector("audio");
    stage.close();
    document.querySelector('.image-card [aria-label^="Play large: Fig. 2"]').click();
    before.dispatchEvent(new Event("play"));
}"""
TWO_FRAMES = "return new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)));"


def test_every_sample_is_there_small_and_of_the_model_that_is_named():
    manifest = json.loads((SAMPLES / "samples.json").read_text())
    named = {sample[kind] for sample in manifest["samples"] for kind in ("audio", "image")}
    named |= {machine["audio"] for machine in manifest["machines"]}
    assert named == {path.name for path in SAMPLES.iterdir()} - {"samples.json"}
    assert manifest["model"]
    offered = (SAMPLES.parent / "index.html").read_text(encoding="utf-8")
    for sample in manifest["samples"]:
        assert f'data-audio="{sample["audio"]}" data-seed="{sample["seed"]}"' in offered
        assert (
            f'aria-label="Draw {sample["title"]}"><img class="sample__image" src="/static/samples/' in offered
        )
    assert 6 <= len(manifest["samples"]) <= 8
    assert all((SAMPLES / sample["image"]).stat().st_size < 20_000 for sample in manifest["samples"])
    assert sum(path.stat().st_size for path in SAMPLES.iterdir()) < 800_000


async def test_a_sample_is_one_click_from_its_image_which_is_enlarged_played_and_left_by_back(
    page, backends, eventually
):
    play = page.get_by_role("button", name="Play drum loop", exact=True)
    await play.click()
    await expect(play).to_have_attribute("aria-pressed", "true")
    await page.get_by_role("button", name="Draw drum loop").click()
    bar = page.get_by_role("region", name="The finished figure")
    await expect(bar.get_by_role("button", name="Play drum_loop.mp3", exact=True)).to_be_visible()
    for action in ("Download", "Another seed", "Play large"):
        await expect(bar.get_by_text(action)).to_be_visible()
    request, _ = backends.image_generation.requests[-1]
    assert request.options.seed == 3
    # The way in leaves the image free.
    image, way_in = await page.locator("#preview").bounding_box(), await page.locator("#file").bounding_box()
    assert way_in["y"] >= image["y"] + image["height"]

    await page.get_by_role("button", name="Enlarge Fig. 1").click()
    viewer = page.locator("#viewer")
    await expect(viewer).to_be_visible()
    await page.wait_for_url(re.compile(r"#figure/[0-9a-f-]{36}$"))
    await page.reload()
    await expect(viewer).to_be_visible()
    await page.go_back()
    await expect(viewer).to_be_hidden()
    await page.go_forward()
    await expect(viewer).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(viewer).to_be_hidden()
    await page.wait_for_url(lambda url: "#" not in url)

    await page.locator(".image-card").get_by_role("button", name="Play large").click()
    stage = page.locator("#stage")
    await expect(stage).to_have_attribute("data-playing", "")
    await expect(stage.get_by_role("button", name="Pause drum_loop.mp3")).to_be_visible()
    position = "element => Number(getComputedStyle(element).getPropertyValue('--at'))"
    await eventually(lambda: is_on_its_way(stage, position))
    await page.get_by_role("button", name="Without controls").click()
    await expect(page.locator("#stage-bar")).to_be_hidden()
    await page.keyboard.press("Escape")
    await expect(page.locator("#stage-bar")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(stage).to_be_hidden()
    assert [round(at, 1) for at in await page.evaluate(STROKES)] == [0.2, 0.6, 1.1]


async def is_on_its_way(stage, position):
    return 0 < await stage.evaluate(position) <= 1


async def test_a_viewer_that_closes_and_opens_faster_than_the_browser_says_leaves_the_right_page(
    page, address, clip, draw
):
    await draw(page, clip("a.wav"))
    await page.get_by_role("button", name="Enlarge Fig. 1").click()
    viewer = page.locator("#viewer")
    await page.wait_for_url(re.compile(r"#figure/[0-9a-f-]{36}$"))
    shown = page.url
    # The browser announces what was closed with its next frame, which a busy machine draws late.
    await viewer.evaluate(f"dialog => {{ dialog.close(); dialog.showModal(); {TWO_FRAMES} }}")
    await expect(viewer).to_be_visible()
    assert page.url == shown
    await viewer.evaluate(f"dialog => {{ dialog.close(); dialog.showModal(); dialog.close(); {TWO_FRAMES} }}")
    await expect(viewer).to_be_hidden()
    await page.wait_for_url(lambda url: "#" not in url)
    await expect(page.locator(".image-card")).to_be_visible()
    await page.go_forward()
    await expect(viewer).to_be_visible()
    await page.wait_for_url(shown)


async def test_a_player_that_says_late_that_it_plays_is_not_taken_for_the_one_that_plays(
    page, clip, draw, eventually
):
    await draw(page, clip("a.wav", seconds=2))
    await draw(page, clip("b.wav", seconds=2))
    await page.locator(".image-card").get_by_role("button", name="Play large: Fig. 1").click()
    stage = page.locator("#stage")
    await eventually(lambda: stage.locator("audio").evaluate("audio => audio.played.length"))
    # The browser announces with a task of its own that a sound plays, which a busy machine runs late.
    await stage.evaluate(ANOTHER_IMAGE_AND_LATE_NEWS)
    await expect(page.locator("#stage-name")).to_have_text("b.wav")
    await eventually(lambda: stage.locator("audio").evaluate("audio => audio.played.length"))


async def test_a_comparison_is_in_the_address_and_back_closes_it(page, clip, draw, select):
    await draw(page, clip("a.wav", pitch_hz=200), clip("b.wav", pitch_hz=300))
    await select(page, 0, 1)
    await page.locator("#compare").click()
    await expect(page.locator("#percentage")).to_have_text("50%")
    await page.wait_for_url(re.compile(r"#compare/[0-9a-f-]{36}/[0-9a-f-]{36}$"))
    await page.go_back()
    await expect(page.locator("#comparison")).to_be_hidden()
    await page.go_forward()
    await expect(page.locator("#percentage")).to_have_text("50%")
    await page.locator("#comparison-close").click()
    await expect(page.locator("#comparison")).to_be_hidden()
    await page.wait_for_url(lambda url: "#" not in url)


async def test_an_image_is_shared_by_a_link_that_is_made_seen_and_withdrawn(
    visit, address, backends, clip, draw
):
    async with visit(address, complaints="status of 404") as page:
        await draw(page, clip("my tune.wav", seconds=2))
        await page.locator("#figure-actions").get_by_role("button", name="Share").click()
        sheet = page.get_by_role("dialog", name="Share Fig. 1, my tune.wav")
        await sheet.get_by_label("Let them hear the sound").check()
        await sheet.get_by_role("button", name="Make a link").click()
        await expect(sheet.get_by_text("Its sound can be heard there.")).to_be_visible()
        link = await sheet.get_by_role("textbox", name="Link").input_value()
        assert link.startswith(f"{address}/f/")

        async with visit(address) as friend:
            has_waited = asyncio.Event()

            async def come_late(route):
                await has_waited.wait()
                await route.continue_()

            await friend.route("**/audio", come_late)
            await friend.goto(link)
            await expect(friend.get_by_role("heading", name="my tune")).to_be_visible()
            await expect(friend.locator("#explanation li").first).to_be_visible()
            await friend.locator("#frame").click()
            has_waited.set()
            await expect(friend.locator("#frame")).to_have_attribute("data-playing", "")
            assert await friend.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            await friend.goto(f"{link}?view=projector")
            await expect(friend.locator("#image")).to_be_visible()
            await expect(friend.locator(".masthead")).to_be_hidden()
            await friend.goto(link)
            await friend.get_by_role("link", name="Make yours").click()
            await expect(friend.locator("#limits")).to_contain_text("up to")

        await sheet.get_by_role("button", name="Withdraw").click()
        await expect(sheet.get_by_role("button", name="Make a link")).to_be_focused()
        assert await page.evaluate("link => fetch(link + '/reading').then((r) => r.status)", link) == 404
