"""A visitor, a browser, and the four real services."""

import shutil

import pytest

playwright_api = pytest.importorskip("playwright.async_api")
expect = playwright_api.expect

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]

TIMEOUT_MS = 90_000


async def test_two_recordings_become_pictures_and_are_compared(cluster, samples, tmp_path):
    async with playwright_api.async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page()
        complaints = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(cluster.http_url)
        await page.set_input_files("#file", samples[:2])
        figures = page.locator(".figure")
        await expect(figures).to_have_count(2, timeout=TIMEOUT_MS)
        for index in range(2):
            image = figures.nth(index).locator("img")
            assert await image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 512
            await figures.nth(index).get_by_role("checkbox").check(force=True)
        await page.get_by_role("button", name="Compare").click()
        await expect(page.locator("#comparison")).to_contain_text("%", timeout=TIMEOUT_MS)
        await page.screenshot(path=tmp_path / "page.png", full_page=True)
        await browser.close()
    assert complaints == []
