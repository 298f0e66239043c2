"""The programs `serve.py` and `demo.py` as users run them, with stand-ins for the services."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
from PIL import Image

PORTS = {
    "CHLADNI_GATEWAY_GRPC_PORT": "0",
    "CHLADNI_GATEWAY_HTTP_PORT": "0",
    "CHLADNI_GATEWAY_METRICS_PORT": "0",
    "CHLADNI_AUDIO_FEATURES_GRPC_PORT": "0",
    "CHLADNI_AUDIO_FEATURES_METRICS_PORT": "0",
    "CHLADNI_IMAGE_GENERATION_GRPC_PORT": "0",
    "CHLADNI_IMAGE_GENERATION_METRICS_PORT": "0",
    "CHLADNI_SIMILARITY_GRPC_PORT": "0",
    "CHLADNI_SIMILARITY_METRICS_PORT": "0",
}
SERVICE_NAMES = ["audio-features", "gateway", "image-generation", "similarity"]


@pytest.fixture
def start(scripts, stand_in_modules, tmp_path):
    """Start a program."""
    started = []

    def start(script, *arguments, **environ):
        program = subprocess.Popen(
            [sys.executable, scripts / script, *map(str, arguments)],
            env=os.environ | {"COLUMNS": "160"} | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(program)
        return program

    yield start
    for program in started:
        program.kill()
        program.communicate()


@pytest.fixture
def clips(tmp_path):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for name, length in (("a.wav", 10), ("a.mp3", 20), ("b.FLAC", 30)):
        (folder / name).write_bytes(b"x" * length)
    (folder / "notes.txt").write_text("no sound")
    return folder


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_prints_the_address_stays_and_stops_in_good_order(start, stops, tmp_path, number):
    program = start("serve.py", "--logs", tmp_path / "logs", **PORTS)
    lines = iter(program.stdout.readline, "Press Ctrl-C to stop.\n")
    text = "".join(lines)
    ready = re.findall(r"^  (\S+) +ready after \d+\.\d s$", text, flags=re.MULTILINE)
    assert sorted(ready) == SERVICE_NAMES
    port = int(re.search(r"^  page   http://127\.0\.0\.1:(\d+)/$", text, flags=re.MULTILINE)[1])
    socket.create_connection(("127.0.0.1", port), timeout=5).close()
    assert sorted(path.stem for path in (tmp_path / "logs").iterdir()) == SERVICE_NAMES
    program.send_signal(number)
    out, err = program.communicate(timeout=30)
    assert (program.returncode, out, err) == (0, "\nStopped.\n", "")
    assert len(stops()) == 4
    assert stops()[0].startswith("gateway ")


def test_serve_says_which_port_is_taken_and_how_to_change_it(start, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        environ = PORTS | {"CHLADNI_GATEWAY_HTTP_PORT": str(port)}
        program = start("serve.py", "--logs", tmp_path / "logs", **environ)
        _, err = program.communicate(timeout=30)
    assert program.returncode == 1
    assert f"port {port} of gateway (change it with CHLADNI_GATEWAY_HTTP_PORT)" in err
    assert "Traceback" not in err


def test_serve_ends_when_a_service_does_not_start(start, stops, tmp_path):
    program = start("serve.py", "--logs", tmp_path / "logs", STAND_IN_SIMILARITY="crash", **PORTS)
    _, err = program.communicate(timeout=30)
    assert program.returncode == 1
    assert err.startswith("Error: similarity ended with status 1. The end of its log")
    assert err.endswith("  the weights are missing\n")


def kill_again(log, *, starts, number=signal.SIGKILL):
    """End a stand-in once its log has so many starts."""
    deadline = time.monotonic() + 30
    while len(pids := re.findall(r"starts as (\d+) ", log.read_text())) < starts:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(int(pids[-1]), number)


def test_serve_starts_a_service_again_that_ends_later_and_says_so(start, tmp_path):
    program = start("serve.py", "--logs", tmp_path / "logs", **PORTS)
    while program.stdout.readline() != "Press Ctrl-C to stop.\n":
        assert program.poll() is None
    log = tmp_path / "logs" / "similarity.log"
    kill_again(log, starts=1, number=signal.SIGUSR1)
    assert program.stderr.readline() == "  similarity ended with status 1; started again.\n"
    kill_again(log, starts=2)
    assert program.stderr.readline() == "  similarity ended by SIGKILL; started again.\n"
    assert "the disk is full" in log.read_text()
    program.send_signal(signal.SIGTERM)
    program.communicate(timeout=30)
    assert program.returncode == 0


def test_serve_ends_when_a_service_ends_again_and_again(start, stops, tmp_path):
    program = start("serve.py", "--logs", tmp_path / "logs", **PORTS)
    while program.stdout.readline() != "Press Ctrl-C to stop.\n":
        assert program.poll() is None
    for count in range(6):
        kill_again(tmp_path / "logs" / "similarity.log", starts=count + 1)
    _, err = program.communicate(timeout=30)
    assert program.returncode == 1
    assert err.count("started again") == 5
    assert "Error: similarity ended by SIGKILL. The end of its log" in err
    assert len(stops()) == 3


def test_demo_makes_images_compares_them_and_draws_the_sheet(start, stops, clips, tmp_path):
    program = start("demo.py", "--audio", clips, "--output", tmp_path / "demo", "--seed", "5")
    out, err = program.communicate(timeout=60)
    assert program.returncode == 0, err
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == [
        "a-2.png", "a.png", "b.png", "contact_sheet.png", "services",
    ]  # fmt: skip
    rows = [line.split() for line in out.splitlines()]
    for first, second in (
        (["1", "a.mp3", "20.0", "s", "0.00", "s", "5"], ["a.png"]),
        (["2", "a.wav", "10.0", "s", "0.00", "s", "6"], ["a-2.png"]),
        (["3", "b.FLAC", "30.0", "s", "0.00", "s", "7"], ["b.png"]),
    ):
        row = next(number for number, row in enumerate(rows) if row[: len(first)] == first)
        assert rows[row + 1] == second
    assert ["1", "a.mp3", "1", "0.25", "0.25"] in rows
    assert ["3", "b.FLAC", "0.25", "0.25", "1"] in rows
    assert "Most alike: a and a (0.25)" in out
    assert f"Contact sheet  {tmp_path}/demo/contact_sheet.png" in out
    assert re.search(r"^All in \d+\.\d s\.$", out, flags=re.MULTILINE)
    with Image.open(tmp_path / "demo" / "contact_sheet.png") as sheet:
        assert sheet.size > (1000, 800)
    assert len(stops()) == 4


def test_demo_leaves_out_what_is_no_recording_and_says_why(start, clips, tmp_path):
    (clips / "a.wav").write_bytes(b"broken")
    program = start("demo.py", "--audio", clips, "--output", tmp_path / "demo")
    out, err = program.communicate(timeout=60)
    assert program.returncode == 0, err
    assert re.search(r"^Left out a\.wav: .*that is no sound", out, flags=re.MULTILINE)
    assert not (tmp_path / "demo" / "a-2.png").exists()
    assert (tmp_path / "demo" / "b.png").exists()


def test_demo_says_what_went_wrong_and_stops_the_services(start, stops, clips, tmp_path):
    for clip in clips.iterdir():
        clip.write_bytes(b"broken")
    program = start("demo.py", "--audio", clips, "--output", tmp_path / "demo")
    _, err = program.communicate(timeout=60)
    assert program.returncode == 1
    assert "Error: " in err
    assert "that is no sound" in err
    assert "Traceback" not in err
    assert len(stops()) == 4


def test_demo_needs_sounds(start, tmp_path):
    program = start("demo.py", "--audio", tmp_path)
    _, err = program.communicate(timeout=30)
    assert program.returncode == 2
    assert "holds no WAV, FLAC, OGG or MP3 file" in err


@pytest.mark.parametrize("script", ["serve.py", "demo.py"])
def test_help_teaches(start, script):
    program = start(script, "--help")
    out, _ = program.communicate(timeout=30)
    assert program.returncode == 0
    assert f"python deploy/local/{script}" in out
    assert "exit status" in out
