"""Settings for people: presets, kept across reloads, taken from an image, used again."""

from __future__ import annotations

import json
import re

from playwright.async_api import expect

from chladni_fakes import solid_png
from chladni_fakes.images import with_text

PROVENANCE = {
    "model": "scripted-embedded",
    "recipe": "embedded",
    "seed": 77,
    "steps": 6,
    "guidance_scale": 3.5,
    "scheduler": "DDIMScheduler",
    "width_pixels": 704,
    "height_pixels": 1024,
    "reproducible": True,
}


async def test_presets_fill_the_fields_and_are_kept_and_images_bring_their_own(page, backends, clip, draw):
    summary = page.locator("#settings-panel > summary")
    await summary.click()
    await expect(page.get_by_text("For the operator: 3 more recipes")).to_be_visible()
    await expect(page.get_by_role("radio")).to_have_count(3)
    await page.get_by_label("Shape").select_option("portrait")
    await page.get_by_label("Colours").select_option("vivid")
    await expect(page.get_by_label("Height")).to_have_value("768")
    await expect(summary).to_have_text("Recipe and settings · vivid, portrait")
    await expect(
        page.get_by_text(re.compile("512 . 768 pixels; takes about 2 times as long as a square"))
    ).to_be_visible()
    await page.reload()
    await expect(summary).to_have_text("Recipe and settings · vivid, portrait")
    await draw(page, clip())
    options = backends.image_generation.requests[-1][0].options
    assert (options.width_pixels, options.height_pixels, options.guidance_scale) == (512, 768, 2)

    await summary.click()
    await page.get_by_label("Width").fill("320")
    await expect(page.get_by_label("Shape")).to_have_value("own")
    await page.get_by_label("Shape").select_option("")
    await expect(page.get_by_label("Width")).to_have_value("")
    await page.get_by_role("button", name="Draw again with these").click()
    await expect(page.locator(".image-card")).to_have_count(2)
    options = backends.image_generation.requests[-1][0].options
    assert (options.HasField("width_pixels"), options.guidance_scale) == (False, 2)

    content = with_text(solid_png(8, 8, (1, 2, 3)), "chladni", json.dumps(PROVENANCE))
    image = {"name": "old.png", "mimeType": "image/png", "buffer": content}
    await page.set_input_files("#file", image)
    await expect(page.locator(".toast")).to_contain_text("The settings are now those of old.png.")
    await expect(summary).to_have_text("Recipe and settings · very vivid, poster, seed 77")
    await expect(page.get_by_label("Scheduler")).to_have_value("DDIMScheduler")
    await page.set_input_files("#file", image | {"buffer": solid_png(8, 8, (1, 2, 3))})
    await expect(page.locator(".toast").last).to_contain_text("old.png: not a recording in a known format")


async def test_prints_as_large_as_the_server_takes_are_offered(visit, address, backends):
    async def take_less(route):
        answer = await route.fetch()
        body = await answer.json()
        body["limits"]["side_pixels"]["max"] = 1408
        await route.fulfill(response=answer, json=body)

    async with visit(address) as page:
        await page.locator("#settings-panel > summary").click()
        shape = page.get_by_label("Shape")
        await shape.select_option("print")
        await expect(page.get_by_label("Width")).to_have_value("2048")
        await expect(
            page.get_by_text(re.compile("2048 . 2048 pixels; takes about 16 times as long"))
        ).to_be_visible()
        await page.route("**/api/v1/info", take_less)
        await page.reload()
        refused = shape.locator("option:disabled")
        await expect(refused).to_have_text(["print, square", "large wallpaper", "large poster"])
