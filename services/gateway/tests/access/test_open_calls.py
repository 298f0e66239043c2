"""Calls that end with their token when that is withdrawn."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from chladni_contract.errors import ChladniError, Reason
from chladni_gateway.access.authenticator import Authenticator
from chladni_gateway.access.open_calls import OpenCalls
from chladni_gateway.access.principals import Principal, Scope, TokenProblem, unauthenticated
from chladni_gateway.access.token_file import line_of, new_token, watched_tokens

ALICE = Principal(name="alice", owner="a" * 64, scopes=frozenset(), token_digest="d" * 64)
BOB = replace(ALICE, name="bob", token_digest="b" * 64)
OF_AN_ISSUER = replace(ALICE, name="subject", token_digest="")


class Tokens:
    """Tokens, of which some have a problem."""

    def __init__(self):
        self.problems = {}

    def current(self, principal):
        if (problem := self.problems.get(principal.name)) is not None:
            raise unauthenticated(problem)
        return principal


async def hold(calls, principal):
    with calls.holding(principal):
        await asyncio.sleep(60)


async def test_only_the_calls_of_a_withdrawn_token_end_and_they_say_why():
    tokens = Tokens()
    calls = OpenCalls(tokens.current)
    alice, bob, issued = (asyncio.create_task(hold(calls, one)) for one in (ALICE, BOB, OF_AN_ISSUER))
    await asyncio.sleep(0)
    assert len(calls) == 2, "an issuer is not asked again"
    calls.end_withdrawn()
    tokens.problems = {"alice": TokenProblem.UNKNOWN, "bob": TokenProblem.EXPIRED}
    calls.end_withdrawn()
    with pytest.raises(ChladniError) as caught:
        await alice
    assert caught.value.reason is Reason.UNAUTHENTICATED
    assert len(calls) == 1, "what was begun before a token expired may end"
    for task in (bob, issued):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(calls) == 0


def test_a_token_that_expired_before_it_was_withdrawn_ends_its_calls(tmp_path):
    path, token, now = tmp_path / "tokens", new_token(), [1_800_000_000.0]
    path.write_text(line_of(token, name="alice", scopes=list(Scope), until="2027-01-20"))
    tokens = watched_tokens(path)
    authenticator = Authenticator(tokens=tokens, now=lambda: now[0])
    reasons = []
    authenticator.open_calls.add(tokens.content.authenticate(token, now=now[0]), reasons.append)
    now[0] += 9 * 86_400
    authenticator.open_calls.end_withdrawn()
    assert reasons == []
    path.write_text("")
    tokens.refresh()
    authenticator.open_calls.end_withdrawn()
    assert [reason.metadata["problem"] for reason in reasons] == ["unknown"]


async def test_a_call_that_has_ended_is_not_looked_after_any_more():
    calls = OpenCalls(Tokens().current)
    with calls.holding(ALICE):
        assert len(calls) == 1
    assert len(calls) == 0


async def test_they_are_looked_at_again_and_again():
    tokens = Tokens()
    calls = OpenCalls(tokens.current)
    async with calls.checked(interval_seconds=0.01):
        task = asyncio.create_task(hold(calls, ALICE))
        await asyncio.sleep(0.03)
        assert not task.done()
        tokens.problems = {"alice": TokenProblem.UNKNOWN}
        with pytest.raises(ChladniError):
            await asyncio.wait_for(task, 5)
