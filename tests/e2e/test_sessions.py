"""What stays over a reload, what tabs share, and what visitors do not."""

from __future__ import annotations

import re

from playwright.async_api import expect

from chladni_gateway.access.principals import Scope
from chladni_gateway.access.token_file import line_of, new_token

ASK = """([path, method]) => fetch(path, { method }).then(async (answer) =>
    [answer.status, answer.status === 204 ? null : await answer.json().catch(() => null)])"""


async def test_images_their_numbers_and_their_sounds_survive_a_reload(page, clip, draw):
    await draw(page, clip("a.wav"))
    await draw(page, clip("b.wav", pitch_hz=300))
    await expect(page.locator(".image-card .player__spectrogram:visible")).to_have_count(2)
    await page.reload()
    await expect(page.locator(".image-card__name")).to_have_text(["b.wav", "a.wav"])
    await expect(page.locator(".image-card .image-card__number")).to_have_text(["Fig. 2", "Fig. 1"])
    await expect(page.locator(".image-card .player__play:visible")).to_have_count(2)
    await expect(page.locator(".image-card .player__spectrogram:visible")).to_have_count(2)
    await draw(page, clip("c.wav", pitch_hz=400))
    await expect(page.locator(".image-card .image-card__number").first).to_have_text("Fig. 3")


async def test_a_running_job_is_taken_up_again_after_a_reload(page, backends, clip):
    generation = backends.image_generation
    generation.default_steps, generation.pause_after_step = 8, 4
    generation.may_go_on.clear()
    await page.set_input_files("#file", clip("slow.wav"))
    await expect(page.locator("#status")).to_have_text("Step 4 of 8.")
    await page.reload()
    await expect(page.locator("#job-title")).to_have_text("slow.wav")
    await expect(page.locator("#status")).to_have_text("Step 4 of 8.")
    await expect(page.locator("#preview")).to_have_attribute("src", re.compile("^data:image/png"))
    await expect(page.locator("#heard dt").first).to_have_text("loudness")
    generation.may_go_on.set()
    await expect(page.locator(".image-card__name")).to_have_text("slow.wav")
    await expect(page.locator(".image-card .player__play")).to_be_visible()
    assert len(generation.requests) == 1


async def test_a_job_that_ended_while_nobody_looked_is_found(page, backends, clip, eventually):
    generation = backends.image_generation
    generation.may_go_on.clear()
    await page.set_input_files("#file", clip("slow.wav"))
    await expect(page.locator("#status")).to_have_text("Step 1 of 4.")
    address = page.url
    await page.goto("about:blank")
    generation.may_go_on.set()
    await eventually(lambda: generation.running == 0)
    await page.goto(address)
    await expect(page.locator(".image-card__name")).to_have_text("slow.wav")
    await expect(page.locator(".image-card .player__play")).to_be_visible()


async def test_two_tabs_show_the_same_jobs_and_the_same_images(page, backends, clip):
    generation = backends.image_generation
    generation.may_go_on.clear()
    other = await page.context.new_page()
    await other.goto(page.url)
    await expect(other.locator("#empty")).to_be_visible()
    await page.set_input_files("#file", clip())
    for tab in (page, other):
        await expect(tab.locator("#job-title")).to_have_text("voice.wav")
        await expect(tab.locator("#status")).to_have_text("Step 1 of 4.")
    generation.may_go_on.set()
    for tab in (page, other):
        await expect(tab.locator(".image-card")).to_have_count(1)
        await expect(tab.locator(".image-card .player__play")).to_be_visible()
    assert len(generation.requests) == 1
    await other.locator(".image-card").get_by_role("button", name="Delete: Fig. 1").click()
    await other.locator(".toast").get_by_role("button", name="Dismiss").click()
    for tab in (page, other):
        await expect(tab.locator(".image-card")).to_have_count(0)


async def test_cancelling_in_one_tab_is_seen_in_the_other(page, backends, clip, eventually):
    backends.image_generation.may_go_on.clear()
    other = await page.context.new_page()
    await other.goto(page.url)
    await page.set_input_files("#file", clip())
    await expect(other.locator("#status")).to_have_text("Step 1 of 4.")
    await other.get_by_role("button", name="Cancel voice.wav").click()
    for tab in (page, other):
        await expect(tab.locator("#job-panel")).to_be_hidden()
    await eventually(lambda: backends.image_generation.running == 0)


async def test_visitors_see_stop_and_delete_only_their_own(visit, address, backends, clip, draw):
    async with visit(address) as anns, visit(address, complaints="status of 404") as bobs:
        await draw(anns, clip("ann.wav"))
        await draw(bobs, clip("bob.wav", pitch_hz=300))
        backends.image_generation.may_go_on.clear()
        await anns.set_input_files("#file", clip("slow.wav", pitch_hz=400))
        await expect(anns.locator("#status")).to_have_text("Step 1 of 4.")
        await bobs.reload()
        await expect(bobs.locator(".image-card__name")).to_have_text(["bob.wav"])
        await expect(bobs.locator("#job-panel")).to_be_hidden()
        image_id = await anns.locator(".image-card").get_attribute("data-image-id")
        _, jobs = await anns.evaluate(ASK, ["/api/v1/jobs", "GET"])
        [job] = [job for job in jobs["jobs"] if job["state"] == "running"]
        for path, method, code in (
            (f"/api/v1/images/{image_id}", "DELETE", "UNKNOWN_IMAGE"),
            (f"/api/v1/images/{image_id}/details", "GET", "UNKNOWN_IMAGE"),
            (f"/api/v1/jobs/{job['job_id']}", "DELETE", "UNKNOWN_JOB"),
            (job["events_url"], "GET", "UNKNOWN_JOB"),
        ):
            status, body = await bobs.evaluate(ASK, [path, method])
            assert (status, body["error"]["code"]) == (404, code)
        backends.image_generation.may_go_on.set()
        await expect(anns.locator(".image-card__name")).to_have_text(["slow.wav", "ann.wav"])
        assert await bobs.evaluate("document.cookie") == ""
        [cookie] = await bobs.context.cookies()
        assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == ("chladni_session", True, "Strict")


async def test_visitors_sign_in_and_out(browser, own_gateway, tmp_path):
    token, token_file = new_token(), tmp_path / "tokens"
    token_file.write_text(line_of(token, name="alice", scopes=list(Scope)))
    gateway = await own_gateway(token_file=token_file)
    context = await browser.new_context()
    try:
        page = await context.new_page()
        await page.goto(gateway.address)
        await page.get_by_label("Token").fill(token)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_label("Token")).to_be_visible()
        await page.goto(gateway.address)
        await expect(page).to_have_url(f"{gateway.address}/sign-in")
    finally:
        await context.close()
