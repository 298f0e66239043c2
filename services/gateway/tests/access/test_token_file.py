"""The file of tokens: what its lines say, and what is wrong with them."""

from __future__ import annotations

import pytest

from chladni_contract.errors import ChladniError, Reason
from chladni_gateway.access.principals import Scope, owner_of_subject
from chladni_gateway.access.token_file import line_of, new_token, watched_tokens
from chladni_runtime.security.watched_files import FileError, Outcome

NOW = 1_800_000_000.0  # 2027-01-15


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tokens"


def test_a_token_stands_for_its_name_until_its_day(path):
    token, reader = new_token(), new_token()
    lines = [
        "# who may use this server",
        "",
        line_of(token, name="alice", scopes=list(Scope), until="2027-06-30"),
        line_of(reader, name="display", scopes=[Scope.READ]),
    ]
    path.write_text("\n".join(lines))
    tokens = watched_tokens(path).content
    alice = tokens.authenticate(token, now=NOW)
    assert (alice.name, alice.owner, alice.scopes) == ("alice", owner_of_subject("alice"), set(Scope))
    assert tokens.authenticate(reader, now=1e12).scopes == {Scope.READ}
    with pytest.raises(ChladniError) as caught:
        tokens.authenticate(token, now=NOW + 366 * 86400)
    assert (caught.value.reason, caught.value.metadata["problem"]) == (Reason.UNAUTHENTICATED, "expired")


def test_a_file_holds_no_token_and_other_tokens_are_unknown(path):
    token = new_token()
    path.write_text(line_of(token, name="alice", scopes=[Scope.READ]))
    assert token not in path.read_text()
    for other in (new_token(), token[:-1], "", path.read_text()):
        with pytest.raises(ChladniError) as caught:
            watched_tokens(path).content.authenticate(other, now=NOW)
        assert caught.value.metadata["problem"] == "unknown"
        assert "alice" not in caught.value.message


def test_several_tokens_of_one_name_have_one_owner(path):
    tokens = [new_token(), new_token()]
    path.write_text("\n".join(line_of(token, name="alice", scopes=[Scope.READ]) for token in tokens))
    known = watched_tokens(path).content
    assert len({known.authenticate(token, now=NOW).owner for token in tokens}) == 1


DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("alice read never", "Line 2 has 3 fields instead of four"),
        (f"ali/ce read never {DIGEST}", "begins with a name of other characters"),
        (f"alice all never {DIGEST}", "has other scopes than read and write"),
        (f"alice read tomorrow {DIGEST}", "neither 'never' nor a date"),
        ("alice read never sha256:12", "ends with something else than sha256"),
        ("alice read never chladni_secret", "ends with something else than sha256"),
        ("café read never", "other characters than ASCII"),
    ],
)
def test_a_wrong_line_is_named_without_its_content(path, line, problem):
    path.write_text(f"# a comment\n{line}\n")
    with pytest.raises(FileError, match=problem) as caught:
        watched_tokens(path)
    assert "secret" not in str(caught.value)


def test_a_removed_token_is_unknown_once_the_file_was_read_again(path):
    token = new_token()
    path.write_text(line_of(token, name="alice", scopes=[Scope.READ]))
    watched = watched_tokens(path)
    path.write_text("broken")
    assert watched.refresh() is Outcome.REFUSED
    watched.content.authenticate(token, now=NOW)
    path.write_text("")
    assert watched.refresh() is Outcome.LOADED
    with pytest.raises(ChladniError):
        watched.content.authenticate(token, now=NOW)
