"""Similarity on the page: two images and their gauge, many in a matrix, and those most similar to one."""

from __future__ import annotations

from playwright.async_api import expect

# Scores around both borders, where what is shown decides: 29.4 % is shown as 29 %, 29.6 % as 30 %.
BORDERS = [
    (0.0, "0%", "low"),
    (0.294, "29%", "low"),
    (0.296, "30%", "medium"),
    (0.3, "30%", "medium"),
    (0.5, "50%", "medium"),
    (0.7, "70%", "medium"),
    (0.704, "70%", "medium"),
    (0.706, "71%", "high"),
    (0.99, "99%", "high"),
]
CELL_COLORS = """async () => {
    const { renderMatrix } = await import("/static/scripts/compare/matrix.js");
    const label = { image: { image_url: "data:," }, number: "", name: "" };
    const scores = Array.from({ length: 101 }, (_, percent) => percent / 100);
    return scores.map((score) => {
        const result = { scores: [[1, score], [score, 1]], percentages: [["", ""], ["", ""]] };
        const matrix = renderMatrix([label, label], result, {});
        const { backgroundColor, color } = matrix.querySelectorAll(".matrix__cell")[1].style;
        return [backgroundColor, color];
    });
}"""
STYLE_OF = "(element, name) => getComputedStyle(element)[name]"


def rgb(color):
    return tuple(int(value) for value in color.removeprefix("rgb(").removesuffix(")").split(","))


def level_of(color):
    """Red, yellow or green."""
    red, green, blue = rgb(color)
    if green > red:
        return "high"
    return "low" if red > 1.5 * green else "medium" if green > 1.4 * blue else "none of them"


async def test_the_gauge_is_red_below_30_yellow_to_70_and_green_above(page, backends, clip, draw, select):
    await draw(page, clip("a.wav", pitch_hz=200))
    await draw(page, clip("b.wav", pitch_hz=300))
    await select(page, 0, 1)
    gauge, percentage = page.locator("#gauge"), page.locator("#percentage")
    for score, shown, level in BORDERS:
        backends.similarity.score = score
        await page.get_by_role("button", name="Compare").click()
        await expect(page.locator("#verdict")).to_have_attribute("data-level", level)
        await expect(gauge).to_have_attribute("aria-valuenow", shown.removesuffix("%"))
        await expect(percentage).to_have_text(shown)
        await expect(gauge).to_have_css("--score", str(score).removesuffix(".0"))
        for color_scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=color_scheme)
            colors = {
                await percentage.evaluate(STYLE_OF, "color"),
                await page.locator(".gauge__fill").evaluate(STYLE_OF, "backgroundColor"),
            }
            assert len(colors) == 1
            assert level_of(colors.pop()) == level, score
    assert float((await percentage.evaluate(STYLE_OF, "fontSize")).removesuffix("px")) > 50
    captions = page.locator("#comparison figcaption:visible")
    await expect(captions).to_have_text(["Fig. 2, b.wav", "Fig. 1, a.wav"])


async def test_equal_images_are_one_and_the_same(page, clip, draw, select):
    await draw(page, clip())
    await draw(page, clip())
    await select(page, 0, 1)
    await page.get_by_role("button", name="Compare").click()
    await expect(page.locator("#percentage")).to_have_text("100%")
    await expect(page.locator("#verdict-words")).to_have_text("One and the same.")
    await expect(page.get_by_role("meter", name="Similarity")).to_have_attribute(
        "aria-valuetext", "100% alike"
    )
    await page.get_by_role("button", name="Close").click()
    await expect(page.locator("#comparison")).to_be_hidden()


