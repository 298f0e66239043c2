"""The README's examples and the example program, run as they stand."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
import runpy
import shlex
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
COMMANDS = re.search(r"```\n(chladni create.*?)```", README, flags=re.DOTALL)[1].splitlines()


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


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL))
def test_the_readmes_programs_run(sounds, code, script, made_of_a_voice):
    exec(compile(code, "README.md", "exec"), {})
    assert script.requests


@pytest.mark.parametrize("line", COMMANDS)
def test_the_readmes_commands_run(sounds, run, line, made_of_a_voice):
    for name in ("voice.png", "flute.png"):
        (sounds / name).write_bytes(made_of_a_voice)
    before, _, arguments = line.rpartition("chladni ")
    ended = run(*shlex.split(arguments, comments=True), stdin=b"a voice" if before else None)
    assert ended.exit_code == 0, ended.stderr


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
    (sounds / "song.ogg").write_bytes(b"a song")
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
