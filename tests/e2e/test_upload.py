"""Recordings come in: by drop, by choice, by paste; what cannot be used is refused before it is sent."""

from __future__ import annotations

import re

from playwright.async_api import expect

from chladni_fakes import families

HAND_OVER = """([contents, kind]) => {
    const transfer = new DataTransfer();
    contents.forEach((bytes, index) =>
        transfer.items.add(new File([new Uint8Array(bytes)], `given ${index + 1}.wav`)));
    const options = { bubbles: true, cancelable: true };
    const panel = document.querySelector("#preview-panel");
    if (kind === "paste") {
        panel.dispatchEvent(new ClipboardEvent("paste", { ...options, clipboardData: transfer }));
        return false;
    }
    const event = (name) => new DragEvent(name, { ...options, dataTransfer: transfer });
    panel.dispatchEvent(event("dragenter"));
    const isMarked = panel.hasAttribute("data-over");
    panel.dispatchEvent(event("drop"));
    return isMarked;
}"""


IS_SENDING = r"""() => {
    const isSaid = /^Sending, [1-9]\d? % done\.$/.test(document.querySelector("#status").textContent);
    const sent = Number(document.querySelector("#bar").getAttribute("value"));
    return isSaid && 0 < sent && sent < 1;
}"""


async def test_limits_and_formats_are_said_up_front(page):
    limits = page.locator("#limits")
    await expect(limits).to_have_text(
        "WAV, MP3, FLAC, OGG, M4A, WebM, AAC, AMR, AIFF or CAF · 0.1 s to 30 s · up to 10 MB each"
    )
    await expect(page.locator("#file")).to_have_attribute(
        "accept", re.compile(r"audio/\*,\.wav,.*\.mp3,.*\.flac,\.ogg,.*\.m4a,.*\.webm")
    )
    await expect(page.locator("#file")).to_have_attribute("aria-describedby", "limits")


async def test_files_may_be_dropped_and_pasted_several_at_once(page, clip):
    for kind, count in (("drop", 2), ("paste", 4)):
        contents = [list(clip(pitch_hz=pitch_hz)["buffer"]) for pitch_hz in (220, 330)]
        was_marked = await page.evaluate(HAND_OVER, [contents, kind])
        assert was_marked == (kind == "drop")
        await expect(page.locator(".image-card")).to_have_count(count)
    names = await page.locator(".image-card__name").all_text_contents()
    assert sorted(names) == ["given 1.wav", "given 1.wav", "given 2.wav", "given 2.wav"]
    await expect(page.locator("#preview-panel")).not_to_have_attribute("data-over", "")


async def test_files_may_be_chosen_several_at_once_and_the_same_again(page, clip):
    for count in (2, 4):
        async with page.expect_file_chooser() as choice:
            await page.locator("#file").click()
        chooser = await choice.value
        assert chooser.is_multiple()
        await chooser.set_files([clip("a.wav"), clip("b.wav", pitch_hz=300)])
        await expect(page.locator(".image-card")).to_have_count(count)


async def test_a_file_that_cannot_be_used_is_refused_with_the_reason_before_it_is_sent(
    page, backends, clip, tmp_path
):
    album = tmp_path / "album.wav"
    album.write_bytes(clip()["buffer"] + bytes(10 * 2**20))
    refused = {
        "not a recording in a known format": clip("notes.wav") | {"buffer": b"only text"},
        "the file is empty": clip("nothing.wav") | {"buffer": b""},
        "50 ms is too short; at least 0.1 s": clip("blip.wav", seconds=0.05),
        "the file is over 10 MB, the limit": album,
    }
    toast = page.locator(".toast")
    for reason, file in refused.items():
        await page.set_input_files("#file", file)
        await expect(toast).to_contain_text(reason)
        await expect(toast).to_contain_text(file["name"] if isinstance(file, dict) else file.name)
        await expect(toast).to_have_attribute("role", "alert")
        await toast.get_by_role("button", name="Dismiss").click()
        await expect(toast).to_have_count(0)
    await expect(page.locator("#job-panel")).to_be_hidden()
    assert backends.audio_features.requests == []


