"""Films on the page: asked for, followed, watched, downloaded, stopped, resumed and deleted."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from chladni_contract.errors import Reason, UnavailableError

SEEN_PIXELS = "video => video.videoWidth"
PASTE = """() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(["RIFF"], "pasted.wav"));
    document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer }));
}"""
HOLD_NEXT_FILE = """() => {
    const read = Blob.prototype.arrayBuffer;
    const mayRead = new Promise((then) => (window.go = then));
    Blob.prototype.arrayBuffer = async function () {
        Blob.prototype.arrayBuffer = read;
        await mayRead;
        return read.call(this);
    };
}"""


@pytest.fixture
def begin(clip):
    """Opens the part for films and asks for one of a song."""

    async def beginning(page, name="song.wav"):
        await page.get_by_role("link", name="Film", exact=True).click()
        await expect(page.get_by_role("button", name="Make the film")).to_be_visible()
        await page.set_input_files("#films-file", clip(name, seconds=4))
        await expect(page.locator("#films-song")).to_contain_text(f"{name} · 4 s · ")
        await page.get_by_role("button", name="Make the film").click()

    return beginning


async def test_a_song_becomes_a_film_that_is_followed_watched_and_downloaded(
    page, backends, films, begin, eventually
):
    films.may_go_on.clear()
    await page.get_by_role("link", name="Film", exact=True).click()
    await expect(page.locator("#films-limits")).to_have_text(
        "A song of 3 s to 10 min, up to 200 MB. At most 8 films, each kept for 24 hours."
    )
    await page.get_by_role("button", name="Make the film").click()
    await expect(page.locator("#films-refusal")).to_have_text("Choose a song first.")
    look = page.locator("#films-form [name=look]")
    assert (
        await look.locator("option").all_text_contents()
        == await page.locator("#settings [name=look] option").all_text_contents()
    )
    await look.select_option("water")
    await page.get_by_label("Shape of the visualiser").select_option("576x1024")
    await begin(page)
    film = page.get_by_role("listitem").filter(has_text="song.wav")
    status = film.locator(".film__status")
    await expect(status).to_have_text("Making the loop, 42 % done, about 5 min 11 s left.")
    await expect(film.get_by_role("img", name="The cover of song.wav")).to_be_visible()
    await expect(page.locator("#films-song")).to_be_hidden()

    await page.get_by_label("Cover, square").uncheck()
    await page.reload()
    await expect(status).to_contain_text("42 % done")
    await expect(look).to_have_value("water")
    await expect(page.get_by_label("Shape of the visualiser")).to_have_value("576x1024")
    await expect(page.get_by_label("Cover, square")).not_to_be_checked()
    await expect(page.get_by_label("Loop, upright, without a seam")).to_be_checked()
    films.may_go_on.set()
    await expect(status).to_have_text("Done. The server removes it in 24 hours.")
    await expect(film.get_by_role("progressbar")).to_be_hidden()
    visualizer = film.get_by_label("The visualiser of song.wav")
    await eventually(lambda: visualizer.evaluate(SEEN_PIXELS))
    assert await film.get_by_label("The loop of song.wav").evaluate("video => video.loop")
    await page.set_viewport_size({"width": 320, "height": 700})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    cover = film.get_by_role("link", name="Download the cover")
    async with page.expect_download() as download:
        await cover.click()
    assert (await download.value).suggested_filename == "song-cover.png"
    await page.get_by_role("link", name="Draw", exact=True).click()
    await expect(film).to_be_hidden()
    await page.get_by_role("link", name="Film", exact=True).click()
    for file in (visualizer, film.get_by_label("The loop of song.wav"), cover):
        await expect(file).to_be_visible()


async def test_a_film_is_stopped_goes_on_and_fails_with_what_to_do(page, backends, films, begin):
    films.may_go_on.clear()
    await begin(page)
    film = page.locator(".film")
    await film.get_by_role("button", name="Cancel").click()
    await expect(film.locator(".film__status")).to_contain_text("Stopped at 42 %; it can go on from there.")
    films.error = UnavailableError(Reason.BACKEND_UNAVAILABLE, "Image generation does not answer.")
    films.may_go_on.set()
    await film.get_by_role("button", name="Go on").click()
    await expect(film.locator(".film__status")).to_contain_text("It could not be made.")
    await expect(film.locator(".film__fault")).to_have_text(
        "Image generation does not answer. Try again in a moment."
    )
    await film.get_by_role("button", name="Delete: song.wav").click()
    await film.get_by_role("button", name="Delete its files for good?").click()
    await expect(page.locator("#films-empty")).to_be_visible()


async def test_songs_that_cannot_be_used_are_refused_before_they_are_sent(page, films, clip):
    async def take_less(route):
        answer = await route.fetch()
        body = await answer.json()
        body["limits"] |= {"max_song_bytes": 200_000, "max_song_duration_seconds": 4.0}
        await route.fulfill(response=answer, json=body)

    await page.route("**/api/v1/films", take_less)
    sent = []
    page.on("request", lambda request: request.method == "POST" and sent.append(request.url))
    await page.get_by_role("link", name="Film", exact=True).click()
    await expect(page.get_by_text("A song of 3 s to 4 s")).to_be_visible()
    for file, words in (
        (clip("notes.txt") | {"buffer": b"no sound"}, "not a recording in a known format"),
        (clip("short.wav", seconds=1), "1 s is too short; a song has at least 3 s."),
        (clip("large.wav", seconds=5), "the file is over 195 kB, the limit of songs."),
        (clip("long.wav", seconds=4.4), "4.4 s is too long; at most 4 s are allowed."),
    ):
        await page.set_input_files("#films-file", file)
        await expect(page.locator("#films-refusal")).to_contain_text(f"{file['name']}: {words}")
    assert sent == []


async def test_a_server_without_films_says_so_and_to_its_operator_why(visit, own_gateway):
    gateway = await own_gateway(max_films=0)
    async with visit(gateway.address, complaints="status of 501") as page:
        await page.get_by_role("link", name="Film", exact=True).click()
        await expect(page.get_by_text("This server makes no films.")).to_be_visible()
        await expect(page.locator("#films-offer")).to_be_hidden()
        await page.get_by_text("For the operator", exact=True).click()
        await expect(page.locator("#films-operator")).to_contain_text("chladni-gateway[film]")


async def test_a_song_that_comes_before_the_limits_is_refused_and_the_last_one_chosen_counts(
    page, films, clip
):
    may_answer = asyncio.Event()

    async def wait(route):
        await may_answer.wait()
        await route.continue_()

    await page.route("**/api/v1/films", wait)
    await page.get_by_role("link", name="Film", exact=True).click()
    await expect(page.locator("#films-offer")).to_be_attached()
    await page.set_input_files("#films-file", clip("early.wav", seconds=4))
    refusal, song = page.locator("#films-refusal"), page.locator("#films-song")
    await expect(refusal).to_contain_text("early.wav: the server has not said yet what songs it takes.")
    await page.evaluate(PASTE)
    await expect(page.locator(".toast")).to_contain_text("The server has not said yet what songs it takes.")
    may_answer.set()
    await expect(refusal).to_be_visible()

    await page.evaluate(HOLD_NEXT_FILE)
    await page.set_input_files("#films-file", clip("first.wav", seconds=4))
    await page.set_input_files("#films-file", clip("second.wav", seconds=4))
    await expect(song).to_contain_text("second.wav")
    await page.evaluate("go()")
    may_answer.clear()
    await page.get_by_role("button", name="Make the film").click()
    await expect(page.locator("#films-sent")).to_contain_text("second.wav")
    await page.set_input_files("#films-file", clip("third.wav", seconds=4))
    await expect(song).to_contain_text("third.wav")
    may_answer.set()
    await expect(page.locator(".film__name")).to_have_text("second.wav")
    await expect(song).to_contain_text("third.wav")


async def test_a_deleted_film_does_not_come_back_with_an_answer_from_before(page, films, begin):
    await begin(page)
    film = page.locator(".film")
    await expect(film.locator(".film__status")).to_contain_text("Done.")
    fetched, may_answer = asyncio.Event(), asyncio.Event()

    async def delay(route):
        answer = await route.fetch()
        fetched.set()
        await may_answer.wait()
        await route.fulfill(response=answer)

    await page.route("**/api/v1/films", delay)
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await fetched.wait()
    await film.get_by_role("button", name="Delete: song.wav").click()
    await film.get_by_role("button", name="Delete its files for good?").click()
    await expect(film).to_have_count(0)
    async with page.expect_response("**/api/v1/films"):
        may_answer.set()
    await page.evaluate("() => new Promise((then) => setTimeout(then, 100))")
    await expect(film).to_have_count(0)
