"""Everything can be done by keyboard alone, and the focus is never lost."""

from __future__ import annotations

from playwright.async_api import expect

FOCUS = """() => {
    const { activeElement: at } = document;
    return at.id || at.getAttribute("aria-label") || at.textContent.trim() || at.tagName;
}"""
HAS_RING = """() => {
    const at = document.activeElement;
    const shown = [at, at.nextElementSibling, at.parentElement].filter(Boolean);
    return shown.some((element) => getComputedStyle(element).outlineStyle === "solid");
}"""


async def tab_to(page, wanted, *, key="Tab", at_most=60):
    """Presses a key until the focus is on what is wanted; every stop on the way shows that it has it."""
    for _ in range(at_most):
        await page.keyboard.press(key)
        name = await page.evaluate(FOCUS)
        assert await page.evaluate(HAS_RING), f"{name} does not show that it has the focus"
        if name.startswith(wanted):
            return
    raise AssertionError(f"{wanted} is not reached")


def answer_choosers(page, *files):
    """Gives files to whatever asks for some. (Waiting for a chooser would begin too late for a key.)"""
    page.on("filechooser", lambda chooser: chooser.set_files(list(files)))


async def test_the_order_is_that_of_the_page_and_the_first_stop_leads_past_its_head(page):
    reached = []
    await expect(page.locator(".sample")).to_have_count(8)
    for _ in range(28):
        await page.keyboard.press("Tab")
        reached.append(await page.evaluate(FOCUS))
    tried = reached[8:24]
    assert (tried[0], tried[1]) == ("Draw calm tune", "Play calm tune")
    assert all(name.startswith(("Draw ", "Play ")) for name in tried)
    assert reached[:8] + reached[24:] == [
        "Skip to the recording",
        "Draw",
        "Music",
        "Film",
        "Machines",
        "help-open",
        "theme",
        "file",
        "record",
        "play-file",
        "Recipe and settings",
        "The API",
    ]
    await page.reload()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("#file")).to_be_focused()


async def test_from_a_recording_to_a_comparison_without_a_mouse(page, clip):
    answer_choosers(page, clip("a.wav", pitch_hz=200), clip("b.wav", pitch_hz=300))
    await tab_to(page, "file")
    await page.keyboard.press("Enter")
    await expect(page.locator(".image-card")).to_have_count(2)
    for count in (1, 2):
        await tab_to(page, "Look at Fig.")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Space")
        await expect(page.locator(".image-card__select :checked")).to_have_count(count)
    await tab_to(page, "compare")
    await page.keyboard.press("Enter")
    await expect(page.locator("#percentage")).to_have_text("50%")
    await expect(page.locator("#comparison")).to_be_focused()
    await tab_to(page, "comparison-close")
    await page.keyboard.press("Enter")
    await expect(page.locator("#collection-title")).to_be_focused()


async def test_a_sheet_holds_the_focus_and_gives_it_back(page, clip, draw):
    await draw(page, clip("a.wav"))
    await tab_to(page, "Look at Fig. 1")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    for _ in range(12):
        await page.keyboard.press("Tab")
        assert await page.evaluate(
            "document.activeElement === document.body || Boolean(document.activeElement.closest('dialog'))"
        )
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_role("button", name="Look at Fig. 1, a.wav")).to_be_focused()


async def test_after_deleting_the_focus_is_on_the_next_image(page, clip, draw):
    for name, pitch_hz in (("a.wav", 200), ("b.wav", 300)):
        await draw(page, clip(name, pitch_hz=pitch_hz))
    for left, focused in ((1, "Look at Fig. 1, a.wav"), (0, "collection-title")):
        await tab_to(page, "Delete: Fig.")
        await page.keyboard.press("Enter")
        await expect(page.locator(".image-card")).to_have_count(left)
        assert await page.evaluate(FOCUS) == focused


async def test_a_job_is_cancelled_by_keyboard(page, backends, clip, eventually):
    backends.image_generation.may_go_on.clear()
    answer_choosers(page, clip())
    await tab_to(page, "file")
    await page.keyboard.press("Enter")
    await expect(page.locator("#status")).to_have_text("Step 1 of 4.")
    await tab_to(page, "cancel")
    await page.keyboard.press("Enter")
    await expect(page.locator("#job-panel")).to_be_hidden()
    await expect(page.locator("#file")).to_be_focused()
    await eventually(lambda: backends.image_generation.running == 0)
