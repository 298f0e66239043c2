"""The examples of the READMEs and tutorials, and the example program, run as they stand."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from chladni.gateway.v1 import server_service_pb2
from chladni_client.cli.app import build_app
from chladni_client.recording.sources import WavSource

DISTRIBUTION = Path(__file__).parents[2]
README = (DISTRIBUTION / "README.md").read_text()
REPOSITORY = DISTRIBUTION.parents[1]
TEXT = README + "".join(
    (REPOSITORY / name).read_text()
    for name in (
        "README.md",
        "clients/python/docs/callers.md",
        "clients/python/docs/musicians.md",
        "services/similarity/docs/machines.md",
    )
)
BLOCKS = re.findall(r"```bash\n(.*?)```", TEXT, flags=re.DOTALL)
LINES = [line for block in BLOCKS for line in block.splitlines()]
COMMANDS = [line for line in LINES if re.match(r"(\S.*\| )?chladni ", line)]


@pytest.fixture
def sounds(folder, script, target, monkeypatch, write_wav):
    """A folder with sounds, and an environment that names the scripted server, which has `latent-noise`."""
    script.further_recipes.append(server_service_pb2.Recipe(name="latent-noise", available=True))
    write_wav(folder / "voice.wav", [0, 1000, -1000] * 300)
    (folder / "flute.ogg").write_bytes(b"a flute")
    for name in ("recordings/1.wav", "recordings/more/2.ogg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    monkeypatch.setenv("CHLADNI_CLIENT_TARGET", target)
    monkeypatch.setenv("CHLADNI_CLIENT_AUDIO_FEATURES_TARGET", target)
    return folder


@pytest.fixture
def made_of_a_voice(png_of, script, sounds):
    """The image that the scripted server makes of the sound voice.wav, with its provenance."""
    facts = {
        "seed": 7,
        "steps": 2,
        "guidance_scale": 3.0,
        "scheduler": "DDIMScheduler",
        "width_pixels": 1,
        "height_pixels": 1,
        "audio_sha256": hashlib.sha256((sounds / "voice.wav").read_bytes()).hexdigest(),
    }
    png = png_of((b"tEXt", b"chladni\0" + json.dumps(facts).encode()))
    script.events[-1].created.file.content = png
    script.events[-1].created.image.reused = False
    return png


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL))
def test_the_readmes_programs_run(sounds, code, script, made_of_a_voice):
    sample = sounds / "tests" / "fixtures" / "samples" / "speech_english.wav"
    sample.parent.mkdir(parents=True)
    (sounds / "build").mkdir()
    sample.write_bytes(b"a voice")
    (sounds / "song.flac").write_bytes(b"a song")
    exec(compile(code, "README.md", "exec"), {})
    assert script.requests


@pytest.mark.parametrize("line", COMMANDS)
def test_the_readmes_commands_run(sounds, run, line, made_of_a_voice):
    for name in ("voice.png", "flute.png"):
        (sounds / name).write_bytes(made_of_a_voice)
    (sounds / "song.flac").write_bytes(b"a song")
    np.save(sounds / "voices.npy", np.zeros((3, 4, 2, 2), np.float32))
    (sounds / "build").mkdir()
    for name in ("speech.png", "music.jpg"):
        (sounds / "build" / name).write_bytes(made_of_a_voice)
    np.save(sounds / "build" / "voices.npy", np.zeros((3, 4, 2, 2), np.float32))
    for name in ("speech_english.wav", "music_calm_major.ogg"):
        path = sounds / "tests" / "fixtures" / "samples" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((sounds / "voice.wav").read_bytes())
    before, _, arguments = line.rpartition("chladni ")
    arguments = arguments.partition(" > ")[0].replace("recipes latent-noise", "recipes clap")
    ended = run(*shlex.split(arguments), stdin=b"a voice" if before else None)
    assert ended.exit_code == 0, ended.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_readmes_lines_are_commands_in_every_shell(tmp_path, shell):
    """Types them as a person does; zsh takes no comments there, so that each stands on a line of its own."""
    if shutil.which(shell) is None:
        pytest.skip(f"NOT CHECKED: {shell} is not installed")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("chladni", "chladni-calibrate", "make", "curl", "cat"):
        (programs / name).write_text('#!/bin/sh\necho "$(basename "$0") $#" >> "$CALLS"\n')
        (programs / name).chmod(0o755)
    typed = [line for line in LINES if not line.startswith("source ")]
    assert not [line for line in typed if re.search(r"\S\s+# ", line)]
    environ = {
        "PATH": f"{programs}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "TERM": "dumb",
        "CALLS": str(tmp_path / "calls"),
    }
    options = ["-f"] if shell == "zsh" else ["--norc", "--noprofile"]
    ended = subprocess.run(
        [shell, *options, "-i"],
        input="\n".join(typed) + "\n",
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    calls = (tmp_path / "calls").read_text().splitlines()
    expected = sum(len(line.split(" | ")) for line in typed if not line.startswith(("#", "export ")))
    assert len(calls) == expected, ended.stderr
    assert "no matches found" not in ended.stderr
    assert "unmatched" not in ended.stderr


EXAMPLES = [
    line.strip()
    for command in (*build_app().registered_commands, build_app().registered_callback)
    for line in inspect.getdoc(command.callback).splitlines()
    if re.match(r" +(\S.*\| )?chladni ", line)
]


def test_every_command_has_examples():
    assert len(EXAMPLES) >= 3 * len(build_app().registered_commands)


@pytest.mark.parametrize("line", EXAMPLES)
def test_the_examples_of_the_help_run(sounds, run, line, made_of_a_voice, target, monkeypatch):
    """Runs the part of a line that is the command; other programs and hosts are not there."""
    for name in ("voice.png", "flute.png"):
        (sounds / name).write_bytes(made_of_a_voice)
    for name in ("song.ogg", "song.flac", "song.mp3"):
        (sounds / name).write_bytes(b"a song")
    np.save(sounds / "clips.npy", np.zeros((2, 160), np.int16))
    (sounds / "concert.mp3").write_bytes(b"a concert")
    np.save(sounds / "voices.npy", np.zeros((3, 4, 2, 2), np.float32))
    microphone = WavSource(sounds / "voice.wav")
    monkeypatch.setattr("chladni_client.cli.commands.live.Microphone", lambda _: microphone)
    before, command, after = line.partition("chladni ")
    assert before == "" or before.endswith("| ")
    command = re.sub(r"[\w.-]+:\d+( --tls)?", target, (command + after).split(" | ")[0])
    _, *arguments = shlex.split(command)
    found = [sorted(sounds.glob(item)) if "*" in item else [item] for item in arguments]
    stdin = made_of_a_voice if "curl" in before else b"a voice" if before else None
    ended = run(*chain(*found), stdin=stdin)
    assert ended.exit_code == 0, ended.stderr


def test_the_readme_knows_every_exit_status():
    text = " ".join(README.split())
    for status in (*range(8), 130):
        assert re.search(rf"[ ,]{status} \w", text[text.index("Exit statuses") :])


def test_the_example_program_runs(sounds, monkeypatch, capsys):
    def run_example(*arguments):
        monkeypatch.setattr(sys, "argv", ["create_image.py", *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(DISTRIBUTION / "examples" / "create_image.py"), run_name="__main__")
        return ended.value.code

    assert run_example("voice.wav", "voice.png") == 0
    assert "voice.png, made by embedded" in capsys.readouterr().out
    assert (sounds / "voice.png").exists()
    assert run_example("missing.wav", "voice.png") == 1
    assert "missing.wav" in capsys.readouterr().err
    assert run_example() == 2
