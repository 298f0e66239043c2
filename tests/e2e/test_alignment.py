"""How well images fit sounds: beside each other, in the sheet of one, and if it is not known."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import expect

from chladni_contract.errors import NotFoundError, NotOfferedError, Reason, UnavailableError

SEED = 4711
OTHERS_SOUND = "the other\N{RIGHT SINGLE QUOTATION MARK}s sound"


def prefer_own_sounds(backends, *, own, crossed):
    """Makes every image fit the sound that it was drawn of, and others less."""
    images = backends.image_generation
    sounds = {
        images.draw(request.origin.audio_sha256, SEED, 512): request.conditioning.audio_embedding.values.data
        for request, _ in images.requests
    }
    backends.similarity.fit = lambda image, sound: own if sounds[image] == sound else crossed


async def compare(page):
    await page.get_by_role("button", name="Compare", exact=True).click()
    await expect(page.locator("#pair")).to_be_visible()


async def test_each_of_two_is_judged_against_its_own_sound_and_the_others(page, backends, clip, draw, select):
    await draw(page, clip("a.wav", pitch_hz=211))
    await draw(page, clip("b.wav", pitch_hz=317))
    prefer_own_sounds(backends, own=0.926, crossed=0.12)
    await select(page, 0, 1)
    await compare(page)
    for number in ("Fig. 2", "Fig. 1"):
        own = page.get_by_role("meter", name=f"How well {number} fits its sound")
        crossed = page.get_by_role("meter", name=f"How well {number} fits {OTHERS_SOUND}")
        for meter, percent, level in ((own, "93", "high"), (crossed, "12", "low")):
            await expect(meter).to_have_attribute("aria-valuenow", percent)
            fit = meter.locator("..")
            await expect(fit).to_have_attribute("data-level", level)
            await expect(fit.locator(".fit__percentage")).to_have_text(f"{percent}%")
    for side in ("first", "second"):
        words = page.locator(f"#{side}-fits .fit__words")
        await expect(words).to_have_text(["Fits its sound", f"Fits {OTHERS_SOUND}"])
    await expect(page.locator("#fit-note")).to_be_hidden()
    asked = len(backends.similarity.aligned)
    await page.get_by_role("button", name="Close").click()
    await compare(page)
    await expect(page.locator("#pair .fit")).to_have_count(4)
    assert len(backends.similarity.aligned) == asked == 4


@pytest.mark.parametrize("width", [390, 820, 1440])
async def test_the_meters_stay_within_the_page(page, backends, clip, draw, select, width):
    await page.set_viewport_size({"width": width, "height": 900})
    await draw(page, clip("a.wav", pitch_hz=211), clip("b.wav", pitch_hz=317))
    await select(page, 0, 1)
    await compare(page)
    await expect(page.locator("#pair .fit")).to_have_count(4)
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    for side in ("first", "second"):
        image = await page.locator(f"#{side}-image").bounding_box()
        for fit in await page.locator(f"#{side}-fits .fit").all():
            box = await fit.bounding_box()
            assert box["y"] >= image["y"] + image["height"]
            assert image["x"] - 1 <= box["x"]
            assert box["x"] + box["width"] <= image["x"] + image["width"] + 1


async def test_the_sheet_of_an_image_tells_how_well_it_fits_its_sound(page, backends, clip, draw):
    await draw(page, clip("a.wav", pitch_hz=223))
    await draw(page, clip("b.wav", pitch_hz=331))
    prefer_own_sounds(backends, own=0.5, crossed=0.0)
    await page.locator(".image-card__open").first.click()
    meter = page.get_by_role("meter", name="How well the image fits its sound")
    await expect(meter).to_have_attribute("aria-valuetext", "50%")
    await expect(page.locator("#viewer-fit .fit")).to_have_attribute("data-level", "medium")
    backends.similarity.fit = lambda _image, _sound: 0.99
    await page.keyboard.press("ArrowRight")
    await expect(meter).to_have_attribute("aria-valuetext", "99%")
    await page.keyboard.press("ArrowLeft")
    await expect(meter).to_have_attribute("aria-valuetext", "50%")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotOfferedError("There is no model for this."), 501),
        (NotFoundError(Reason.UNKNOWN_MODEL, "There is no model of this name."), 404),
    ],
)
async def test_a_server_without_the_model_says_so_in_one_line_and_once(
    visit, address, backends, clip, draw, select, error, status
):
    async with visit(address, complaints=f"status of {status}") as page:
        backends.similarity.alignment_error = error
        await draw(page, clip("a.wav", pitch_hz=227), clip("b.wav", pitch_hz=337))
        await select(page, 0, 1)
        await compare(page)
        note = page.locator("#fit-note")
        await expect(note).to_contain_text(
            "This server has no model that judges how well an image fits its sound"
        )
        await expect(page.locator("#percentage")).to_have_text("50%")
        await expect(page.locator(".fit__meter")).to_have_count(0)
        asked = len(backends.similarity.aligned)
        assert asked <= 2, "what the first answer told is not asked again"
        await page.locator(".image-card__open").first.click()
        await expect(page.locator("#viewer-fit")).to_contain_text(
            "no model that judges how well an image fits its sound"
        )
        assert len(backends.similarity.aligned) == asked
        await expect(page.locator(".toast")).to_have_count(0)


async def test_what_is_wrong_for_now_is_said_and_asked_again(visit, address, backends, clip, draw, select):
    async with visit(address, complaints="status of 503") as page:
        backends.similarity.alignment_error = UnavailableError(
            Reason.MODEL_NOT_READY, "The model is still loading."
        )
        await draw(page, clip("a.wav", pitch_hz=229), clip("b.wav", pitch_hz=347))
        await select(page, 0, 1)
        await compare(page)
        await expect(page.locator("#fit-note")).to_have_text("The model is still loading.")
        backends.similarity.alignment_error = None
        await compare(page)
        await expect(page.locator("#pair .fit")).to_have_count(4)
        await expect(page.locator("#fit-note")).to_be_hidden()
        await expect(page.locator(".toast")).to_have_count(0)


async def test_an_image_of_an_earlier_version_says_that_its_sound_is_not_known(
    visit, own_gateway, clip, draw, select, tmp_path
):
    gateway = await own_gateway()
    async with visit(gateway.address, complaints="status of 404") as page:
        await draw(page, clip("old.wav", pitch_hz=233))
        [path] = (tmp_path / "images").glob("*.json")
        record = json.loads(path.read_text())
        del record["audio_embedding"]
        path.write_text(json.dumps(record))
        await draw(page, clip("new.wav", pitch_hz=349))
        await select(page, 0, 1)
        await compare(page)
        await expect(page.locator("#fit-note")).to_contain_text("the sound of Fig. 1, old.wav is not known")
        await expect(page.locator("#first-fits .fit__words")).to_have_text(["Fits its sound"])
        await expect(page.locator("#second-fits .fit__words")).to_have_text([f"Fits {OTHERS_SOUND}"])
