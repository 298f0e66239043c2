"""The way to an image: progress, previews, queues, cancelling, and everything that may go wrong on it."""

from __future__ import annotations

import base64
import re

from playwright.async_api import expect

from chladni_contract.errors import QueueFullError

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
DATA_URL = "data:image/png;base64,"


def beginning_with(start):
    return re.compile("^" + re.escape(start))


def hold(backends, *, steps=8, after_step=1):
    """Lets generations stand still after a step; returns what lets them go on."""
    generation = backends.image_generation
    generation.default_steps, generation.pause_after_step = steps, after_step
    generation.may_go_on.clear()
    return generation.may_go_on.set


async def test_a_recording_becomes_an_image_with_steps_and_previews_on_the_way(page, backends, clip):
    go_on = hold(backends, steps=8, after_step=4)
    await expect(page.locator("#empty")).to_be_visible()
    await page.set_input_files("#file", clip("my voice.wav"))
    await expect(page.locator("#job-title")).to_have_text("my voice.wav")
    await expect(page.locator("#status")).to_have_text("Step 4 of 8.")
    await expect(page.locator('[data-step="paint"]')).to_have_attribute("aria-current", "step")
    await expect(page.locator('[data-step="listen"]')).to_have_attribute("data-done", "")
    await expect(page.locator("#heard dt").first).to_have_text("loudness")
    await expect(page.locator("#time")).to_have_text(re.compile(r"^[\d.]+ s, [\d.]+ s left$"))
    assert float(await page.locator("#bar").get_attribute("value")) == 0.5
    preview = page.locator("#preview")
    await expect(preview).to_have_attribute("src", beginning_with(DATA_URL))
    source = await preview.get_attribute("src")
    assert base64.b64decode(source.removeprefix(DATA_URL)).startswith(PNG_MAGIC)
    assert await preview.evaluate("image => image.decode().then(() => image.naturalWidth)") == 128

    go_on()
    card = page.locator(".image-card")
    await expect(card).to_have_count(1)
    await expect(card.locator(".image-card__name")).to_have_text("my voice.wav")
    await expect(card.locator(".image-card__facts")).to_contain_text("seed 4711 · 8 steps")
    await expect(preview).to_have_attribute("src", beginning_with("/api/v1/images/"))
    await expect(page.locator("#status")).to_have_text("Done.")
    await expect(page.locator("#empty")).to_be_hidden()
    image = card.locator(".image-card__image")
    assert await image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 512


async def test_the_stages_before_painting_are_told(page, backends, clip):
    backends.audio_features.may_go_on.clear()
    await page.set_input_files("#file", clip())
    await expect(page.locator('[data-step="listen"]')).to_have_attribute("aria-current", "step")
    await expect(page.locator("#status")).to_have_text("Listening to the recording.")
    backends.audio_features.may_go_on.set()
    await expect(page.locator(".image-card")).to_have_count(1)


async def test_several_at_once_queue_and_each_can_be_cancelled(page, backends, clip):
    go_on = hold(backends)
    files = [clip(f"{number}.wav", pitch_hz=200 + 50 * number) for number in range(5)]
    # The one that is painted first is shown first, so it begins before the others arrive.
    await page.set_input_files("#file", files[:1])
    await expect(page.locator("#status")).to_have_text("Step 1 of 8.")
    await page.set_input_files("#file", files[1:])
    await expect(page.locator("#job-title")).to_have_text("0.wav")
    await expect(page.locator("#queue-title")).to_have_text("4 more")
    rows = page.locator(".job")
    await expect(rows.locator(".job__name")).to_have_text([f"{number}.wav" for number in range(1, 5)])
    await expect(rows.locator(".job__status")).to_have_text(
        ["Step 1 of 8.", "Step 1 of 8.", "Waiting in this browser.", "Waiting in this browser."]
    )
    await page.get_by_role("button", name="Cancel 3.wav").click()
    await expect(rows).to_have_count(3)
    await page.get_by_role("button", name="Cancel 1.wav").click()
    await expect(rows.locator(".job__name")).to_have_text(["2.wav", "4.wav"])
    go_on()
    await expect(page.locator(".image-card")).to_have_count(3)
    await expect(page.locator("#queue")).to_be_hidden()
    assert sorted(await page.locator(".image-card__name").all_text_contents()) == ["0.wav", "2.wav", "4.wav"]


async def test_cancel_stops_the_job_and_leaves_the_page_ready(page, backends, clip, draw, eventually):
    generation = backends.image_generation
    go_on = hold(backends)
    await page.set_input_files("#file", clip())
    await expect(page.locator("#status")).to_have_text("Step 1 of 8.")
    await page.get_by_role("button", name="Cancel voice.wav").click()
    await expect(page.locator("#job-panel")).to_be_hidden()
    await expect(page.locator(".toast")).to_have_count(0)
    await eventually(lambda: (generation.cancelled, generation.running) == (1, 0))
    await expect(page.locator("#preview-panel")).to_have_attribute("data-state", "idle")
    await expect(page.locator("#file")).to_be_focused()
    go_on()
    await draw(page, clip())


