"""What seldom happens: odd addresses, odd files, answers that come late or never, and what is left undone."""

from __future__ import annotations

import json
import re

from playwright.async_api import expect

from chladni_fakes import solid_png
from chladni_fakes.images import with_text

RATE_HZ = 44100
WAV_HEADER_BYTES = 44
# What a browser records says nowhere how long it is.
CHECK_RECORDED = """async (longest) => {
    const context = new AudioContext();
    const sound = new MediaStreamAudioDestinationNode(context);
    const oscillator = new OscillatorNode(context);
    oscillator.connect(sound);
    oscillator.start();
    const recorder = new MediaRecorder(sound.stream, { mimeType: "audio/webm" });
    const pieces = [];
    recorder.ondataavailable = ({ data }) => pieces.push(data);
    recorder.start();
    await new Promise((resolve) => setTimeout(resolve, 600));
    await new Promise((resolve) => { recorder.onstop = resolve; recorder.stop(); });
    const { checkFile } = await import("/static/scripts/input/file_check.js");
    return checkFile(new File(pieces, "said.webm"), {
        max_audio_bytes: 10 ** 7, min_audio_duration_seconds: 0.1, max_audio_duration_seconds: longest,
    });
}"""
CODE = """async () => {
    const { codeFor } = await import("/static/scripts/gallery/as_code.js");
    const provenance = { prompt: "@/etc/passwd", negative_prompt: "a;type=b", reproducible: true };
    const image = { display_name: 'a;"b".wav', recipe: "embedded", seed: 3, audio: null, provenance };
    return codeFor(image, { origin: "http://here", host: "here" });
}"""
WORDS = """async () => {
    const { formatSeconds } = await import("/static/scripts/ui/format.js");
    return [119.7, 59.6, 30, 0.54].map(formatSeconds);
}"""
# A stereo recording, the left of which is silent.
ONE_SIDED = """async () => {
    const { overviewOf } = await import("/static/scripts/input/waveform.js");
    const view = new DataView(new ArrayBuffer(44 + 4 * 8000));
    const text = (at, letters) =>
        [...letters].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
    text(0, "RIFF"); view.setUint32(4, view.byteLength - 8, true); text(8, "WAVEfmt ");
    view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 2, true);
    view.setUint32(24, 8000, true); view.setUint32(28, 32000, true); view.setUint16(32, 4, true);
    view.setUint16(34, 16, true); text(36, "data"); view.setUint32(40, 4 * 8000, true);
    for (let i = 0; i < 8000; i += 1) view.setInt16(46 + 4 * i, 16384, true);
    const { peaks } = await overviewOf(new File([view], "right.wav"));
    return peaks[360];
}"""


async def test_no_address_empties_the_page_and_closing_the_stage_leaves_it(page, clip, draw):
    address = page.url
    for name in ("toString", "constructor", "nothing"):
        await page.goto(f"{address}#{name}")
        await expect(page.locator("#file")).to_be_attached()
        await expect(page.locator('[data-part="draw"]')).to_be_visible()
    await draw(page, clip())
    image_id = await page.locator(".image-card").get_attribute("data-image-id")
    await page.goto(f"{address}#projector/{image_id}")
    await expect(page.locator("#stage-bar")).to_be_hidden()
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    await expect(page.locator("#stage")).to_be_hidden()
    await page.wait_for_url(lambda url: "projector" not in url)


async def test_numbers_files_and_requests_are_written_so_that_they_are_read_right(page):
    assert await page.evaluate(WORDS) == ["2 min 0 s", "1 min 0 s", "30 s", "0.5 s"]
    assert await page.evaluate(ONE_SIDED) > 0.4
    assert await page.evaluate(CHECK_RECORDED, 30) == {"reason": "", "isLong": False}
    assert (await page.evaluate(CHECK_RECORDED, 0.3))["isLong"] is True
    code = await page.evaluate(CODE)
    assert "--form-string prompt=@/etc/passwd" in code["curl"]
    assert "--form-string negative_prompt='a;type=b'" in code["curl"]
    assert r"""file=@'"a;\"b\".wav"'""" in code["curl"]
    assert code["gRPC"].startswith(r"printf '%s\n' '{")


async def test_an_image_file_may_say_anything(page):
    await page.locator("#settings-panel > summary").click()
    odd = {"seed": 5, "recipe": "gone", "look": "gone", "earlier": None, "prompt": {"a": 1}, "steps": [1]}
    content = with_text(solid_png(8, 8, (1, 2, 3)), "chladni", json.dumps(odd))
    await page.set_input_files("#file", {"name": "odd.png", "mimeType": "image/png", "buffer": content})
    await expect(page.locator(".toast")).to_contain_text("Its recipe cannot be used here")
    await expect(page.get_by_label("Seed")).to_have_value("5")
    await expect(page.get_by_label("Steps")).to_have_value("")
    assert await page.evaluate(
        "[...document.querySelectorAll('#settings select')].every((s) => s.selectedIndex >= 0)"
    )
    await expect(page.get_by_role("radio", name="embedded")).to_be_checked()


