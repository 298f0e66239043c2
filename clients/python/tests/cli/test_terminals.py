"""Terminals, locales and file names of every kind; images on terminals and on standard output."""

from __future__ import annotations

import json
import os
import re
import subprocess
from types import SimpleNamespace

import grpc
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from chladni.errors.v1 import warning_pb2
from chladni_client.cli.completion import complete_recipe
from chladni_client.cli.destinations import destinations_of
from chladni_client.cli.display.terminal_image import Blocks, kitty, sixel
from chladni_client.cli.display.text import in_words_of_options, shown
from chladni_client.cli.failures import ExitStatus
from chladni_client.cli.latents import read_latents
from chladni_client.errors import InvalidInputError

COLOURS = Image.fromarray(np.arange(16 * 12 * 3, dtype=np.uint8).reshape(12, 16, 3))
HOSTILE = "\x1b]0;owned\x07\x9b31m"


@pytest.fixture
def run(run, folder, target, monkeypatch):
    (folder / "voice.wav").write_bytes(b"a voice")
    monkeypatch.setenv("CHLADNI_CLIENT_TARGET", target)
    monkeypatch.setenv("CHLADNI_CLIENT_AUDIO_FEATURES_TARGET", target)
    return run


def controls_in(text):
    return set(re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text))


def test_no_escape_sequence_reaches_the_terminal(run, script, rich_error, folder, png_of):
    (folder / f"{HOSTILE}.wav").write_bytes(b"a voice")
    created = script.events[-1].created.image
    created.warnings.add(message=HOSTILE)
    created.provenance.fallback = HOSTILE
    script.events[5].started.model = HOSTILE
    facts = {"model": HOSTILE, "prompt": HOSTILE, "recipe_options": {HOSTILE: HOSTILE}}
    (folder / "image.png").write_bytes(png_of((b"iTXt", b"chladni\0\0\0\0\0" + json.dumps(facts).encode())))
    for arguments in (
        ("create", f"{HOSTILE}.wav"),
        ("descriptors", f"{HOSTILE}.wav"),
        ("spectrogram", f"{HOSTILE}.wav"),
        ("create", f"{HOSTILE}.txt"),
        ("inspect", "image.png"),
        ("inspect", f"{HOSTILE}.wav"),
    ):
        ended = run(*arguments)
        assert not controls_in(ended.stdout + ended.stderr), arguments
    script.errors.append(rich_error(grpc.StatusCode.INTERNAL, "INTERNAL", HOSTILE))
    ended = run("images")
    assert ended.stderr == "Error: \\x1b]0;owned\\x07\\x9b31m\n"


