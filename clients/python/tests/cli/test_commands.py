"""The installed command `chladni`, run as users run it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess

import grpc
import pytest

from chladni_client.cli.app import build_app
from chladni_client.cli.commands.compare import colour_of
from chladni_client.cli.failures import EXIT_STATUS_MEANINGS, ExitStatus

IMAGE_ID = "0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11"


@pytest.fixture
def run(run, folder, target, monkeypatch):
    """Runs the command against the scripted server, with two sounds in the current folder."""
    (folder / "voice.wav").write_bytes(b"a voice")
    (folder / "flute.ogg").write_bytes(b"a flute")
    monkeypatch.setenv("CHLADNI_CLIENT_TARGET", target)
    monkeypatch.setenv("CHLADNI_CLIENT_AUDIO_FEATURES_TARGET", target)
    return run


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_create_writes_the_image_and_says_where(run, script, folder):
    ended = run("create", "voice.wav", "-o", "out.png", "--seed", "7", "--steps", "2", "--guidance", "1.5",
                "--recipe", "descriptors")  # fmt: skip
    assert ended.exit_code == 0
    assert ended.stdout == "out.png  1 x 1, seed 4000000000, 1.5 s, made before\n"
    assert (folder / "out.png").read_bytes() == script.events[-1].created.file.content
    (request,) = script.requests
    options = request.options
    assert (options.seed, options.steps, options.guidance_scale) == (7, 2, 1.5)
    assert (request.recipe, request.audio.display_name) == ("descriptors", "voice.wav")


def test_create_tells_a_log_what_happens(run):
    ended = run("create", "voice.wav")
    assert ended.stderr.splitlines() == [
        "voice.wav: analysed 3.2 s of FLAC",
        "voice.wav: waiting, 1 ahead in the queue",
        "voice.wav: next in the queue",
        "voice.wav: denoising in 2 steps with seed 4000000000",
        "voice.wav: step 1 of 2, 0.5 s to go",
        "voice.wav: step 2 of 2",
        "voice.wav: done",
    ]
    assert run("create", "voice.wav", "--quiet").stderr == ""


def test_create_makes_many_in_a_folder_with_spectrograms(run, folder):
    ended = run("create", "voice.wav", "flute.ogg", "-o", "images", "--spectrogram")
    assert ended.exit_code == 0
    assert [line.split()[0] for line in ended.stdout.splitlines()] == ["images/voice.png", "images/flute.png"]
    assert files_in(folder / "images") == [
        "flute.png", "flute.spectrogram.png", "voice.png", "voice.spectrogram.png",
    ]  # fmt: skip


def test_create_prints_json_for_programs(run):
    ended = run("create", "voice.wav", "flute.ogg", "--json", "-q", "--spectrogram")
    first, second = map(json.loads, ended.stdout.splitlines())
    assert (first["audio"], first["path"], first["seed"]) == ("voice.wav", "voice.png", 4_000_000_000)
    assert first["spectrogram_path"] == "voice.spectrogram.png"
    assert first["provenance"]["steps"] == 2
    assert first["expires_at"] == "2030-01-02T03:04:05+00:00"
    assert first["audio_properties"]["duration_seconds"] == 3.25
    assert [item["name"] for item in first["descriptors"]] == ["brightness", "flatness"]
    assert "png" not in first
    assert second["audio"] == "flute.ogg"


def test_one_refused_sound_does_not_stop_the_others(run, script, rich_error, folder):
    script.errors.append(
        rich_error(
            grpc.StatusCode.INVALID_ARGUMENT,
            "AUDIO_TOO_LONG",
            "The recording has 40 s, the limit is 30 s.",
            stage="audio_features",
        )
    )
    ended = run("create", "voice.wav", "flute.ogg", "-q", "--json")
    assert ended.exit_code == ExitStatus.INVALID_INPUT
    assert ended.stderr == ("Error: voice.wav: The recording has 40 s, the limit is 30 s.\n")
    failure, success = map(json.loads, ended.stdout.splitlines())
    assert failure == {
        "error": {
            "reason": "AUDIO_TOO_LONG",
            "message": "The recording has 40 s, the limit is 30 s.",
            "stage": "audio_features",
            "violations": [],
        },
        "audio": "voice.wav",
    }
    assert success["audio"] == "flute.ogg"
    assert files_in(folder) == ["flute.ogg", "flute.png", "voice.wav"]


def test_a_server_that_is_not_there_is_told_once(run, folder):
    for name in ("1.wav", "2.wav"):
        (folder / name).write_bytes(b"sound")
    ended = run("--target", "127.0.0.1:1", "create", "1.wav", "2.wav", "-q")
    assert ended.exit_code == ExitStatus.UNAVAILABLE
    assert ended.stderr.count("Error: ") == 1
    assert "127.0.0.1:1 cannot be reached" in ended.stderr
    assert "make up" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("create",), "Missing argument 'AUDIO'"),
        (("create", "missing.wav"), "'missing.wav' does not exist"),
        (("create", "voice.wav", "--seed", "-1"), "Invalid value for '--seed'"),
        (("create", "voice.wav", "--seed", "4294967296"), "Invalid value for '--seed'"),
        (("create", "voice.wav", "--steps", "many"), "Invalid value for '--steps'"),
        (("create", "voice.wav", "--guidance", "0.5"), "Invalid value for '--guidance'"),
        (("create", "voice.wav", "--priority", "urgent"), "Invalid value for '--priority'"),
        (("create", "voice.wav", "--width", "0"), "Invalid value for '--width'"),
        (("reproduce", "voice.wav"), "Missing argument 'AUDIO'"),
        (("reproduce", "missing.png", "voice.wav"), "'missing.png' does not exist"),
        (("create", "voice.wav", "flute.ogg", "-o", "out.png"), "it must be a folder"),
        (("create", "voice.wav", "-o", "out.gif"), "images are written as .png, .jpg or .webp"),
        (("create", "empty"), "holds no file with a suffix of audio"),
        (("create", "voice.wav", "-o", "-", "--json"), "is the image alone"),
        (("create", "--latents", "voice.wav"), "must end in .npy or .safetensors"),
        (("create", "voice.wav", "--latents", "voice.npy"), "takes the place of AUDIO"),
        (("descriptors", "empty"), "'empty' is a folder; name a file"),
        (("jobs", "watch", IMAGE_ID, "-o", "empty"), "must name a file"),
        (("compare", "empty", IMAGE_ID), "'empty' is a folder"),
        (("compare", "missing.png", IMAGE_ID), "neither a file nor an identifier"),
        (("inspect", "missing.png"), "'missing.png' does not exist"),
        (("spectrogram", "voice.wav", "--width", "0"), "Invalid value for '--width'"),
        (("spectrogram", "voice.wav", "--colormap", "jet"), "Invalid value for '--colormap'"),
        (("paint", "voice.wav"), "No such command 'paint'"),
    ],
)
def test_wrong_use_is_told_before_any_call(run, script, arguments, text, folder):
    (folder / "empty").mkdir()
    ended = run(*arguments)
    assert ended.exit_code == ExitStatus.USAGE
    assert text in " ".join(ended.stderr.replace("│", " ").split())
    assert not script.requests


def test_a_place_that_cannot_be_written_is_told(run, folder):
    (folder / "file").write_bytes(b"")
    ended = run("create", "voice.wav", "-o", "file/out.png", "-q")
    assert ended.exit_code == ExitStatus.FILE
    assert ended.stderr.startswith("Error: voice.wav: ")
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("code", "reason", "status"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_IMAGE", ExitStatus.INVALID_INPUT),
        (grpc.StatusCode.NOT_FOUND, "UNKNOWN_IMAGE", ExitStatus.NOT_FOUND),
        (grpc.StatusCode.FAILED_PRECONDITION, "RECIPE_UNAVAILABLE", ExitStatus.UNAVAILABLE),
        (grpc.StatusCode.UNIMPLEMENTED, "NOT_IMPLEMENTED", ExitStatus.UNAVAILABLE),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", ExitStatus.DEADLINE_EXCEEDED),
        (grpc.StatusCode.CANCELLED, "CANCELLED", ExitStatus.INTERRUPTED),
        (grpc.StatusCode.INTERNAL, "INTERNAL", ExitStatus.FAULT),
    ],
)
def test_every_kind_of_error_has_its_exit_status(run, script, rich_error, code, reason, status):
    script.errors.append(rich_error(code, reason, "In one [sentence]."))
    ended = run("compare", IMAGE_ID, IMAGE_ID, "--json")
    assert ended.exit_code == status
    assert ended.stderr == "Error: In one [sentence].\n"
    assert json.loads(ended.stdout)["error"]["reason"] == reason


def test_compare_shows_a_gauge(run, script, folder):
    (folder / "one.png").write_bytes(b"one")
    ended = run("compare", "one.png", IMAGE_ID)
    assert ended.exit_code == 0
    assert ended.stdout.startswith("0.250")
    assert "cosine -0.500, tower" in ended.stdout
    (request,) = script.requests
    assert (request.first.file.content, request.second.image_id) == (b"one", IMAGE_ID)
    ended = run("compare", "one.png", IMAGE_ID, "--json")
    assert json.loads(ended.stdout) == {
        "first": "one.png", "second": IMAGE_ID, "score": 0.25, "cosine": -0.5, "model": "tower",
    }  # fmt: skip


def test_the_colour_of_a_score():
    assert [colour_of(score) for score in (0.0, 0.5, 1.0)] == ["red", "yellow", "green"]


def test_inspect_needs_no_server(run, png_of, folder):
    facts = {"model": "embedded", "seed": 7, "guidance_scale": 3.1, "library_versions": {"torch": "2.13.0"}}
    path = folder / "image.png"
    path.write_bytes(png_of((b"iTXt", b"chladni\0\0\0\0\0" + json.dumps(facts).encode())))
    ended = run("inspect", "image.png")
    assert ended.exit_code == 0
    cells = {tuple(re.split(r" {2,}", line.strip(), maxsplit=1)) for line in ended.stdout.splitlines()}
    assert {("Model", "embedded"), ("Seed", "7"), ("Guidance scale", "3.1"), ("torch", "2.13.0")} <= cells
    assert {
        ("Recording (SHA-256)", "not known"),
        ("Reproducible", "no"),
        ("Decoder batch size", "not known"),
    } <= cells
    assert json.loads(run("inspect", "image.png", "--json").stdout)["seed"] == 7
    path.write_bytes(png_of())
    ended = run("inspect", "image.png")
    assert ended.exit_code == ExitStatus.INVALID_INPUT
    assert ended.stderr.startswith("Error: image.png carries no provenance")


def test_spectrogram_writes_a_png(run, script, folder):
    ended = run("spectrogram", "voice.wav", "--width", "300", "--height", "100", "--colormap", "gray")
    assert ended.stdout == "voice.spectrogram.png  300 x 100, 3.2 s of FLAC\n"
    assert (folder / "voice.spectrogram.png").read_bytes().startswith(b"\x89PNG")
    assert (script.requests[0].width_pixels, script.requests[0].height_pixels) == (300, 100)
    document = json.loads(run("spectrogram", "voice.wav", "-o", "wide.png", "--json").stdout)
    assert (document["path"], document["width_pixels"]) == ("wide.png", 512)


def test_descriptors_are_listed(run):
    ended = run("descriptors", "voice.wav")
    assert ended.exit_code == 0
    assert "voice.wav: 3.2 s of FLAC, 44100 Hz, 2 channel(s)" in ended.stdout
    (line,) = [line for line in ended.stdout.splitlines() if "brightness" in line]
    assert line.split()[:3] == ["brightness", "1500", "Hz"]
    assert "Centroid." not in ended.stdout
    assert "Centroid." in run("descriptors", "voice.wav", "--explain").stdout
    document = json.loads(run("descriptors", "voice.wav", "--json").stdout)
    assert document["descriptors"][1]["value"] == 0.5


def test_recipes_are_listed(run):
    ended = run("recipes")
    assert ended.exit_code == 0
    assert ended.stdout.splitlines() == [
        "descriptors  ready      (default) Descriptors decide the image.",
        "clap         not ready  No CLAP weights here; configure some.",
    ]
    assert json.loads(run("recipes", "--json").stdout)["recipes"][0]["name"] == "descriptors"


def test_health_is_told(run):
    ended = run("health")
    assert ended.exit_code == 0
    assert ended.stdout.count("serving") == 2
    ended = run("--target", "127.0.0.1:1", "--audio-features-target", "127.0.0.1:1", "health",
                            "--json")  # fmt: skip
    assert ended.exit_code == ExitStatus.UNAVAILABLE
    states = [service["state"] for service in json.loads(ended.stdout)["services"]]
    assert states == ["unreachable", "unreachable"]


def test_a_timeout_is_kept(run, script):
    script.stops_after = 1
    ended = run("--timeout", "2", "create", "voice.wav", "-q")
    assert ended.exit_code == ExitStatus.DEADLINE_EXCEEDED
    assert script.was_cancelled.wait(10)


def test_help_teaches(run):
    ended = run("--help")
    assert ended.exit_code == 0
    for status, meaning in EXIT_STATUS_MEANINGS.items():
        assert f"{status:d}  {meaning}" in ended.stdout
    names = [command.callback.__name__ for command in build_app().registered_commands]
    assert len(names) == 23
    for name in names:
        text = run(name, "--help").stdout
        assert "Examples" in text
        assert f"chladni {name} " in text
    assert run("--version").stdout.startswith("chladni 0.")


def test_the_installed_command_does_the_same(installed_command, run, script):
    arguments = ["create", "voice.wav", "-o", "out.png", "--seed", "7"]
    ended = subprocess.run([installed_command, *arguments], capture_output=True, text=True, check=True)
    assert ended.stdout == "out.png  1 x 1, seed 4000000000, 1.5 s, made before\n"
    assert ended.stderr == run(*arguments).stderr
    assert [request.options.seed for request in script.requests] == [7, 7]


def test_ctrl_c_stops_the_server_and_exits_with_130(installed_command, run, folder, script):
    script.stops_after = 6
    program = subprocess.Popen(
        [installed_command, "create", "voice.wav"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while "denoising" not in program.stderr.readline():
        assert program.poll() is None
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=30)
    assert (program.returncode, out, err) == (130, "", "Interrupted.\n")
    assert script.was_cancelled.wait(10)
    assert files_in(folder) == ["flute.ogg", "voice.wav"]


def test_a_terminal_gets_a_bar(installed_command, run):
    primary, secondary = pty.openpty()
    ended = subprocess.run(
        [installed_command, "create", "voice.wav"],
        env=os.environ | {"TERM": "xterm", "COLUMNS": "160"},
        stdout=subprocess.PIPE,
        stderr=secondary,
        timeout=60,
        check=False,
    )
    os.close(secondary)
    shown = os.read(primary, 1_000_000).decode()
    os.close(primary)
    assert ended.returncode == 0
    assert "voice.wav" in shown
    assert "2/2" in shown
    assert "━" in shown


COLOUR = re.compile(rb"\x1b\[[0-9;]*(3[0-7]|9[0-7]|38;)[0-9;]*m")


@pytest.mark.parametrize("arguments", [("compare", IMAGE_ID, IMAGE_ID), ("recipes",), ("--help",)])
def test_no_color_takes_the_colours_of_a_terminal(installed_command, run, arguments):
    def shown(**variables):
        primary, secondary = pty.openpty()
        environ = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        environ |= {"TERM": "xterm-256color", "COLUMNS": "100"} | variables
        with subprocess.Popen(
            [installed_command, *arguments], env=environ, stdout=secondary, stderr=secondary
        ) as program:
            os.close(secondary)
            content = b""
            with contextlib.suppress(OSError):  # how Linux reports the end of a terminal
                while chunk := os.read(primary, 65536):
                    content += chunk
        os.close(primary)
        assert program.returncode == 0
        return content

    assert COLOUR.search(shown())
    assert not COLOUR.search(shown(NO_COLOR="1"))


def test_a_reader_that_leaves_early_is_no_fault(installed_command, run):
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [installed_command, "recipes", "--json"], stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert b"Traceback" not in ended.stderr
    assert ended.returncode not in (0, 2)


def test_the_bar_follows_every_event(run, script, rich_error, monkeypatch):
    monkeypatch.setattr("rich.console.Console.is_terminal", property(lambda _: True))
    script.errors.append(rich_error(grpc.StatusCode.UNAVAILABLE, "DRAINING", "Draining.", retry_seconds=0.01))
    ended = run("create", "voice.wav")
    assert ended.exit_code == 0
    assert len(script.requests) == 2
    assert "2/2" in ended.stderr


def test_open_shows_what_was_made(run, monkeypatch):
    opened = []
    monkeypatch.setattr("typer.launch", opened.append)
    assert run("create", "voice.wav", "--open").exit_code == 0
    assert opened == ["voice.png"]