async def test_cancel_all_stops_everything(page, backends, clip, eventually):
    generation = backends.image_generation
    hold(backends)
    await page.set_input_files("#file", [clip(f"{pitch}.wav", pitch_hz=pitch) for pitch in (200, 300)])
    await eventually(lambda: generation.running == 2)
    await page.get_by_role("button", name="Cancel all").click()
    await expect(page.locator("#queue")).to_be_hidden()
    await expect(page.locator("#job-panel")).to_be_hidden()
    await eventually(lambda: (generation.cancelled, generation.running) == (2, 0))
    await expect(page.locator(".image-card")).to_have_count(0)


async def test_a_failure_is_told_with_what_to_do_and_can_be_tried_again(page, backends, clip):
    backends.image_generation.error = QueueFullError("Eight images wait already.", retry_after_seconds=2)
    await page.set_input_files("#file", clip())
    await expect(page.locator(".toast__text")).to_have_text("Eight images wait already.")
    await expect(page.locator(".toast__advice")).to_have_text("Try again in a moment.")
    await expect(page.locator("#queue-title")).to_have_text("Failed")
    await expect(page.locator(".job__status")).to_have_text("Eight images wait already.")
    backends.image_generation.error = None
    await page.get_by_role("button", name="Try again voice.wav").click()
    await expect(page.locator(".image-card")).to_have_count(1)
    await expect(page.locator("#queue")).to_be_hidden()


async def test_a_busy_server_is_asked_again(visit, own_gateway, backends, clip):
    gateway = await own_gateway(max_jobs_per_session=1)
    go_on = hold(backends)
    async with visit(gateway.address, complaints="status of 429") as page:
        await page.set_input_files("#file", [clip("a.wav"), clip("b.wav", pitch_hz=300)])
        status = page.locator(".job__status")
        await expect(status).to_have_text(re.compile(r"^The server is busy; next try in [\d.]+ s\.$"))
        go_on()
        await expect(page.locator(".image-card")).to_have_count(2)
        await expect(page.locator(".toast")).to_have_count(0)


async def test_a_service_that_is_killed_and_comes_back_is_told_and_used_again(page, backends, clip):
    hold(backends)
    await page.set_input_files("#file", clip())
    await expect(page.locator("#status")).to_have_text("Step 1 of 8.")
    await backends.servers["image-generation"].kill()
    await expect(page.locator(".toast")).to_contain_text("image-generation")
    await expect(page.locator("#notice")).to_contain_text("Images cannot be made now.")
    backends.image_generation.may_go_on.set()
    await backends.servers["image-generation"].start()
    await expect(page.locator("#notice")).to_be_hidden()
    await page.get_by_role("button", name="Try again voice.wav").click()
    await expect(page.locator(".image-card")).to_have_count(1)


async def test_a_gateway_that_is_restarted_gets_the_recording_once_more(
    visit, own_gateway, backends, clip, draw
):
    gateway = await own_gateway()
    go_on = hold(backends)
    async with visit(gateway.address, complaints="Failed to load resource|net::") as page:
        await page.set_input_files("#file", clip())
        await expect(page.locator("#status")).to_have_text("Step 1 of 8.")
        await gateway.stop()
        await expect(page.locator("#status")).to_have_text("The connection broke; reconnecting.")
        await expect(page.locator("#notice")).to_contain_text("The server cannot be reached.")
        go_on()
        await gateway.start()
        await expect(page.locator(".image-card")).to_have_count(1)
        await expect(page.locator("#notice")).to_be_hidden()
        await expect(page.locator(".toast")).to_have_count(0)
        await draw(page, clip("next.wav"))


async def test_a_silent_server_is_reported_with_the_time_that_an_image_usually_takes(
    visit, address, backends, clip, draw
):
    async with visit(address) as page:
        await draw(page, clip("a.wav"))
        await page.clock.install()
        backends.image_generation.may_go_on.clear()
        await page.set_input_files("#file", clip("b.wav", pitch_hz=300))
        await expect(page.locator("#status")).to_have_text("Step 1 of 4.")
        await expect(page.locator("#delayed")).to_be_hidden()
        await page.clock.run_for(5500)
        await expect(page.locator("#delayed")).to_contain_text("No news from the server for 5 s.")
        await expect(page.locator("#delayed")).to_contain_text("An image usually takes")
        backends.image_generation.may_go_on.set()
        await expect(page.locator(".image-card")).to_have_count(2)
        await expect(page.locator("#delayed")).to_be_hidden()
