"""How the page looks: light and dark, still if that is wanted, from phones to wide screens."""

from __future__ import annotations

from playwright.async_api import expect

WIDTHS_PIXELS = (320, 390, 820, 1440)
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
SAND = "document.querySelector('#sand').toDataURL()"
FRAMES = """() => new Promise((resolve) => {
    let left = 30;
    const next = () => ((left -= 1) > 0 ? requestAnimationFrame(next) : resolve());
    requestAnimationFrame(next);
})"""
RUNNING_ANIMATIONS = "document.getAnimations().filter((a) => a.playState === 'running').length"
SMALL_TARGETS = """() => [...document.querySelectorAll("button, a, summary, input:not([type=radio])")]
    .filter((element) => element.checkVisibility() && !element.closest("p:has(> a)"))
    .map((element) => [element.outerHTML.slice(0, 80), element.getBoundingClientRect()])
    .filter(([, box]) => box.width > 1 && (box.width < 24 || box.height < 24))
    .map(([html]) => html)"""


async def test_light_and_dark_follow_the_system_until_someone_chooses(visit, address, backends):
    async with visit(address, color_scheme="dark") as page:
        button = page.get_by_role("button", name="Dark")
        await expect(button).to_have_attribute("aria-pressed", "true")
        dark = await page.evaluate(BACKGROUND)
        await page.emulate_media(color_scheme="light")
        await expect(button).to_have_attribute("aria-pressed", "false")
        light = await page.evaluate(BACKGROUND)
        assert light != dark
        await button.click()
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        assert await page.evaluate(BACKGROUND) == dark
        await page.reload()
        await expect(button).to_have_attribute("aria-pressed", "true")
        assert await page.evaluate(BACKGROUND) == dark
        await button.click()
        await expect(button).to_have_attribute("aria-pressed", "false")
        assert await page.evaluate(BACKGROUND) == light


async def test_the_sand_moves(visit, address, backends, eventually):
    async with visit(address, reduced_motion="no-preference") as page:
        before = await page.evaluate(SAND)
        await eventually(lambda: differs(page, before))


async def differs(page, before):
    return await page.evaluate(SAND) != before


async def test_nothing_moves_where_that_is_not_wanted(page, backends, clip):
    before = await page.evaluate(SAND)
    await page.evaluate(FRAMES)
    assert await page.evaluate(SAND) == before
    backends.image_generation.may_go_on.clear()
    await page.set_input_files("#file", clip())
    await expect(page.locator("#status")).to_have_text("Step 1 of 4.")
    assert await page.evaluate(RUNNING_ANIMATIONS) == 0
    before = await page.evaluate(SAND)
    await page.evaluate(FRAMES)
    assert await page.evaluate(SAND) == before
    backends.image_generation.may_go_on.set()
    await expect(page.locator(".image-card")).to_have_count(1)


async def test_nothing_sticks_out_at_any_width(page, clip, draw, select):
    async def check(sheet=None):
        for width in WIDTHS_PIXELS:
            await page.set_viewport_size({"width": width, "height": 800})
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            if sheet:
                assert await sheet.evaluate("sheet => sheet.scrollWidth <= sheet.clientWidth"), width

    await check()
    await page.locator("#settings-panel > summary").click()
    long_name = f"{'a very long name ' * 8}.wav"
    await draw(page, clip(long_name))
    await draw(page, clip("b.wav", pitch_hz=300), clip("c.wav", pitch_hz=400))
    await page.set_input_files("#file", clip(long_name) | {"buffer": b"not a sound"})
    await expect(page.locator(".toast")).to_be_visible()
    await check()
    await page.set_viewport_size({"width": 320, "height": 800})
    await select(page, 0, 2)
    await page.locator("#compare").click(timeout=5000)  # No message covers it, which would be gone later.
    await expect(page.locator("#percentage")).to_have_text("50%")
    await check()
    await select(page, 1)
    await page.locator("#compare").click()
    await expect(page.locator("#matrix")).to_be_visible()
    await check()
    await page.locator(".image-card__open").last.click()
    await expect(page.locator("#viewer")).to_be_visible()
    await check(page.locator("#viewer"))
    await page.keyboard.press("Escape")
    await page.locator("#help-open").click()
    await check(page.locator("#help"))


async def test_a_phone_does_it_all_by_touch(visit, address, backends, clip):
    phone = {
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 3,
        "has_touch": True,
        "is_mobile": True,
    }
    async with visit(address, **phone) as page:
        for count, pitch_hz in enumerate((200, 300), start=1):
            async with page.expect_file_chooser() as choice:
                await page.locator("#file").tap()
            await (await choice.value).set_files(clip(f"{pitch_hz}.wav", pitch_hz=pitch_hz))
            await expect(page.locator(".image-card")).to_have_count(count)
        for place in (0, 1):
            await page.locator(".image-card__select input").nth(place).tap()
        await page.locator("#compare").tap()
        await expect(page.locator("#percentage")).to_be_in_viewport()
        assert await page.evaluate("document.documentElement.scrollWidth") == 390
        assert await page.evaluate(SMALL_TARGETS) == []
        await page.locator("#clear-selection").tap()
        await page.locator(".image-card__open").first.tap()
        await expect(page.get_by_role("dialog")).to_be_visible()
        assert await page.evaluate(SMALL_TARGETS) == []
        await page.get_by_role("dialog").get_by_role("button", name="Close").tap()
        await expect(page.get_by_role("dialog")).to_have_count(0)
