"""Cookies of browsers: what they stand for, and when they end."""

from __future__ import annotations

import pytest

from chladni_contract.errors import ChladniError
from chladni_gateway.access.authenticator import Authenticator, SignInCookies
from chladni_gateway.access.oidc import Issuer, OidcVerifier
from chladni_gateway.access.principals import Principal, Scope
from chladni_gateway.access.token_file import line_of, new_token, watched_tokens

TOKEN = new_token()
NOW = 1_800_000_000.0  # 2027-01-15


class Clock:
    seconds = NOW

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "tokens"
    path.write_text(line_of(TOKEN, name="alice", scopes=list(Scope), until="2027-01-20"))
    return path


@pytest.fixture
def tokens(path):
    return watched_tokens(path)


@pytest.fixture
def cookies(tokens, clock):
    return SignInCookies("key", Authenticator(tokens=tokens, now=clock), now=clock)


def cookie_of(cookies, tokens, *, age_seconds=86_400):
    return cookies.issue(tokens.content.authenticate(TOKEN, now=NOW), age_seconds=age_seconds)


def problem_of(cookies, value):
    with pytest.raises(ChladniError, match="The sign-in has ended") as caught:
        cookies.authenticate(value)
    return caught.value.metadata["problem"]


def test_a_cookie_stands_for_its_principal_and_holds_no_token(cookies, tokens):
    value = cookie_of(cookies, tokens)
    assert TOKEN not in value
    assert cookies.authenticate(value) == tokens.content.authenticate(TOKEN, now=NOW)


def test_a_cookie_has_the_scopes_that_the_file_gives_now(cookies, tokens, path):
    value = cookie_of(cookies, tokens)
    path.write_text(line_of(TOKEN, name="alice", scopes=[Scope.READ]))
    tokens.refresh()
    assert cookies.authenticate(value).scopes == {Scope.READ}


def test_a_cookie_ends_after_its_time_with_its_token_and_when_that_is_withdrawn(cookies, tokens, clock, path):
    short, long = cookie_of(cookies, tokens, age_seconds=60), cookie_of(cookies, tokens, age_seconds=1e9)
    clock.seconds += 60
    assert problem_of(cookies, short) == "expired"
    assert cookies.authenticate(long).name == "alice"
    clock.seconds += 5 * 86_400
    assert problem_of(cookies, long) == "expired"
    path.write_text("")
    tokens.refresh()
    assert problem_of(cookies, cookies.issue(Principal("a", "b", frozenset()), age_seconds=9)) == "unknown"
    assert problem_of(cookies, long) == "expired"


@pytest.mark.parametrize("value", ["", ".", "a.b", "e30", "e30.", "é.é"])
def test_a_cookie_that_was_not_issued_here_is_unknown(cookies, value):
    assert problem_of(cookies, value) == "unknown"


def test_a_cookie_of_another_key_is_unknown(cookies, tokens):
    other = SignInCookies("other key", Authenticator(tokens=tokens))
    assert problem_of(cookies, cookie_of(other, tokens)) == "unknown"


def test_a_cookie_of_an_issuer_ends_with_its_token_and_with_the_issuer(clock):
    issuer = OidcVerifier(Issuer(url="https://issuer.example", audience="chladni"))
    cookies = SignInCookies("key", Authenticator(oidc=issuer, now=clock), now=clock)
    principal = Principal("alice", "0" * 64, frozenset({Scope.READ}), expires_at=NOW + 60)
    value = cookies.issue(principal, age_seconds=1e9)
    assert cookies.authenticate(value) == principal
    without = SignInCookies("key", Authenticator(now=clock), now=clock)
    assert problem_of(without, value) == "unknown"
    clock.seconds += 60
    assert problem_of(cookies, value) == "expired"
