"""How often a client may ask, over real connections."""

from __future__ import annotations

import asyncio

import httpx


async def ask(browser, **headers):
    return await browser.post("/api/v1/search", json={}, headers=headers)


async def test_a_client_that_asks_too_often_is_told_when_to_come_back(open_gateway_with, error_of):
    async with (
        open_gateway_with(rate_limit_per_minute=6, rate_limit_burst=3) as gateway,
        gateway.browser() as ann,
        gateway.browser() as bob,
    ):
        await ann.get("/")
        await bob.get("/")
        answers = [await ask(ann) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [400, 400, 400, 429]
        assert 1 <= int(answers[3].headers["retry-after"]) <= 10
        error = error_of(answers[3])
        assert (error["code"], error["stage"]) == ("RATE_LIMITED", "validation")
        assert answers[3].headers["x-content-type-options"] == "nosniff"
        assert answers[3].headers["x-request-id"]
        assert (await ask(bob)).status_code == 400, "another session has tokens of its own"
        assert (await ask(ann, **{"X-Caller-Id": "someone-else"})).status_code == 429
        assert (await ann.get("/api/v1/info")).status_code == 200, "looking is free"
        assert (await ann.delete("/api/v1/jobs/x")).status_code == 400


async def test_new_cookies_do_not_help(open_gateway_with):
    async with open_gateway_with(
        rate_limit_per_minute=1, rate_limit_burst=2, rate_limit_clients_per_host=2
    ) as gateway:

        async def ask_as_another():
            async with gateway.browser(cookies={"chladni_session": gateway.draw_token()}) as browser:
                return (await ask(browser)).status_code

        assert [await ask_as_another() for _ in range(6)] == [400] * 4 + [429] * 2


async def test_those_without_cookies_are_one_client(open_gateway_with):
    async with open_gateway_with(rate_limit_per_minute=1, rate_limit_burst=1) as gateway:
        statuses = []
        for _ in range(2):
            async with gateway.browser() as program:
                statuses.append((await ask(program)).status_code)
        assert statuses == [400, 429]


async def test_a_large_upload_is_refused_before_it_has_come(open_gateway_with):
    async with open_gateway_with(rate_limit_per_minute=1, rate_limit_burst=1) as gateway:
        async with gateway.browser() as program:
            await ask(program)
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.settings.http_port)
        writer.write(
            b"POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
        )
        async with asyncio.timeout(5):
            assert b" 429 " in await reader.readline()
        writer.close()
        await writer.wait_closed()


async def test_zero_means_any_number(open_gateway_with):
    async with open_gateway_with(rate_limit_per_minute=0, rate_limit_burst=1) as gateway:
        answers = [await ask(gateway.http) for _ in range(5)]
    assert {answer.status_code for answer in answers} == {httpx.codes.BAD_REQUEST}
