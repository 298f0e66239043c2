"""A visitor, a browser, and the four real services."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import expect

TIMEOUT_MS = 90_000
ENDLESS_STEPS = "150"


@pytest.fixture
def images_appear():
    async def appear(page, count):
        await expect(page.locator(".image-card")).to_have_count(count, timeout=TIMEOUT_MS)

    return appear


async def active_generations(cluster):
    return await cluster.metric("image-generation", "chladni_generations_active")


async def is_free(cluster):
    return await active_generations(cluster) == 0


async def denoising_steps(cluster):
    return await cluster.metric("image-generation", "chladni_denoising_steps_total")


async def test_two_recordings_become_images_and_are_compared(visit, cluster, samples, images_appear):
    async with visit(cluster.http_url) as page:
        await page.set_input_files("#file", samples[:2])
        await images_appear(page, 2)
        for image in await page.locator(".image-card__image").all():
            assert await image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 512
        await expect(page.locator("#heard dt")).to_have_count(12)
        await expect(page.locator(".image-card .player__spectrogram:visible")).to_have_count(2)
        for box in await page.locator(".image-card__select input").all():
            await box.check()
        await page.get_by_role("button", name="Compare").click()
        await expect(page.locator("#percentage")).to_have_text(re.compile(r"^\d{1,3}%$"), timeout=TIMEOUT_MS)
        await page.locator(".image-card__open").first.click()
        await expect(page.locator("#viewer-lead")).to_contain_text("What stands out: the sound is")
        await expect(page.locator("#viewer-provenance")).to_contain_text(
            re.compile(r"model digest[0-9a-f]{64}")
        )


async def test_cancel_frees_the_engine(visit, cluster, samples, images_appear, eventually):
    async with visit(cluster.http_url) as page:
        await page.locator("#settings-panel > summary").click()
        await page.get_by_label("Steps").fill(ENDLESS_STEPS)
        await page.set_input_files("#file", samples[0])
        await expect(page.locator("#status")).to_have_text(
            re.compile(rf"^Step \d+ of {ENDLESS_STEPS}\.$"), timeout=TIMEOUT_MS
        )
        assert await active_generations(cluster) == 1
        await page.locator("#cancel").click()
        await expect(page.locator("#job-panel")).to_be_hidden()

        await eventually(lambda: is_free(cluster))
        steps = await denoising_steps(cluster)
        await page.get_by_label("Steps").fill("1")
        await page.set_input_files("#file", samples[0])
        await images_appear(page, 1)
        assert await denoising_steps(cluster) == steps + 1, "the cancelled work went on"


async def test_an_image_is_reproduced_to_the_pixel(visit, cluster, samples, images_appear):
    async with visit(cluster.http_url) as page:
        await page.set_input_files("#file", samples[-1])
        await images_appear(page, 1)
        await page.locator(".image-card").get_by_role("button", name="Reproduce").click()
        await page.get_by_role("button", name="Look at both").click(timeout=TIMEOUT_MS)
        await expect(page.locator(".proof__verdict")).to_contain_text("Identical: all 262,144 pixels")


async def test_the_microphone_is_heard_by_the_service_that_describes_sounds(visit, cluster, images_appear):
    async with visit(cluster.http_url, permissions=["microphone"]) as page:
        await page.get_by_role("button", name="Record a sound").click()
        await expect(page.locator("#recorder-time")).to_have_text(re.compile(r"^0:0[1-9] of 0:30$"))
        await expect(page.locator("#recorder-source")).to_have_text("Heard by the server, as images are.")
        await expect(page.locator("#level")).to_have_attribute(
            "aria-valuetext", re.compile(r"^-[12]\d decibels$")
        )
        await page.get_by_role("button", name="Stop").click()
        await expect(page.locator("#recorder-heard")).to_contain_text("What stands out: the sound is")
        await page.get_by_role("button", name="Use this recording").click()
        await images_appear(page, 1)


async def test_a_service_that_is_killed_and_restarted_is_told_and_used_again(
    visit, cluster, samples, images_appear, eventually
):
    async with visit(cluster.http_url) as page:
        await page.locator("#settings-panel > summary").click()
        await page.get_by_label("Steps").fill(ENDLESS_STEPS)
        await page.set_input_files("#file", samples[0])
        await expect(page.locator("#status")).to_have_text(re.compile("^Step"), timeout=TIMEOUT_MS)
        cluster.kill("image-generation")
        try:
            await expect(page.locator("#notice")).to_contain_text("Images cannot be made now.")
        finally:
            await asyncio.to_thread(cluster.restart, "image-generation")
        await expect(page.locator("#notice")).to_be_hidden()
        status = page.locator("#status")
        shown = await status.inner_text()
        await expect(status).not_to_have_text(shown, timeout=TIMEOUT_MS)  # The job goes on.
        step = re.compile(rf"^Step [0-9]+ of {ENDLESS_STEPS}\.$")
        await expect(status).to_have_text(step, timeout=TIMEOUT_MS)
        await page.locator("#cancel").click()
        await expect(page.locator("#job-panel")).to_be_hidden()
        await page.get_by_label("Steps").fill("2")
        await page.set_input_files("#file", samples[0])
        await images_appear(page, 1)
        await eventually(lambda: is_free(cluster))