async def test_of_a_long_recording_a_part_is_chosen_by_dragging_or_by_keys(page, backends, clip):
    chooser = page.get_by_role("dialog", name="Choose up to 30 s of lecture.wav")
    await page.set_input_files("#file", clip("lecture.wav", seconds=40))
    await chooser.get_by_role("button", name="Cancel").click()
    await expect(chooser).to_be_hidden()
    assert backends.audio_features.requests == []

    await page.set_input_files("#file", clip("lecture.wav", seconds=40))
    start, length = (chooser.get_by_role("slider", name=name) for name in ("Start", "Length"))
    await start.press("Home")
    await expect(page.locator("#part-words")).to_have_text("0:00 to 0:30 of 0:40, 30 s")
    await start.press("End")
    await expect(page.locator("#part-words")).to_have_text("0:10 to 0:40 of 0:40, 30 s")
    await start.press("Home")
    await length.press("Home")
    await expect(length).to_have_attribute("aria-valuetext", "1 s")
    box = await page.locator("#part-wave").bounding_box()
    await page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 20, steps=3)
    await page.mouse.up()
    await expect(start).to_have_attribute("aria-valuetext", "from 0:29")
    await chooser.get_by_role("button", name="Draw this part").click()
    await expect(page.locator(".image-card")).to_have_count(1)
    audio = backends.audio_features.requests[-1].audio
    assert audio.end.ToMilliseconds() - audio.start.ToMilliseconds() == 1000
    assert abs(audio.start.ToMilliseconds() - 29_500) < 200

    # What is too large to be sent whole is cut out here.
    await page.set_input_files("#file", clip("lecture.wav", seconds=240))
    await chooser.get_by_role("button", name="Draw this part").click()
    await expect(page.locator(".image-card")).to_have_count(2)
    audio = backends.audio_features.requests[-1].audio
    assert not audio.HasField("start")
    assert audio.content.startswith(b"RIFF")
    assert len(audio.content) == 44 + 2 * 30 * 44100


async def test_good_files_go_through_beside_a_wrong_one(page, clip):
    wrong = clip("notes.txt") | {"buffer": b"no sound at all"}
    await page.set_input_files("#file", [clip("a.wav"), wrong, clip("b.wav", pitch_hz=300)])
    await expect(page.locator(".image-card")).to_have_count(2)
    await expect(page.locator(".toast")).to_have_count(1)
    await expect(page.locator(".toast")).to_contain_text("notes.txt")


async def test_a_slow_upload_tells_how_far_it_is(page, clip):
    client = await page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 400_000}
    await client.send("Network.emulateNetworkConditions", slow)
    await page.set_input_files("#file", clip("long.wav", seconds=20))
    await expect(page.locator('[data-step="send"]')).to_have_attribute("aria-current", "step")
    # Both at one moment: the upload goes on meanwhile.
    await page.wait_for_function(IS_SENDING)
    await expect(page.locator(".image-card")).to_have_count(1)


async def test_settings_are_used_and_a_wrong_one_is_marked(visit, address, backends, clip, draw):
    async with visit(address, complaints="status of 400") as page:
        panel = page.locator("#settings-panel")
        await page.locator("#settings-panel > summary").click()
        await expect(panel.get_by_role("radio", name="embedded")).to_be_checked()
        await expect(panel).to_contain_text("1 to 150; more take longer")
        steps = page.get_by_label("Steps")
        await steps.fill("999")
        await page.set_input_files("#file", clip())
        await expect(page.locator(".toast")).to_contain_text("must be from 1 to 150")
        await expect(steps).to_have_attribute("aria-invalid", "true")
        await page.get_by_role("button", name="Dismiss voice.wav").click()
        await steps.fill("3")
        await expect(steps).not_to_have_attribute("aria-invalid", "true")
        await page.get_by_label("Seed").fill("12")
        await page.get_by_label("Scheduler").fill("DDIMScheduler")
        await draw(page, clip())
        await expect(page.locator(".image-card .image-card__facts")).to_contain_text("seed 12 · 3 steps")
        request, _ = backends.image_generation.requests[-1]
        options = request.options
        assert (options.seed, options.steps, options.scheduler) == (12, 3, "DDIMScheduler")
        await page.get_by_role("button", name=re.compile("^Back to the model.s choice$")).click()
        await expect(steps).to_have_value("")
        await expect(panel.get_by_role("radio", name="embedded")).to_be_checked()


async def test_a_recipe_that_cannot_be_used_says_why(visit, address, backends):
    backends.image_generation.models = [families.embedded("another-space")]
    async with visit(address) as page:
        await expect(page.locator("#notice")).to_contain_text("Images cannot be made now.")
        await expect(page.locator("#notice")).to_contain_text("another-space")
        await page.locator("#settings-panel > summary").click()
        await expect(page.locator(".recipe__state")).to_have_text(["not available here"] * 6)
        embedded = page.locator(".recipe").first
        await expect(embedded.locator(".recipe__unavailable")).to_contain_text("Configure image-generation")