def test_a_name_that_is_no_utf8_copes_in_any_locale(installed_command, run, folder):
    name = b"caf\xe9.wav"
    (folder / os.fsdecode(name)).write_bytes(b"a voice")
    for variables in ({"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}, {"PYTHONIOENCODING": "ascii"}):
        ended = subprocess.run(
            [installed_command, "create", name], env=os.environ | variables, capture_output=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.startswith(b"caf\\xe9.png  1 x 1")
    assert (folder / os.fsdecode(b"caf\xe9.png")).exists()
    assert json.loads(run("create", os.fsdecode(name), "--json").stdout)["path"] == os.fsdecode(
        b"caf\xe9.png"
    )


@pytest.mark.parametrize("output", ["-", "/dev/stdout"])
def test_an_image_goes_to_standard_output(installed_command, run, png_of, output):
    for command in ("create", "spectrogram"):
        ended = subprocess.run(
            [installed_command, command, "voice.wav", "-o", output], capture_output=True, check=True
        )
        assert ended.stdout == png_of()
        assert b"standard output  " in ended.stderr


def test_the_name_of_a_file_chooses_its_format(run, script, folder):
    script.events[-1].created.file.content = b"\xff\xd8\xff"
    assert run("create", "voice.wav", "-o", "voice.JPG", "-q").exit_code == 0
    assert script.requests[-1].options.encoding.format == 2
    assert (folder / "voice.JPG").read_bytes() == b"\xff\xd8\xff"
    assert run("spectrogram", "voice.wav", "-o", "s.webp").exit_code == 0
    assert script.requests[-1].encoding.format == 3


def test_folders_are_taken_for_what_is_in_them(run, script, folder):
    for name in ("b.wav", "deep/a.ogg", "deep/b.mp3", "notes.txt"):
        path = folder / "clips" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    ended = run("create", "clips", "-o", "images")
    assert ended.exit_code == 0, ended.stderr
    names = sorted(path.name for path in (folder / "images").iterdir())
    assert names == ["a.png", "b.mp3.png", "b.wav.png"]


def test_inputs_of_one_stem_do_not_replace_each_other(folder):
    clips = [folder / name for name in ("a.wav", "A.mp3", "x/b.wav", "y/b.wav", "c.wav")]
    names = [path.name for path in destinations_of(clips, folder)]
    assert names == ["a.wav.png", "A.mp3.png", "b.wav.png", "b.wav-2.png", "c.png"]


def test_audio_is_compared_by_its_images(run, script, folder):
    (folder / "flute.ogg").write_bytes(b"OggS")
    ended = run("compare", "voice.wav", "flute.ogg", "--seed", "3")
    assert ended.exit_code == 0, ended.stderr
    first, second, comparison = script.requests
    assert (first.audio.content, second.audio.content) == (b"a voice", b"OggS")
    assert first.options.seed == second.options.seed == 3
    assert comparison.first.file.content.startswith(b"\x89PNG")
    assert ended.stdout.startswith("0.250")


def test_latents_take_the_place_of_audio(run, script, folder):
    many = np.arange(32, dtype=np.float32).reshape(2, 4, 2, 2)
    np.save(folder / "voices.npy", many)
    header = json.dumps({"latents": {"dtype": "F32", "shape": [2, 16], "data_offsets": [0, 128]}}).encode()
    content = len(header).to_bytes(8, "little") + header + many.tobytes()
    (folder / "voices.safetensors").write_bytes(content)
    for name in ("voices.npy", "voices.safetensors"):
        ended = run("create", "--recipe", "latent-noise", "--latents", name, "--subject", "1")
        assert ended.exit_code == 0, ended.stderr
        assert ended.stdout.startswith("voices-1.png  ")
        request = script.requests[-1]
        sent = np.frombuffer(request.latent_noise.initial_latents.data, "<f4")
        assert sent.tolist() == many[1].ravel().tolist()
        assert not request.HasField("audio")
    for name, subject, text in (
        ("voices.npy", 2, "no --subject 2; its last one is 1"),
        ("voice.wav", 0, "it is no .npy file"),
        ("cut.safetensors", 0, "cut short or damaged"),
    ):
        (folder / "cut.safetensors").write_bytes(content[:-1])
        with pytest.raises(InvalidInputError, match=text):
            read_latents(folder / name, subject)


def test_warnings_are_printed(run, script):
    script.events[-1].created.image.warnings.add(
        reason=warning_pb2.WARNING_REASON_SETTING_IGNORED,
        message="latent_noise.negative_prompt had no effect, as options.guidance_scale is 1.",
        metadata={"field": "latent_noise.negative_prompt"},
    )
    ended = run("create", "voice.wav", "-q")
    assert ended.stderr == "Notice: --negative-prompt had no effect, as --guidance is 1.\n"
    (warning,) = json.loads(run("create", "voice.wav", "-q", "--json").stdout)["warnings"]
    assert warning["reason"] == "SETTING_IGNORED"


def test_messages_speak_of_options():
    message = "options.guidance_scale is 0.5; first.file is empty; width_pixels must fit; a some_word stays."
    assert in_words_of_options(message, ["options.guidance_scale", "first.file"]) == (
        "--guidance is 0.5; FIRST is empty; --width must fit; a some_word stays."
    )
    assert in_words_of_options("steps is 0", ["steps"]) == "--steps is 0"
    assert in_words_of_options("options.steps: is 0, no.", ["options.steps"]) == "--steps is 0, no."
    assert shown("[red]\x1b") == r"\[red]\x1b"


@pytest.mark.parametrize("command", ["recipes", "images", "health", "info", "jobs", "matrix"])
def test_sixty_columns_are_enough(run, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("rich.console.Console.is_terminal", property(lambda _: True))
    ended = run(command)
    assert ended.exit_code == 0, ended.stderr
    lines = re.sub(r"\x1b\[[0-9;]*m", "", ended.stdout).splitlines()
    assert max(map(len, lines)) <= 60
    assert not any("…" in line for line in lines if command != "recipes")


def test_the_server_describes_itself(run):
    shown_info = run("info").stdout
    for words in ("Version", "0.1.0", "Service similarity", "loading", "0 to 4294967295", "24 h"):
        assert words in shown_info, words
    assert json.loads(run("info", "--json").stdout)["limits"]["max_matrix_images"] == 24


def test_the_server_describes_its_films_if_it_makes_some(run, script):
    shown_info = run("info").stdout
    for words in (
        "3 to 600 s, at most 200 MiB",
        "256 to 1024 pixels, multiples of 64",
        "at most 8, kept for 24 h",
    ):
        assert words in shown_info, words
    assert json.loads(run("info", "--json").stdout)["film_limits"]["loop_seconds"] == [3, 8]
    script.says_film_limits = False
    assert "--fps" not in run("info").stdout
    assert json.loads(run("info", "--json").stdout)["film_limits"] is None


def test_a_matrix_of_the_session_is_shown(run, script):
    ended = run("matrix")
    assert ended.exit_code == 0, ended.stderr
    assert list(script.requests[-1].image_ids) == ["1-0", "1-1", "2-0", "2-1"]
    assert "1.00" in ended.stdout
    assert "voice.wav" in ended.stdout
    assert json.loads(run("matrix", "--json").stdout)["scores"][0] == [1, 0.5, 0.5, 0.5]


def test_recipes_are_completed(target, monkeypatch):
    context = SimpleNamespace(params={"target": None}, find_root=lambda: SimpleNamespace(params={}))
    monkeypatch.setenv("CHLADNI_CLIENT_TARGET", target)
    assert complete_recipe(context, "c") == [("clap", "CLAP decides the image.")]
    monkeypatch.setenv("CHLADNI_CLIENT_TARGET", "http://localhost")
    assert complete_recipe(context, "c") == []


def test_a_page_in_place_of_the_server_is_told(run, script, bare_error):
    details = "failed to connect; last error: Failed parsing HTTP/2 (Expected SETTINGS frame)"
    script.errors.extend([bare_error(grpc.StatusCode.UNAVAILABLE, details)] * 9)
    ended = run("recipes")
    assert ended.exit_code == ExitStatus.UNAVAILABLE
    assert "speaks no gRPC: it may be that of the web page" in ended.stderr


def test_kitty_gets_chunks_of_a_png():
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    commands = kitty(noise, columns=20).split("\x1b\\")[:-1]
    assert commands[0].startswith("\x1b_Ga=T,f=100,c=20,m=1;iVBOR")
    assert all(len(command) < 4200 for command in commands)
    assert [command.partition(";")[0][-3:] for command in commands[1:]] == ["m=1"] * (len(commands) - 2) + [
        "m=0"
    ]


def test_sixels_draw_every_pixel_once():
    commands = sixel(COLOURS)
    assert commands.startswith('\x1bPq"1;1;16;12#0;2;')
    assert commands.endswith("-\x1b\\")
    bands = commands.split("-")
    assert len(bands) == 3
    assert bands[1].count("$") == len(np.unique(np.asarray(COLOURS.quantize(64))[6:]))


def test_blocks_show_two_pixels_each():
    console = Console(force_terminal=True, color_system="truecolor", width=80, record=True)
    with console.capture() as capture:
        console.print(Blocks(COLOURS, columns=16))
    lines = capture.get().splitlines()
    assert len(lines) == 6
    assert all(line.count("▀") == 16 for line in lines)
    assert "38;2;" in lines[0]


@pytest.mark.parametrize(
    ("protocol", "beginning"), [("kitty", "\x1b_G"), ("sixel", "\x1bPq"), ("blocks", "▀")]
)
def test_show_draws_on_a_terminal_alone(run, monkeypatch, protocol, beginning):
    monkeypatch.setenv("CHLADNI_SHOW", protocol)
    assert beginning not in run("create", "voice.wav", "--show").stdout
    monkeypatch.setattr("rich.console.Console.is_terminal", property(lambda _: True))
    assert beginning in run("create", "voice.wav", "--show").stdout
