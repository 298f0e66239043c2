"""Sessions: whose images and jobs are whose."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
COOKIE = "chladni_session"


async def create(browser, content=b"RIFF", **fields):
    response = await browser.post("/api/v1/generate", files={"file": ("a.wav", content)}, data=fields)
    assert response.status_code == 200, response.text
    return response.json()


async def listed(browser, **query):
    response = await browser.get("/api/v1/images", params=query)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    return [image["image_id"] for image in response.json()["images"]]


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("POST", "/api/v1/compare")])
async def test_the_cookie_is_unguessable_and_out_of_reach_of_scripts_and_other_sites(
    open_session, method, path
):
    first = await (await open_session()).request(method, path)
    second = await (await open_session()).request(method, path)
    token, _, attributes = first.headers["set-cookie"].removeprefix(f"{COOKIE}=").partition("; ")
    assert re.fullmatch(r"[A-Za-z0-9_-]{65}", token)
    assert set(attributes.split("; ")) == {"HttpOnly", "Max-Age=86400", "Path=/", "SameSite=Strict"}
    assert first.cookies[COOKIE] != second.cookies[COOKIE]


async def test_the_cookie_is_for_https_alone_where_the_request_came_over_https(gateway):
    response = await gateway.http.get("/", headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in response.headers["set-cookie"].split("; ")


async def test_a_session_is_kept_and_renewed(open_session):
    browser = await open_session()
    await browser.get("/")
    token = browser.cookies[COOKIE]
    renewed = await browser.get("/")
    assert renewed.cookies[COOKIE] == token
    await create(browser)
    assert browser.cookies[COOKIE] == token


@pytest.mark.parametrize("path", ["/api/v1/info", "/api/v1/images", "/api/v1/jobs"])
async def test_looking_gives_no_cookie(open_session, path):
    assert "set-cookie" not in (await (await open_session()).get(path)).headers


@EXAMPLES
@given(
    token=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=';,"\\'), max_size=60)
)
async def test_an_odd_cookie_is_replaced(gateway, token):
    async with gateway.browser() as browser:
        response = await browser.get("/", headers={"Cookie": f"{COOKIE}={token}"})
        assert re.match(rf"{COOKIE}=[A-Za-z0-9_-]{{65}};", response.headers["set-cookie"])


async def test_the_server_keeps_only_a_digest_of_the_cookie(open_session, gateway):
    browser = await open_session()
    image = await create(browser)
    token = browser.cookies[COOKIE]
    path = gateway.settings.image_folder / f"{image['image_id']}.json"
    text = path.read_text()
    assert token not in text
    assert json.loads(text)["owner"] == hashlib.sha256(token.encode()).hexdigest()
    assert json.loads(text)["owner"] not in json.dumps(image)


async def test_a_session_lists_its_images_newest_first(open_session):
    browser = await open_session()
    assert await listed(browser) == []
    images = [await create(browser, seed=str(number)) for number in range(4)]
    newest_first = [image["image_id"] for image in reversed(images)]
    assert await listed(browser) == newest_first
    assert await listed(browser, page_size=2) == newest_first[:2]
    assert await listed(browser, page_size=2, page_token=newest_first[1]) == newest_first[2:]
    assert await listed(browser, page_token=newest_first[3]) == []
    pages, token = [], ""
    while token is not None:
        page = (await browser.get(f"/api/v1/images?page_size=3&page_token={token}")).json()
        pages.append([image["image_id"] for image in page["images"]])
        token = page["next_page_token"] or None
    assert pages == [newest_first[:3], newest_first[3:]]
    whole = (await browser.get("/api/v1/images")).json()["images"]
    assert whole[0] == images[3]
    assert whole[0]["create_time"] < whole[0]["expire_time"]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"page_size": "0"}, 400, "INVALID_FIELD"),
        ({"page_size": "201"}, 400, "INVALID_FIELD"),
        ({"page_size": "many"}, 400, "INVALID_FIELD"),
        ({"page_token": "yesterday"}, 400, "INVALID_FIELD"),
        ({"page_token": str(uuid.uuid4())}, 404, "UNKNOWN_IMAGE"),
    ],
)
async def test_a_wrong_question_for_images_is_refused_by_name(gateway, error_of, query, status, code):
    response = await gateway.http.get("/api/v1/images", params=query)
    assert response.status_code == status
    assert error_of(response)["code"] == code
    assert next(iter(query)) in response.text or status == 404


@EXAMPLES
@given(makers=st.lists(st.integers(0, 1), min_size=1, max_size=3), data=st.data())
async def test_two_sessions_never_see_or_delete_each_others_images(gateway, makers, data):
    async with (
        gateway.browser() as ann,
        gateway.browser() as bob,
    ):
        browsers, owned = (ann, bob), ([], [])
        for maker in makers:
            image = await create(browsers[maker], width_pixels="16", steps="1")
            owned[maker].insert(0, image["image_id"])
        for browser, own, others in ((ann, *owned), (bob, *reversed(owned))):
            assert await listed(browser) == own
            for image_id in others:
                path = f"/api/v1/images/{image_id}"
                assert (await browser.delete(path)).status_code == 404
                assert (await browser.get(f"{path}/details")).status_code == 404
                page = await browser.get("/api/v1/images", params={"page_token": image_id})
                assert page.status_code == 404
                assert (await browser.get(path)).status_code == 200, "whoever knows the identifier may look"
        maker = data.draw(st.sampled_from(makers))
        gone = data.draw(st.sampled_from(owned[maker]))
        assert (await browsers[maker].delete(f"/api/v1/images/{gone}")).status_code == 204
        owned[maker].remove(gone)
        assert (await ann.get(f"/api/v1/images/{gone}")).status_code == 404
        assert [await listed(ann), await listed(bob)] == list(owned)


async def test_a_client_without_cookies_creates_and_fetches_and_that_is_all(gateway, error_of):
    async with gateway.browser() as program:
        image = await create(program)
    async with gateway.browser() as program:
        path = f"/api/v1/images/{image['image_id']}"
        assert (await program.get(path)).status_code == 200
        assert await listed(program) == []
        response = await program.delete(path)
        assert response.status_code == 404
        error = error_of(response)
        assert (error["code"], error["stage"]) == ("UNKNOWN_IMAGE", "storage")


async def test_details_are_what_the_creation_told(open_session, error_of):
    browser = await open_session()
    image = await create(browser)
    response = await browser.get(f"/api/v1/images/{image['image_id']}/details")
    assert (response.status_code, response.json()) == (200, image)
    for path in ("/api/v1/images/x/details", "/api/v1/images/x", f"/api/v1/images/{image['image_id']}x"):
        assert error_of(await browser.get(path))["message"].startswith("image_id must be a UUID")
    assert error_of(await browser.delete("/api/v1/images/x"))["code"] == "INVALID_FIELD"


async def test_images_and_sessions_survive_a_restart(open_gateway_with, open_session):
    async with open_gateway_with() as gateway:
        browser = await open_session(gateway)
        image = await create(browser)
        token = browser.cookies[COOKIE]
    async with open_gateway_with() as gateway:
        browser = await open_session(gateway)
        browser.cookies.set(COOKIE, token)
        assert await listed(browser) == [image["image_id"]]


async def test_many_at_once_of_one_session_are_all_listed(open_session):
    browser = await open_session()
    await browser.get("/")
    images = await asyncio.gather(*(create(browser, seed=str(number)) for number in range(8)))
    assert set(await listed(browser)) == {image["image_id"] for image in images}