async def test_several_make_a_matrix_whose_cells_lead_to_their_pair(page, clip, draw, select):
    for pitch_hz in (200, 300, 400):
        await draw(page, clip(f"{pitch_hz}.wav", pitch_hz=pitch_hz))
    await select(page, 0)
    await expect(page.locator("#selection-text")).to_have_text("Select one more to compare.")
    await expect(page.get_by_role("button", name="Compare")).to_be_disabled()
    await select(page, 1)
    await expect(page.locator("#selection-text")).to_have_text("Fig. 3 and Fig. 2")
    await select(page, 2)
    await expect(page.locator("#selection-text")).to_have_text("3 figures")
    async with page.expect_response("**/api/v1/compare/matrix") as answer:
        await page.get_by_role("button", name="Compare all").click()
    matrix = page.get_by_role("region", name="Similarity matrix")
    await expect(matrix.get_by_role("columnheader")).to_have_text(["Fig. 3", "Fig. 2", "Fig. 1"])
    await expect(matrix.get_by_role("rowheader")).to_have_text(["Fig. 3", "Fig. 2", "Fig. 1"])
    cells = [int(text) for text in await matrix.locator(".matrix__cell").all_text_contents()]
    rows = [cells[start : start + 3] for start in (0, 3, 6)]
    told = (await (await answer.value).json())["percentages"]
    assert [[f"{percent}%" for percent in row] for row in rows] == told
    assert [rows[i][i] for i in range(3)] == [100, 100, 100]
    assert rows == [list(column) for column in zip(*rows, strict=True)]
    backgrounds = [
        rgb(await cell.evaluate(STYLE_OF, "backgroundColor"))
        for cell in await matrix.locator(".matrix__cell").all()
    ]
    by_score = [sum(color) for _, color in sorted(zip(cells, backgrounds, strict=True))]
    assert by_score == sorted(by_score), "the more alike, the lighter"
    await matrix.get_by_role("button", name="Fig. 2 and Fig. 1").click()
    await expect(page.locator("#pair figcaption")).to_have_text(["Fig. 2, 300.wav", "Fig. 1, 200.wav"])


async def test_every_cell_of_a_matrix_can_be_read(page):
    """WCAG 2.2, 1.4.3: text contrasts with its background by at least 4.5 to 1."""
    colors = await page.evaluate(CELL_COLORS)
    assert len(colors) == 101
    for percent, (background, text) in enumerate(colors):
        darker, lighter = sorted((luminance(background), luminance(text)))
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, percent


def luminance(color):
    shares = [value / 255 for value in rgb(color)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


async def test_those_alike_come_best_first_and_lead_to_their_pair(page, clip, draw, select):
    await draw(page, clip("200.wav", pitch_hz=200))
    await page.locator(".image-card__open").click()
    await page.get_by_role("dialog").get_by_role("button", name="Find alike").click()
    await expect(page.locator("#similar")).to_have_text(
        "There is no other figure yet. Make some more, then ask again."
    )
    for pitch_hz in (300, 400, 500):
        await draw(page, clip(f"{pitch_hz}.wav", pitch_hz=pitch_hz))
    await select(page, 0)
    await page.locator("#find-alike").click()
    similar = page.get_by_role("list", name="Figures alike to 500.wav, most alike first")
    await expect(similar.get_by_role("listitem")).to_have_count(3)
    shown = await similar.locator(".similar__score").all_text_contents()
    percents = [int(text.split("%")[0]) for text in shown]
    assert percents == sorted(percents, reverse=True)
    buttons = await similar.get_by_role("button").all()
    levels = [await button.get_attribute("data-level") for button in buttons]
    assert levels == ["low" if p < 30 else "high" if p > 70 else "medium" for p in percents]
    await similar.get_by_role("button").first.click()
    await expect(page.locator("#pair")).to_be_visible()
    await expect(page.locator("#first-name")).to_have_text("Fig. 4, 500.wav")


async def test_a_comparison_that_fails_says_so_and_goes(visit, address, backends, clip, draw, select):
    async with visit(address, complaints="status of 503") as page:
        await draw(page, clip("a.wav", pitch_hz=200), clip("b.wav", pitch_hz=300))
        await select(page, 0, 1)
        await backends.servers["similarity"].kill()
        await page.get_by_role("button", name="Compare").click()
        await expect(page.locator(".toast")).to_contain_text("similarity")
        await expect(page.locator("#comparison")).to_be_hidden()
