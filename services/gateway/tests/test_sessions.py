"""Session tokens: known again if they were issued, and refused if they were invented."""

from __future__ import annotations

import stat

from hypothesis import given
from hypothesis import strategies as st

from chladni_gateway.sessions import SessionTokens, is_token, kept_key


def test_a_token_is_known_to_those_who_share_the_key():
    tokens = SessionTokens("a" * 32)
    token = tokens.draw()
    assert is_token(token)
    assert tokens.is_issued(token)
    assert SessionTokens("a" * 32).is_issued(token)
    assert not SessionTokens("b" * 32).is_issued(token)
    assert token != tokens.draw()


@given(st.integers(0, 64), st.sampled_from("Aa0-_"))
def test_a_token_with_another_letter_is_not(position, letter):
    tokens = SessionTokens("a" * 32)
    token = tokens.draw()
    changed = token[:position] + letter + token[position + 1 :]
    assert tokens.is_issued(changed) is (changed == token)


@given(st.text(max_size=140))
def test_invented_texts_are_not(text):
    assert not SessionTokens("a" * 32).is_issued(text)


def test_a_key_is_kept_for_the_next_start_and_read_by_nobody_else(tmp_path):
    key = kept_key(tmp_path)
    assert kept_key(tmp_path) == key
    [path] = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(key) >= 32
