"""Options of the connection: before the command or after it."""

from __future__ import annotations

import pytest

from chladni_client.cli.failures import ExitStatus
from chladni_client.cli.invocation import Invocation

IMAGE_ID = "0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11"
NOWHERE = "127.0.0.1:1"
COMMANDS = [
    ("create", "voice.wav", "-q"),
    ("live", "--wav", "voice.wav", "--no-open", "-q"),
    ("compare", "voice.wav", "voice.wav"),
    ("reproduce", "voice.wav", "voice.wav"),
    ("spectrogram", "voice.wav"),
    ("descriptors", "voice.wav"),
    ("images",),
    ("search", IMAGE_ID),
    ("align", IMAGE_ID),
    ("delete", IMAGE_ID),
    ("jobs",),
    ("recipes",),
    ("health",),
]


@pytest.fixture
def run(run, folder, write_wav):
    """Runs the command in a folder with a recording, and an environment that names no server."""
    write_wav(folder / "voice.wav", [0, 1000, -1000] * 300)
    return run


@pytest.mark.parametrize("command", [command for command in COMMANDS if command[0] != "reproduce"])
def test_they_may_stand_after_the_command(run, target, script, command):
    options = ("--target", target, "--audio-features-target", target, "--timeout", "20", "--token", "t")
    for arguments in ((*options, *command), (*command, *options)):
        script.requests.clear()
        script.metadata.clear()
        ended = run(*arguments)
        assert ended.exit_code == ExitStatus.SUCCESS, ended.stderr
        assert command[0] == "health" or script.requests
        assert all(metadata["authorization"] == "Bearer t" for metadata in script.metadata)


def test_the_nearer_one_wins(run, target, monkeypatch):
    monkeypatch.setenv("CHLADNI_CLIENT_TARGET", NOWHERE)
    assert run("recipes").exit_code == ExitStatus.UNAVAILABLE
    assert run("recipes", "--target", target).exit_code == ExitStatus.SUCCESS
    assert run("--target", target, "recipes").exit_code == ExitStatus.SUCCESS
    assert run("--target", NOWHERE, "recipes", "--target", target).exit_code == ExitStatus.SUCCESS
    assert run("--target", target, "recipes", "--target", NOWHERE).exit_code == ExitStatus.UNAVAILABLE


def test_a_value_that_looks_like_one_is_a_value(run, target, script):
    ended = run(
        "create", "voice.wav", "--recipe", "music-prompts", "--prompt", "--target", "--target", target, "-q"
    )
    assert ended.exit_code == ExitStatus.SUCCESS, ended.stderr
    assert script.requests[0].music_prompts.prompt == "--target"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_lists_them(run, command):
    text = run(command[0], "--help").stdout
    for option in ("--target", "--tls", "--ca-file", "--token", "--session-token", "--timeout"):
        assert option in text
    assert "Connection" in text


@pytest.mark.parametrize("target", ["http://localhost:8000", "localhost", ""])
def test_a_wrong_target_is_wrong_use(run, target):
    for arguments in (("--target", target, "recipes"), ("recipes", "--target", target)):
        ended = run(*arguments)
        assert ended.exit_code == ExitStatus.USAGE
        assert "Traceback" not in ended.stderr


def test_what_is_shown_of_an_invocation_holds_no_token():
    shown = repr(Invocation(token="secret-1", session_token="secret-2"))
    assert "secret" not in shown