async def test_long_recordings_that_come_together_are_asked_about_one_after_the_other(page, backends, clip):
    await page.set_input_files("#file", clip("first.wav", seconds=40))
    chooser = page.get_by_role("dialog", name=re.compile("^Choose up to 30 s of"))
    await expect(chooser).to_have_accessible_name("Choose up to 30 s of first.wav")
    await page.set_input_files("#file", clip("second.wav", seconds=31, pitch_hz=300))
    await page.wait_for_timeout(300)
    await expect(chooser).to_have_accessible_name("Choose up to 30 s of first.wav")
    # A drag that ends beside the sheet does not close it.
    box = await page.locator("#part-start").bounding_box()
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await page.mouse.down()
    await page.mouse.move(2, 2, steps=3)
    await page.mouse.up()
    await chooser.get_by_role("button", name="Draw this part").click()
    await expect(chooser).to_have_accessible_name("Choose up to 30 s of second.wav")
    await chooser.get_by_role("button", name="Draw this part").click()
    await expect(page.locator(".image-card")).to_have_count(2)
    assert {len(request.audio.content) for request in backends.audio_features.requests} == {
        len(clip(seconds=seconds)["buffer"]) for seconds in (40, 31)
    }


async def test_only_the_part_that_was_drawn_is_heard_and_a_link_is_shown_whatever_becomes_of_its_sound(
    visit, address, backends, clip
):
    async with visit(address, complaints="ERR_FAILED") as page:
        await page.set_input_files("#file", clip("talk.wav", seconds=40))
        await page.get_by_role("button", name="Draw this part").click()
        await page.locator("#figure-actions").get_by_role("button", name="Share").click()
        sheet = page.get_by_role("dialog", name="Share Fig. 1, talk.wav")
        await page.route("**/f/audio", lambda route: route.abort())
        await sheet.get_by_label("Let them hear the sound").check()
        await sheet.get_by_role("button", name="Make a link").click()
        await expect(sheet.locator("#share-said")).to_contain_text("The server cannot be reached.")
        await expect(sheet.get_by_text("Its sound cannot be heard there.")).to_be_visible()
        await sheet.get_by_role("button", name="Withdraw").click()
        await page.unroute("**/f/audio")
        await sheet.get_by_role("button", name="Make a link").click()
        await expect(sheet.get_by_text("Its sound can be heard there.")).to_be_visible()
        link = await sheet.get_by_role("textbox", name="Link").input_value()
        size = "link => fetch(link + '/audio').then((r) => r.blob()).then((b) => b.size)"
        seconds = "link => fetch(link + '/reading').then((r) => r.json()).then((b) => b.duration_seconds)"
        drawn = round(await page.evaluate(seconds, link) * RATE_HZ)
        assert await page.evaluate(size, link) == WAV_HEADER_BYTES + 2 * drawn


async def test_what_was_deleted_as_the_page_was_left_is_deleted_by_the_next_one(page, clip, draw, eventually):
    await draw(page, clip("a.wav"), clip("b.wav", pitch_hz=300))
    image_id = await page.locator(".image-card").first.get_attribute("data-image-id")
    await page.evaluate("id => localStorage.setItem('removed-figures', JSON.stringify([id]))", image_id)
    await page.reload()
    await expect(page.locator(".image-card")).to_have_count(1)
    await eventually(
        lambda: page.evaluate(
            "id => fetch('/api/v1/images').then((r) => r.text()).then((t) => !t.includes(id))", image_id
        )
    )
    await eventually(lambda: page.evaluate("localStorage.getItem('removed-figures') === null"))


async def test_an_image_that_was_made_without_a_recording_is_shown(page, clip, draw):
    await draw(page, clip())

    async def without_audio(route):
        answer = await route.fetch()
        body = await answer.json()
        await route.fulfill(json=body | {"images": [image | {"audio": None} for image in body["images"]]})

    await page.route("**/api/v1/images?*", without_audio)
    await page.reload()
    await page.get_by_role("button", name="Look at Fig. 1").click()
    await expect(page.locator("#viewer-explanation li").first).to_be_visible()
    await expect(page.get_by_role("button", name="Newer")).to_be_disabled()


async def test_machines_come_up_after_a_failure_and_only_what_was_asked_about_is_forgotten(
    visit, address, backends, clip
):
    async with visit(address, complaints="ERR_FAILED") as page:
        await page.route("**/api/v1/anomaly/normal-sets", lambda route: route.abort())
        await page.get_by_role("link", name="Machines").click()
        await expect(page.locator(".toast")).to_contain_text("The server cannot be reached.")
        await page.get_by_role("link", name="Draw").click()
        await page.unroute("**/api/v1/anomaly/normal-sets")
        await page.get_by_role("link", name="Machines").click()
        await expect(page.locator("#machines-none")).to_be_visible()
        for name in ("fan", "pump"):
            if name == "pump":
                await page.get_by_text("Teach a machine").click()
            await page.locator("#machines-new-name").fill(name)
            await page.set_input_files("#machines-normal", clip(seconds=40))
            await page.get_by_role("button", name="Use this part").click()
            await expect(page.locator("#machines-collected")).to_have_text(
                "1 recording, 30 s; a minute is better."
            )
            await page.get_by_role("button", name="Learn what is normal").click()
            await expect(page.locator("#machines-machine")).to_have_value(name)
        for created in backends.anomaly.created:
            assert [len(audio.content) for audio in created.audio] == [WAV_HEADER_BYTES + 2 * 30 * RATE_HZ]
        await expect(page.get_by_role("button", name="faulty gearbox")).to_have_count(1)
        await page.get_by_role("button", name="Forget this machine").click()
        await page.locator("#machines-machine").select_option("fan")
        await page.get_by_role("button", name="Forget this machine").click()
        await page.get_by_role("button", name="Forget fan for good?").click()
        await expect(page.locator("#machines-machine")).to_have_value("pump")
        assert set(backends.anomaly.normal_sets) == {"pump"}
