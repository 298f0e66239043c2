"""`chladni live`: sources, levels, ENTER, and the whole way from a microphone's stand-in to the image."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading

import grpc
import numpy as np
import pytest

import chladni_client as chladni
from chladni.gateway.v1 import creation_pb2
from chladni.generation.v1 import generation_pb2
from chladni_client.cli.failures import ExitStatus
from chladni_client.recording.microphone import Microphone
from chladni_client.recording.recorder import record

RATE_HZ = 8000


@pytest.fixture
def run(run, folder, target, monkeypatch, write_wav, tone):
    """Runs the command, which nobody can press ENTER for, with a file in place of the microphone."""
    write_wav(folder / "voice.wav", tone(0.35))
    monkeypatch.setenv("CHLADNI_CLIENT_TARGET", target)
    monkeypatch.setenv("CHLADNI_CLIENT_AUDIO_FEATURES_TARGET", target)
    return run


async def chunks_later(*chunks):
    for chunk in chunks:
        yield chunk


async def test_a_live_sound_is_streamed(async_client, client, script):
    pcm = chladni.PcmFormat(RATE_HZ)
    events = [event async for event in async_client.stream_features(chunks_later(b"ab", b"cd"), pcm)]
    again = list(client.stream_features([b"ab", b"cd"], pcm))
    assert again[:2] == events[:2]
    assert again[2].duration_seconds == 4 / RATE_HZ
    first, second, summary = events
    assert (first.first_frame, second.first_frame) == (0, 1)
    assert (first.power_db.shape, first.power_db.values) == ((4, 1), (-80, -40, -20, -20))
    assert first.level == chladni.AudioLevel(-20, -10)
    assert (summary.frame_count, summary.duration_seconds) == (2, 2 / RATE_HZ)
    assert [item.name for item in summary.descriptors] == ["brightness", "flatness"]
    assert script.pcm_config.encoding == 1


async def test_a_live_sound_moves_images(async_client, client, script):
    pcm = chladni.PcmFormat(RATE_HZ)
    images = [image async for image in async_client.stream_images(chunks_later(b"ab", b"cd"), pcm, seed=3)]
    assert [(image.index, image.time_seconds) for image in images] == [(0, 0.1), (1, 0.2)]
    assert {(image.seed, image.window_seconds, image.format) for image in images} == {(3, 4.0, "png")}
    assert (images[0].skipped_images, images[0].late_images) == (2, 1)
    again = list(client.stream_images([b"ab"], pcm, width_pixels=512, look="plate", max_frame_rate=6))
    assert len(again) == 1
    frames = script.live_images_config.frames
    assert (frames.width_pixels, frames.look, frames.max_frame_rate) == (512, "plate", 6)
    assert not frames.HasField("seed")


async def test_impossible_images_are_refused_before_they_are_asked_for(client):
    with pytest.raises(chladni.InvalidInputError, match="seed"):
        next(client.stream_images([b"ab"], chladni.PcmFormat(RATE_HZ), seed=-1))


def test_frames_of_a_file_are_written(run, folder):
    result = run("live", "--wav", "voice.wav", "--frames", "moving", "--seed", "3", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    names = sorted(path.name for path in (folder / "moving").iterdir())
    assert names == [f"frame-{index:06}.png" for index in range(report["frames"])]
    assert report == {
        "frames": 4,
        "skipped_frames": 2,
        "folder": "moving",
        "seconds": 0.4,
    }
    assert not list(folder.glob("live-*"))


@pytest.mark.parametrize(
    "option",
    ["--output=me.png", "--prompt=a wave", "--steps=9", "--noise-weight=0", "--noise-mode=dct", "--show"],
)
def test_options_of_a_still_image_are_refused_with_frames(run, folder, option):
    result = run("live", "--wav", "voice.wav", "--frames", "moving", option)
    assert result.exit_code == 2
    assert "is not taken with --frames" in result.stderr
    assert option.partition("=")[0] in result.stderr
    assert not (folder / "moving").exists()


async def test_initial_latents_are_extracted(async_client, raw_latents_of, script):
    options = chladni.InitialLatentsOptions((1, 2, 2), chladni.LatentBasis.DCT, "voices")
    features = await async_client.extract_features(
        b"RIFF", features=[chladni.Feature.INITIAL_LATENTS], initial_latents=options
    )
    assert features.initial_latents.shape == (1, 2, 2)
    assert features.initial_latents.values == tuple(raw_latents_of(b"RIFF", 4))
    assert features.latent_calibration == chladni.LatentCalibration("voices", "", 3)
    sent = script.requests[0].initial_latents
    assert (list(sent.shape), sent.mode, sent.calibration, sent.unscaled) == (
        [1, 2, 2],
        generation_pb2.NOISE_MODE_DCT,
        "voices",
        False,
    )
    with pytest.raises(chladni.InvalidInputError, match=r"initial_latents\.shape"):
        await async_client.extract_features(b"", initial_latents=chladni.InitialLatentsOptions((-1, 2, 2)))


def test_a_sound_becomes_an_image(run, script, folder, tone, samples_of):
    ended = run(
        "live", "--wav", "voice.wav", "-o", "out/me.png", "--no-open", "--prompt", "ink", "--steps", "75"
    )
    assert ended.exit_code == 0, ended.stderr
    assert ended.stdout == "out/me.png  1 x 1, seed 4000000000, 1.5 s, made before\n"
    assert samples_of(folder / "out" / "me.wav") == tone(0.35)
    asked, request = [item for item in script.requests if isinstance(item, creation_pb2.CreateImageRequest)]
    assert (asked.latent_noise, asked.options.steps) == (request.latent_noise, 75)
    assert request.audio.content == (folder / "out" / "me.wav").read_bytes()
    assert (request.latent_noise.prompt, request.options.steps) == ("ink", 75)
    assert bytes(script.pcm) == request.audio.content[44:]
    lines = ended.stderr.splitlines()
    assert lines[:2] == ["● Recording for 30 s at most...", "recorded 0.3 s, peak -6.0 dB"]
    assert lines[-1] == "me.wav: done"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), ""),  # as the page asks
        (("--recipe", "embedded"), "embedded"),
        (("--noise-weight", "0.5"), "latent-noise"),
        (("--calibration", "voices"), "latent-noise"),
    ],
)
def test_the_sound_becomes_noise_if_an_option_asks_for_it(run, script, arguments, expected):
    ended = run("live", "--wav", "voice.wav", "-o", "me.png", "--no-open", *arguments, "--seconds", "0.2")
    assert ended.exit_code == 0
    assert script.requests[-1].recipe == expected
    assert len(script.requests[-1].audio.content) == 44 + 2 * 1600


def test_options_are_checked_before_anything_is_recorded(run, script, rich_error, folder):
    script.errors.append(
        rich_error(
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_FIELD",
            "options.steps is 500, must be from 1 to 150.",
            violations=[("options.steps", "is 500, must be from 1 to 150.")],
        )
    )
    ended = run("live", "--wav", "voice.wav", "-o", "me.png", "--steps", "500", "--no-open")
    assert ended.exit_code == ExitStatus.INVALID_INPUT
    assert ended.stderr == "Error: --steps is 500, must be from 1 to 150.\n"
    assert not script.pcm
    assert not (folder / "me.wav").exists()
    assert run("live", "--wav", "voice.wav", "-o", "me.gif").exit_code == ExitStatus.USAGE
    assert run("live", "--wav", "voice.wav", "-o", "-").exit_code == ExitStatus.USAGE
    assert run("live", "--wav", "voice.wav", "--save-latents", "me.pt").exit_code == ExitStatus.USAGE
    ended = run("live", "--wav", "voice.wav", "--save-latents", "me.npy", "--recipe", "embedded")
    assert "needs the recipe latent-noise" in ended.stderr
    assert not script.pcm


def test_the_latents_of_a_recording_are_written(run, folder):
    ended = run("live", "--wav", "voice.wav", "-o", "me.png", "--no-open", "--save-latents", "me.npy")
    assert ended.exit_code == 0, ended.stderr
    latents = np.load(folder / "me.npy")
    assert (latents.shape, latents.dtype) == ((1, 4, 1, 1), np.float32)


def test_programs_get_json(run, folder):
    ended = run("live", "--wav", "voice.wav", "--json", "-q")
    document = json.loads(ended.stdout)
    assert document["path"].startswith("live-2")
    assert (folder / document["path"]).exists()
    assert (folder / document["audio"]).suffix == ".wav"
    assert document["recording_seconds"] == 0.35


def test_silence_is_told(run, folder, write_wav):
    write_wav(folder / "voice.wav", [0] * 1600)
    ended = run("live", "--wav", "voice.wav", "-o", "me.png", "--no-open", "-q")
    assert "Notice: the recording is silent" in ended.stderr
    write_wav(folder / "voice.wav", [])
    ended = run("live", "--wav", "voice.wav", "-o", "me.png", "--no-open", "-q")
    assert ended.exit_code == ExitStatus.INVALID_INPUT
    assert "Nothing was recorded." in ended.stderr


def test_the_microphones_file_is_not_written_over(run, script):
    ended = run("live", "--wav", "voice.wav", "-o", "voice.png")
    assert ended.exit_code == 2
    assert "the recording would replace voice.wav" in " ".join(ended.stderr.replace("│", " ").split())
    assert not script.requests


@pytest.mark.parametrize(("display", "is_opened"), [(":0", True), ("", False)])
def test_the_image_is_shown_where_there_is_a_desktop(run, monkeypatch, display, is_opened):
    opened = []
    monkeypatch.setattr("typer.launch", opened.append)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert run("live", "--wav", "voice.wav", "-o", "me.png", "-q").exit_code == 0
    assert opened == (["me.png"] if is_opened else [])


def test_enter_starts_and_stops_the_recording_on_a_terminal(
    installed_command, run, folder, write_wav, script, tone, samples_of
):
    write_wav(folder / "long.wav", tone(60))
    primary, secondary = pty.openpty()
    program = subprocess.Popen(
        [installed_command, "live", "--wav", "long.wav", "-o", "me.png", "--seconds", "50", "--no-open"],
        env=os.environ | {"TERM": "xterm", "COLUMNS": "160"},
        stdin=secondary,
        stdout=subprocess.PIPE,
        stderr=secondary,
        text=True,
    )
    os.close(secondary)
    shown = read_until(primary, "Press ENTER to start")
    assert not script.pcm
    os.write(primary, b"\n")
    shown += read_until(primary, "1.0 s")
    os.write(primary, b"\n")
    shown += read_until(primary, "done")
    out, _ = program.communicate(timeout=60)
    os.close(primary)
    assert program.returncode == 0
    assert out.startswith("me.png  1 x 1")
    recorded = samples_of(folder / "me.wav")
    assert 1.0 * RATE_HZ <= len(recorded) < 50 * RATE_HZ
    assert recorded == tone(60)[: len(recorded)]
    for words in ("Press ENTER to stop", "█", "dB", "▅", "2/2"):
        assert words in shown, words


def read_until(descriptor, words):
    """Returns what a terminal shows, once these words are there."""
    shown = b""
    while words.encode() not in shown:
        shown += os.read(descriptor, 65536)
    return shown.decode(errors="replace")


def test_enter_comes_through_a_pipe_too(installed_command, run, folder, write_wav, tone, samples_of):
    write_wav(folder / "long.wav", tone(20))
    ended = subprocess.run(
        [installed_command, "live", "--wav", "long.wav", "-o", "me.png", "--no-open", "-q"],
        input="\n\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert len(samples_of(folder / "me.wav")) == RATE_HZ // 10


class FakePortAudio:
    """A module like sounddevice over a microphone that hears a counter; what cannot be had without one."""

    class PortAudioError(Exception):
        pass

    def __init__(self, *, is_mute=False):
        self.is_mute = is_mute
        self.opened = []

    def query_devices(self, device, kind):
        assert kind == "input"
        if device == "none":
            raise ValueError("no input device matching 'none'")
        return {"default_samplerate": 8000.0}

    def RawInputStream(self, **options):
        self.opened.append(options)
        return FakeStream(options, is_mute=self.is_mute)


class FakeStream:
    def __init__(self, options, *, is_mute):
        self.options = options
        self.is_over = threading.Event()
        self.thread = None if is_mute else threading.Thread(target=self.hear)

    def __enter__(self):
        if self.thread:
            self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        if self.thread:
            self.thread.join()

    def hear(self):
        number = 0
        while not self.is_over.wait(0.01):
            samples = memoryview(bytes([number % 256, 0]) * self.options["blocksize"])
            self.options["callback"](samples, self.options["blocksize"], None, None)
            number += 1


@pytest.fixture
def port_audio(monkeypatch):
    fake = FakePortAudio()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


class TestMicrophone:
    def test_it_is_heard_until_nobody_listens(self, port_audio):
        microphone = Microphone("3")
        assert microphone.pcm == chladni.PcmFormat(8000)
        recording = record(microphone, is_stopped=lambda: False, max_seconds=0.25, on_chunk=lambda _: None)
        samples = memoryview(recording.content).cast("h").tolist()
        assert samples == [0] * 800 + [1] * 800 + [2] * 400
        (options,) = port_audio.opened
        assert (options["device"], options["channels"], options["dtype"]) == (3, 1, "int16")

    def test_the_command_records_it(self, run, port_audio, folder, samples_of):
        ended = run("live", "-o", "me.png", "--seconds", "0.3", "--no-open", "-q")
        assert ended.exit_code == 0, ended.stderr
        assert samples_of(folder / "me.wav")[-1] == 2

    def test_one_that_is_not_there_is_told(self, run, port_audio):
        ended = run("live", "--device", "none", "-o", "me.png")
        assert ended.exit_code == ExitStatus.UNAVAILABLE
        assert "No microphone can be used (no input device matching 'none'): connect one" in ended.stderr

    def test_one_that_gives_nothing_is_told(self, port_audio, monkeypatch):
        port_audio.is_mute = True
        monkeypatch.setattr("chladni_client.recording.microphone._SILENT_SECONDS", 0.05)
        with pytest.raises(chladni.NotInstalledError, match=r"it gave nothing for 0\.05 s"):
            next(Microphone().chunks())

    def test_without_the_package_it_says_what_to_install(self, run, monkeypatch):
        monkeypatch.setitem(sys.modules, "sounddevice", None)
        ended = run("live")
        assert ended.exit_code == ExitStatus.UNAVAILABLE
        assert ended.stderr == (
            "Error: Recording needs the package sounddevice: pip install 'chladni-client[live]'.\n"
        )

    def test_without_port_audio_it_says_what_to_install(self, run, monkeypatch):
        def find_nothing(_name):
            raise OSError("PortAudio library not found")

        monkeypatch.setattr("chladni_client.recording.microphone.import_module", find_nothing)
        ended = run("live")
        assert ended.exit_code == ExitStatus.UNAVAILABLE
        assert "Recording needs the library PortAudio" in ended.stderr
        assert "apt install libportaudio2" in ended.stderr
        assert "--wav FILE" in ended.stderr
