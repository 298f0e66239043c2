"""Standard input in place of a file."""

from __future__ import annotations

import json
import os
import pty
import subprocess

import pytest

from chladni_client.cli.failures import ExitStatus

IMAGE_ID = "0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11"
VOICE = b"RIFF\x00\xff, a voice"


@pytest.fixture
def run(run, folder, target, monkeypatch):
    """Runs the command against the scripted server."""
    monkeypatch.setenv("CHLADNI_CLIENT_TARGET", target)
    monkeypatch.setenv("CHLADNI_CLIENT_AUDIO_FEATURES_TARGET", target)
    return run


def test_create_reads_standard_input(run, script, folder):
    (folder / "flute.ogg").write_bytes(b"a flute")
    ended = run(
        "create", "-", "flute.ogg", "--spectrogram", "--recipe", "music-prompts",
        "--prompt", "a", "--prompt", "b", stdin=VOICE,
    )  # fmt: skip
    assert ended.exit_code == 0, ended.stderr
    assert [line.split()[0] for line in ended.stdout.splitlines()] == [
        "stdin-1.png", "stdin-2.png", "flute-1.png", "flute-2.png",
    ]  # fmt: skip
    contents = [request.audio.content for request in script.requests]
    assert (contents.count(VOICE), contents.count(b"a flute")) == (4, 4)
    assert "stdin 1/2: done" in ended.stderr


def test_the_other_commands_do_too(run, script, folder, png_of):
    (folder / "image.png").write_bytes(png_of())
    assert run("spectrogram", "-", stdin=VOICE).stdout.startswith("stdin.spectrogram.png")
    assert "stdin: 3.2 s of FLAC" in run("descriptors", "-", stdin=VOICE).stdout
    assert run("compare", "-", IMAGE_ID, stdin=b"one").exit_code == 0
    assert run("compare", "image.png", "-", stdin=b"two").exit_code == 0
    assert [request.audio.content for request in script.requests[:2]] == [VOICE, VOICE]
    assert script.requests[2].first.file.content == b"one"
    assert script.requests[3].second.file.content == b"two"


def test_inspect_and_reproduce_do_too(run, script, folder, png_of):
    facts = {
        "seed": 7, "steps": 2, "guidance_scale": 3.0, "scheduler": "DDIMScheduler", "width_pixels": 1,
        "height_pixels": 1, "audio_sha256": "ab" * 32,
    }  # fmt: skip
    png = png_of((b"tEXt", b"chladni\0" + json.dumps(facts).encode()))
    assert json.loads(run("inspect", "-", "--json", stdin=png).stdout)["seed"] == 7
    (folder / "voice.wav").write_bytes(VOICE)
    ended = run("reproduce", "-", "voice.wav", "-q", stdin=png)
    assert ended.exit_code == ExitStatus.INVALID_INPUT
    assert "The image was made of" in ended.stderr  # another recording
    (folder / "image.png").write_bytes(png)
    ended = run("reproduce", "image.png", "-", "-q", stdin=VOICE)
    assert "is not what image.png was made of" in ended.stderr


@pytest.mark.parametrize("arguments", [("create", "-", "-"), ("compare", "-", "-"), ("reproduce", "-", "-")])
def test_it_stands_for_one_file_only(run, script, arguments):
    ended = run(*arguments, stdin=VOICE)
    assert ended.exit_code == ExitStatus.USAGE
    assert "one file only" in " ".join(ended.stderr.split())
    assert not script.requests


def test_too_much_of_it_is_refused(run, script):
    ended = run("create", "-", "-q", stdin=bytes(33 * 1024 * 1024))
    assert ended.exit_code == ExitStatus.INVALID_INPUT
    assert "32 MiB" in ended.stderr
    assert not script.requests


def test_a_pipe_feeds_the_installed_command(installed_command, run, script, folder):
    ended = subprocess.run(
        [installed_command, "create", "-", "-q"], input=VOICE, capture_output=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert script.requests[0].audio.content == VOICE
    assert (folder / "stdin.png").exists()


def test_nobody_types_a_recording(installed_command, run):
    primary, secondary = pty.openpty()
    ended = subprocess.run(
        [installed_command, "create", "-"], stdin=secondary, capture_output=True, timeout=30, check=False
    )
    os.close(primary)
    os.close(secondary)
    assert ended.returncode == ExitStatus.USAGE
    assert b"is a terminal" in ended.stderr
