"""The command that makes tokens."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chladni_gateway.access.principals import Scope
from chladni_gateway.access.token_file import watched_tokens
from chladni_gateway.tools.token import main

NOW = datetime.now(UTC).timestamp()


def test_a_token_is_shown_once_and_its_line_goes_to_the_file(tmp_path, capsys):
    path = tmp_path / "tokens"
    assert main(["alice", "--days", "90", "--file", str(path)]) == 0
    assert main(["display", "--scopes", "read", "--file", str(path)]) == 0
    alice, display = capsys.readouterr().out.split()
    assert path.stat().st_mode & 0o777 == 0o600
    assert alice not in path.read_text()
    tokens = watched_tokens(path).content
    assert tokens.authenticate(alice, now=NOW).scopes == set(Scope)
    assert tokens.authenticate(alice, now=NOW).expires_at >= int(NOW) + 90 * 86400
    assert tokens.authenticate(display, now=NOW).scopes == {Scope.READ}


def test_without_a_file_the_line_is_printed(tmp_path, capsys):
    assert main(["alice"]) == 0
    token, line = capsys.readouterr().out.splitlines()
    path = tmp_path / "tokens"
    path.write_text(line)
    assert watched_tokens(path).content.authenticate(token, now=NOW).name == "alice"


@pytest.mark.parametrize("arguments", [["a/b"], ["alice", "--file", "/nowhere/tokens"]])
def test_a_wrong_use_is_one_sentence(arguments, capsys):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("chladni-gateway-token: no token was made: ")
    assert len(captured.err.splitlines()) == 1


def test_a_broken_file_is_not_made_longer(tmp_path, capsys):
    path = tmp_path / "tokens"
    path.write_text("broken")
    assert main(["alice", "--file", str(path)]) == 2
    assert path.read_text() == "broken"
    assert "Line 1" in capsys.readouterr().err


def test_a_last_line_without_an_end_is_not_made_longer(tmp_path, capsys):
    path = tmp_path / "tokens"
    assert main(["alice"]) == 0
    alice, line = capsys.readouterr().out.splitlines()
    path.write_text(line)
    assert main(["bob", "--file", str(path)]) == 0
    tokens = watched_tokens(path).content
    assert tokens.authenticate(alice, now=NOW).name == "alice"
    assert tokens.authenticate(capsys.readouterr().out.strip(), now=NOW).name == "bob"


@pytest.mark.parametrize("days", ["0", "-3", "9999999999", "soon"])
def test_a_token_lasts_for_a_number_of_days(days, capsys):
    with pytest.raises(SystemExit):
        main(["alice", "--days", days])
    assert "--days" in capsys.readouterr().err
