"""Answers that are in progress when their token is withdrawn: clients see that they were cut."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace

import httpx
import pytest

from chladni_gateway.access.open_calls import OpenCalls
from chladni_gateway.access.principals import Principal, Scope, TokenProblem, unauthenticated
from chladni_gateway.rest.middleware.authentication import AuthenticationMiddleware
from chladni_gateway.rest.server import http_server

ALICE = Principal(name="alice", owner="a" * 64, scopes=frozenset(Scope), token_digest="d" * 64)


class Authenticator:
    """Knows one token, until it is withdrawn."""

    def __init__(self):
        self.is_withdrawn = False
        self.open_calls = OpenCalls(self.current)

    def current(self, principal):
        if self.is_withdrawn:
            raise unauthenticated(TokenProblem.UNKNOWN)
        return principal

    async def authenticate_header(self, _header):
        return self.current(ALICE)

    def withdraw(self):
        self.is_withdrawn = True
        self.open_calls.end_withdrawn()


def answering(*headers, begins=True):
    """An application that sends a part of an answer, and never the rest."""

    async def app(_scope, _receive, send):
        if begins:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"part", "more_body": True})
        await asyncio.Event().wait()

    return app


def serving(app, authenticator):
    guarded = AuthenticationMiddleware(app, authenticator=authenticator, cookies=SimpleNamespace())
    return http_server(guarded, host="127.0.0.1", port=0)


@pytest.mark.parametrize("headers", [(), ((b"content-length", b"9"),)])
async def test_an_answer_whose_token_is_withdrawn_ends_as_broken(headers, caplog):
    authenticator = Authenticator()
    async with (
        serving(answering(*headers), authenticator) as port,
        httpx.AsyncClient() as client,
        client.stream("GET", f"http://127.0.0.1:{port}/file") as answer,
    ):
        parts = answer.aiter_raw()
        assert await anext(parts) == b"part"
        authenticator.withdraw()
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await anext(parts)
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_an_answer_that_ends_with_its_connection_is_reset():
    authenticator = Authenticator()
    async with serving(answering(), authenticator) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /file HTTP/1.0\r\n\r\n")
        await reader.readuntil(b"part")
        authenticator.withdraw()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_an_answer_that_has_not_begun_says_why():
    authenticator = Authenticator()
    async with serving(answering(begins=False), authenticator) as port, httpx.AsyncClient() as client:
        waiting = asyncio.create_task(client.get(f"http://127.0.0.1:{port}/file"))
        async with asyncio.timeout(5):
            while not len(authenticator.open_calls):
                await asyncio.sleep(0.005)
        authenticator.withdraw()
        assert (await waiting).status_code == 401
