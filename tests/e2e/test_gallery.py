"""What visitors do with an image: look, listen, download, make again, delete."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import zipfile

from playwright.async_api import expect

from chladni.media.v1 import media_pb2
from chladni_fakes import solid_png

FORGET_RECORDINGS = """() => new Promise((resolve, reject) => {
    const request = indexedDB.open("chladni");
    request.onerror = reject;
    request.onsuccess = () => {
        const transaction = request.result.transaction("clips", "readwrite");
        transaction.objectStore("clips").clear();
        transaction.oncomplete = () => { request.result.close(); resolve(); };
    };
})"""


async def stored_images(page):
    return await page.evaluate(
        "fetch('/api/v1/images').then((r) => r.json()).then((b) => b.images.map((i) => i.image_id))"
    )


async def has_stored(page, count):
    return len(await stored_images(page)) == count


async def test_an_image_is_downloaded_with_its_provenance(page, backends, clip, draw, tmp_path):
    backends.image_generation.carries_provenance = True
    await draw(page, clip("my voice.wav"))
    async with page.expect_download() as download:
        await page.locator(".image-card").get_by_role("link", name="Download").click()
    file = await download.value
    assert file.suggested_filename == "my voice-4711.png"
    await file.save_as(tmp_path / "image.png")
    content = (tmp_path / "image.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert b'"model": "scripted-embedded"' in content


async def test_an_image_is_downloaded_in_other_formats_and_a_plate_as_shapes(
    page, backends, clip, draw, eventually
):
    await draw(page, clip())
    formats = page.locator("#figure-actions").get_by_role("button", name="Other formats")
    sheet = page.locator("#formats")
    await formats.click()
    await expect(sheet).to_have_accessible_name("Download Fig. 1, voice.wav")
    await expect(sheet.locator(".formats__choice")).to_have_text(
        [re.compile("^as JPEG"), re.compile("^as WebP")]
    )
    await page.keyboard.press("Escape")

    await page.locator("#settings-panel > summary").click()
    await page.locator("#settings [name=look]").select_option("plate")
    await draw(page, clip("tone.wav", pitch_hz=300))
    for name, suffix in (("SVG", "svg"), ("JPEG", "jpg")):
        await formats.click()
        async with page.expect_download() as download:
            await sheet.get_by_role("button", name=f"as {name}").click()
        assert (await download.value).suggested_filename == f"tone-4711.{suffix}"
        request, _ = backends.image_generation.requests[-1]
        assert request.options.look == "plate"
        assert media_pb2.ImageFormat.Name(request.options.encoding.format) == f"IMAGE_FORMAT_{name}"
        # The copy is not kept, and the image stays where it was.
        await expect(page.get_by_role("button", name="Enlarge Fig. 2, tone.wav")).to_be_visible()
        await eventually(lambda: has_stored(page, 2))
        await expect(page.locator(".image-card")).to_have_count(2)


async def test_the_sound_plays_under_its_spectrogram_with_a_playhead(page, backends, clip, draw):
    await draw(page, clip(seconds=2))
    player = page.locator(".image-card .player")
    await expect(player.locator(".player__spectrogram")).to_have_attribute("src", re.compile("^blob:"))
    await expect(player.locator(".player__time")).to_have_text("0:02")
    [request] = backends.audio_features.spectrogram_requests
    assert (request.width_pixels, request.height_pixels) == (512, 96)
    position = player.get_by_role("slider", name="Position in voice.wav")
    await position.press("ArrowRight")
    await expect(position).to_have_attribute("aria-valuetext", "0.5 s of 2 s")
    await player.get_by_role("button", name="Play voice.wav").click()
    await expect(player.get_by_role("button", name="Pause voice.wav")).to_be_visible()
    await expect(position).to_have_attribute("aria-valuetext", re.compile(r"^(0\.[6-9]|1|1\.\d|2) s of 2 s$"))
    head = "element => getComputedStyle(element).getPropertyValue('--at')"
    assert 0.25 < float(await player.evaluate(head)) <= 1


async def test_one_sound_plays_at_a_time(page, clip, draw):
    files = [clip(f"{pitch_hz}.wav", seconds=5, pitch_hz=pitch_hz) for pitch_hz in (200, 300)]
    await draw(page, *files)
    cards = page.locator(".image-card")
    for playing, other in (("200", "300"), ("300", "200")):
        await cards.get_by_role("button", name=f"Play {playing}.wav").click()
        await expect(cards.get_by_role("button", name=f"Pause {playing}.wav")).to_be_visible()
        await expect(cards.get_by_role("button", name=f"Play {other}.wav")).to_be_visible()


async def test_another_seed_makes_another_image_of_the_same_sound(page, backends, clip, draw):
    await page.locator("#settings-panel > summary").click()
    await page.get_by_label("Seed").fill("12")
    await page.get_by_label("Steps").fill("3")
    await draw(page, clip())
    await page.locator(".image-card").get_by_role("button", name="Another seed").click()
    cards = page.locator(".image-card")
    await expect(cards).to_have_count(2)
    await expect(cards.nth(0).locator(".image-card__facts")).to_contain_text("seed 4711 · 3 steps")
    await expect(cards.nth(1).locator(".image-card__facts")).to_contain_text("seed 12 · 3 steps")
    first, second = backends.audio_features.requests
    assert first.audio.content == second.audio.content
    assert backends.image_generation.requests[1][0].options.seed == 4711


async def test_a_reproduction_is_compared_pixel_by_pixel_and_an_equal_copy_is_not_kept(
    page, backends, clip, draw
):
    await draw(page, clip())
    await page.locator(".image-card").get_by_role("button", name="Reproduce").click()
    await page.get_by_role("button", name="Look at both").click()
    await expect(page.locator("#comparison-title")).to_have_text("Fig. 1, made again")
    await expect(page.locator(".proof__verdict")).to_have_text("Identical: all 262,144 pixels are the same.")
    await expect(page.locator(".image-card__stamp")).to_have_text("made again: identical")
    await expect(page.locator(".image-card")).to_have_count(1)
    again, _ = backends.image_generation.requests[1]
    assert (again.options.bypass_cache, again.options.seed, again.options.reproducible) == (True, 4711, True)
    assert len(await stored_images(page)) == 1


async def test_a_reproduction_that_differs_is_kept_and_shown_where(page, backends, clip, draw):
    await draw(page, clip())
    backends.image_generation.draw = lambda _sound, _seed, side: solid_png(side, side, (1, 2, 3))
    await page.locator(".image-card").get_by_role("button", name="Reproduce").click()
    await page.get_by_role("button", name="Look at both").click()
    await expect(page.locator(".proof__verdict")).to_contain_text("262,144 of 262,144 pixels differ (100 %)")
    await expect(page.get_by_role("img", name="Where they differ")).to_be_visible()
    await expect(page.locator(".image-card")).to_have_count(2)
    await expect(page.locator(".image-card__stamp:visible")).to_have_text("made again: 262,144 pixels differ")


async def test_deleting_can_be_undone_and_is_for_good_once_the_message_goes(page, clip, draw, select):
    await draw(page, clip("a.wav"))
    await draw(page, clip("b.wav", pitch_hz=300), clip("c.wav", pitch_hz=400))
    toast = page.locator(".toast")
    await page.locator(".image-card").last.get_by_role("button", name="Delete").click()
    await expect(page.locator(".image-card")).to_have_count(2)
    assert len(await stored_images(page)) == 3
    await expect(toast).to_contain_text("Fig. 1, a.wav deleted.")
    await toast.get_by_role("button", name="Undo").click()
    await expect(page.locator(".image-card")).to_have_count(3)
    await expect(page.get_by_role("button", name="Look at Fig. 1, a.wav")).to_be_focused()
    await page.locator(".image-card").last.get_by_role("button", name="Delete").click()
    await toast.get_by_role("button", name="Dismiss").click()
    await expect(page.locator(".image-card")).to_have_count(2)
    async with asyncio.timeout(30):
        while len(await stored_images(page)) != 2:
            await page.wait_for_timeout(50)
    await select(page, 0, 1)
    await page.locator("#delete-selected").click()
    await expect(toast).to_contain_text("2 figures deleted.")
    await expect(page.locator(".image-card")).to_have_count(0)
    await expect(page.locator("#empty")).to_be_visible()
    await expect(page.locator("#selection")).to_be_hidden()
    await page.reload()  # Who leaves does not undo.
    await expect(page.locator("#empty")).to_be_visible()
    async with asyncio.timeout(30):
        while await stored_images(page):
            await page.wait_for_timeout(50)


async def test_an_image_is_kept_until_it_is_let_go(page, clip, draw):
    await draw(page, clip("a.wav"))
    await expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    keep = page.locator(".image-card").get_by_role("button", name="Keep")
    await expect(keep).to_have_attribute("aria-pressed", "false")
    await keep.click()
    await expect(keep).to_have_attribute("aria-pressed", "true")
    bar = page.locator("#figure-actions").get_by_role("button", name="Keep")
    await expect(bar).to_have_attribute("aria-pressed", "true")
    await expect(page.locator(".toast")).to_contain_text("Fig. 1, a.wav is kept until you let it go.")
    await page.reload()
    await expect(keep).to_have_attribute("aria-pressed", "true")
    await keep.click()
    await expect(keep).to_have_attribute("aria-pressed", "false")
    pinned = "fetch('/api/v1/images').then((r) => r.json()).then((b) => b.images.map((i) => i.pinned))"
    assert await page.evaluate(pinned) == [False]


async def test_everything_is_one_zip_the_room_is_said_and_a_request_is_shown_as_code(
    page, clip, draw, tmp_path
):
    await draw(page, clip("a.wav"), clip("b.wav", pitch_hz=300))
    await expect(page.locator("#room")).to_have_text("2 figures of at most 100; each is kept for 24 hours.")
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Download all (ZIP)").click()
    await (await download.value).save_as(tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["a-4711.png", "a.wav", "b-4711.png", "b.wav", "images.json"]
        assert archive.read("a.wav") == clip("a.wav")["buffer"]
        assert len(json.loads(archive.read("images.json"))["images"]) == 2
    await page.get_by_role("button", name="Look at Fig. 1").click()
    await page.get_by_text("As code").click()
    blocks = page.locator(".code__text")
    await expect(blocks).to_have_count(3)
    await expect(blocks.nth(0)).to_contain_text("-F recipe=embedded")
    await expect(blocks.nth(0)).to_contain_text("-F seed=4711")
    await expect(blocks.nth(1)).to_contain_text("client.create_image(")
    ast.parse(await blocks.nth(1).inner_text())
    await expect(blocks.nth(2)).to_contain_text("chladni.gateway.v1.ImageService/CreateImage")


async def test_the_sheet_shows_an_image_large_and_explains_it(page, clip, draw):
    await draw(page, clip("a.wav"))
    await draw(page, clip("b.wav", pitch_hz=300))
    await page.get_by_role("button", name="Look at Fig. 2, b.wav").click()
    sheet = page.get_by_role("dialog", name="b.wav")
    await expect(sheet.get_by_role("img", name="Image of b.wav")).to_be_visible()
    await expect(sheet.locator("#viewer-lead")).to_contain_text("the sound is")
    rows = sheet.locator("#viewer-explanation li")
    await expect(rows).to_have_count(6)
    await expect(rows.first.locator(".explanation__effect")).to_contain_text("makes")
    await sheet.get_by_text("How it was made").click()
    facts = sheet.locator("#viewer-provenance")
    for fact in ("scripted-embedded", "4711", "EulerDiscreteScheduler", "in 24 hours"):
        await expect(facts).to_contain_text(fact)
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("dialog", name="a.wav")).to_be_visible()
    await expect(page.get_by_role("button", name="Older")).to_be_disabled()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_the_help_explains_every_rule(page):
    await page.get_by_role("button", name="How to read a figure").click()
    rules = page.get_by_role("dialog", name="How to read a figure").get_by_role("row")
    await expect(rules).to_have_count(15)
    await page.get_by_role("button", name="Close").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_a_lost_recording_can_be_chosen_again_but_only_the_same(page, clip, draw):
    await draw(page, clip("a.wav"))
    await expect(page.locator(".image-card .player__spectrogram")).to_be_visible()
    await page.evaluate(FORGET_RECORDINGS)
    await page.reload()
    missing = page.locator(".player__missing")
    await expect(missing).to_contain_text("The recording is not in this browser.")
    await page.locator(".image-card").get_by_role("button", name="Another seed").click()
    await expect(page.locator(".toast")).to_contain_text("Choose the file again to go on.")
    for pitch_hz in (300, 440):
        async with page.expect_file_chooser() as choice:
            await missing.get_by_role("button", name="Choose it again").click()
        await (await choice.value).set_files(clip("again.wav", pitch_hz=pitch_hz))
        if pitch_hz == 300:
            await expect(page.locator(".toast").last).to_contain_text("again.wav is not the recording")
    await expect(missing).to_be_hidden()
    await expect(page.get_by_role("button", name="Play a.wav")).to_be_visible()
