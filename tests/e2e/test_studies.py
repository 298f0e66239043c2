"""Music and machines: what is heard in the one, and whether the other sounds as it should."""

from __future__ import annotations

from playwright.async_api import expect


async def test_music_is_heard_written_down_and_played(page, backends, clip):
    await page.get_by_role("link", name="Music").click()
    await expect(page.get_by_role("button", name="calm tune", exact=True)).to_be_visible()
    await page.set_input_files("#music-file", clip("song.wav"))
    facts = page.locator("#music-facts")
    for fact in ("A minor", "75 % sure", "120 beats a minute", "4/4", "2, 1 of them first in a bar"):
        await expect(facts).to_contain_text(fact)
    await expect(page.locator("#music-chords")).to_have_text("Ami")
    await expect(page.get_by_role("img", name="The melody of song.wav as notes")).to_be_visible()
    await page.get_by_role("button", name="Play the notes").click()
    await expect(page.get_by_role("button", name="Stop the notes")).to_be_visible()
    await page.locator("#music-player").get_by_role("button", name="Play song.wav").click()
    await expect(page.get_by_role("button", name="Play the notes")).to_be_visible()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download ABC").click()
    assert (await download.value).suggested_filename == "song.abc"
    await page.get_by_role("button", name="Write prompts").click()
    await expect(page.locator(".prompt")).to_have_count(5)
    await expect(page.locator(".prompt").first).to_contain_text("prompt 0 in A minor")
    await expect(page.locator(".prompt").first).to_contain_text("originality 100 %")
    await expect(page.get_by_role("button", name="Draw: prompt 0")).to_be_visible()
    await page.get_by_role("button", name="Reconstruct").click()
    await expect(page.locator(".reconstruction__figures")).to_contain_text("0.750")
    await expect(page.get_by_role("button", name="Play As it was")).to_be_visible()
    await expect(page.get_by_role("button", name="Play After the autoencoder")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    await page.set_viewport_size({"width": 320, "height": 700})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    await page.go_back()
    await expect(page.locator("#view-music")).to_be_hidden()
    await expect(page.locator("#file")).to_be_attached()


async def test_a_machine_is_taught_judged_followed_and_forgotten(page, backends, clip):
    backends.anomaly.score = 4.5
    await page.get_by_role("link", name="Machines").click()
    await expect(page.locator("#machines-none")).to_be_visible()
    await page.locator("#machines-new-name").fill("pump")
    await page.set_input_files("#machines-normal", [clip("a.wav", seconds=2), clip("b.wav", seconds=3)])
    await expect(page.locator("#machines-collected")).to_have_text("2 recordings, 5 s; a minute is better.")
    await page.get_by_role("button", name="Learn what is normal").click()
    await expect(page.locator("#machines-machine")).to_have_value("pump")
    result = page.locator("#machines-result")
    for name, score, words, level in (
        ("well.wav", 4.5, "Sounds as it should", "high"),
        ("worn.wav", 16.0, "Severe anomaly", "low"),
    ):
        backends.anomaly.score = score
        await page.set_input_files("#machines-file", clip(name))
        await expect(page.locator("#machines-name")).to_have_text(name)
        await expect(page.locator("#machines-label")).to_have_text(words)
        await expect(result).to_have_attribute("data-level", level)
    await expect(page.get_by_role("meter", name="Distance from normal")).to_have_attribute(
        "aria-valuetext", "16.0: Severe anomaly"
    )
    await page.get_by_role("button", name="faulty gearbox").click()
    await expect(page.locator("#machines-name")).to_have_text("gearbox_faulty.mp3")
    await expect(page.locator("#machines-changes")).to_contain_text("Rougher than normal.")
    await expect(page.get_by_role("img", name="Spectrogram; red is what differs")).to_be_visible()
    await expect(page.locator("#machines-trend-figure")).to_be_visible()
    await page.reload()
    await expect(page.locator("#machines-trend-figure")).to_be_visible()
    await page.get_by_text("As a table").click()
    await expect(page.locator("#machines-trend-list tr")).to_have_count(3)
    await page.set_viewport_size({"width": 320, "height": 700})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    await page.get_by_role("button", name="Forget this machine").click()
    await page.get_by_role("button", name="Forget pump for good?").click()
    await expect(page.locator("#machines-none")).to_be_visible()
    assert backends.anomaly.normal_sets == {}
