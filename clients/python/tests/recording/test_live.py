"""`chladni live`: sources, levels, ENTER, and the whole way from a microphone's stand-in to the image."""

from __future__ import annotations

import io
import json
import math
import os
import pty
import subprocess
import sys
import threading
import wave

import grpc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chladni_client as chladni
from chladni.gateway.v1 import creation_pb2
from chladni.generation.v1 import generation_pb2
from chladni_client.cli.display.recording import meter
from chladni_client.cli.failures import ExitStatus
from chladni_client.recording.microphone import Microphone
from chladni_client.recording.recorder import EnterKey, level_of, record
from chladni_client.recording.sources import WavSource
from chladni_client.recording.spectrum import LiveSpectrum

RATE_HZ = 8000


def tone(seconds, amplitude=16384):
    return [round(amplitude * math.sin(0.1 * math.pi * index)) for index in range(int(RATE_HZ * seconds))]


def samples_of(path):
    with wave.open(str(path), "rb") as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE_HZ, 1, 2)
        content = file.readframes(file.getnframes())
    return [int.from_bytes(content[at : at + 2], "little", signed=True) for at in range(0, len(content), 2)]


@pytest.fixture
def run(run, folder, target, monkeypatch, write_wav):
    """Runs the command, which nobody can press ENTER for, with a file in place of the microphone."""
    write_wav(folder / "voice.wav", tone(0.35))
    monkeypatch.setenv("CHLADNI_CLIENT_TARGET", target)
    monkeypatch.setenv("CHLADNI_CLIENT_AUDIO_FEATURES_TARGET", target)
    return run


class TestSources:
    @pytest.mark.parametrize(
        ("sample_bytes", "samples", "expected"),
        [
            (1, [0, 128, 255, 129], [-32768, 0, 32512, 256]),
            (2, [-32768, 0, 32767, 1], [-32768, 0, 32767, 1]),
            (3, [-(2**23), 0, 2**23 - 1, 256], [-32768, 0, 32767, 1]),
            (4, [-(2**31), 0, 2**31 - 1, 65536], [-32768, 0, 32767, 1]),
        ],
    )
    def test_samples_of_every_size_become_16_bits(self, folder, write_wav, sample_bytes, samples, expected):
        path = write_wav(folder / "a.wav", samples, sample_bytes=sample_bytes)
        (content,) = WavSource(path, sleep=lambda _: None).chunks()
        assert memoryview(content).cast("h").tolist() == expected

    def test_a_file_plays_at_its_own_pace(self, folder, write_wav):
        waits = []
        path = write_wav(folder / "a.wav", range(2000), channel_count=2)
        source = WavSource(path, sleep=waits.append)
        assert source.pcm == chladni.PcmFormat(RATE_HZ, 2)
        assert [len(chunk) for chunk in source.chunks()] == [3200, 800]
        assert waits == [0.1, 0.1]

    @pytest.mark.parametrize("content", [b"", b"RIFF", b"OggS" + bytes(64)])
    def test_another_file_is_told(self, folder, content):
        (folder / "a.wav").write_bytes(content)
        with pytest.raises(chladni.InvalidInputError, match=r"a\.wav cannot play the part of the microphone"):
            WavSource(folder / "a.wav")


class ListSource:
    """Gives chunks of 0.1 s and notes that it was closed."""

    pcm = chladni.PcmFormat(RATE_HZ)

    def __init__(self, count):
        self.count = count
        self.is_closed = False

    def chunks(self):
        try:
            for number in range(self.count):
                yield bytes([number, 0]) * (RATE_HZ // 10)
        finally:
            self.is_closed = True


class TestRecording:
    def record(self, source, *, stops_after=math.inf, max_seconds=60.0):
        heard = []
        recording = record(
            source,
            is_stopped=lambda: len(heard) >= stops_after,
            max_seconds=max_seconds,
            on_chunk=heard.append,
        )
        assert source.is_closed
        return recording

    def test_it_ends_with_its_source_or_the_key_or_the_time(self):
        assert self.record(ListSource(5)).duration_seconds == 0.5
        assert self.record(ListSource(50), stops_after=3).duration_seconds == pytest.approx(0.3)
        assert self.record(ListSource(50), max_seconds=0.25).duration_seconds == 0.25
        assert self.record(ListSource(0)).content == b""

    def test_it_becomes_a_wav(self, folder):
        recording = self.record(ListSource(2))
        (folder / "a.wav").write_bytes(recording.to_wav())
        assert samples_of(folder / "a.wav") == [0] * 800 + [1] * 800


class TestLevels:
    def test_a_tone_has_the_level_of_a_tone(self):
        chunk = b"".join(sample.to_bytes(2, "little", signed=True) for sample in tone(0.1, 16384))
        level = level_of(chunk)
        assert level.peak_dbfs == pytest.approx(-6.02, abs=0.01)
        assert level.rms_dbfs == pytest.approx(-9.03, abs=0.02)

    def test_silence_and_full_scale_are_the_ends(self):
        assert level_of(bytes(100)) == level_of(b"") == chladni.AudioLevel(-120, -120)
        assert level_of(b"\x00\x80" * 10) == chladni.AudioLevel(0, 0)

    @settings(max_examples=150)
    @given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=200))
    def test_the_peak_is_never_below_the_mean(self, samples):
        level = level_of(b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples))
        assert -120 <= level.rms_dbfs <= level.peak_dbfs + 1e-9
        assert level.peak_dbfs <= 0

    def test_the_meter_grows_and_turns_yellow_and_red(self):
        levels = [chladni.AudioLevel(rms, rms + 3) for rms in (-80, -30, -9, -3)]
        meters = [meter(level) for level in levels]
        assert [text.plain.count("█") for text in meters] == [0, 15, 26, 28]
        assert [str(text.spans[0].style) for text in meters[1:]] == ["green", "yellow", "red"]


class TestEnterKey:
    def test_lines_are_keys(self):
        reading, writing = os.pipe()
        key = EnterKey(reading)
        assert not key.is_pressed()
        os.write(writing, b"abc")
        assert not key.is_pressed()
        os.write(writing, b"\n\n")
        assert key.is_pressed()
        key.wait()
        assert not key.is_pressed()
        os.close(writing)
        assert not key.is_pressed()
        assert not key.is_there
        key.wait()
        os.close(reading)

    def test_where_no_keyboard_is_none_is_waited_for(self):
        key = EnterKey.of(io.StringIO("\n"))
        assert not key.is_there
        key.wait()
        assert not key.is_pressed()


class TestSpectrum:
    def test_it_is_that_of_the_server(self, client, script):
        with LiveSpectrum(client, chladni.PcmFormat(RATE_HZ)) as spectrum:
            assert spectrum.drawn(4) == ""
            for chunk in (b"ab", b"cd"):
                spectrum.push(chunk)
        spectrum.wait(10)
        assert (bytes(script.pcm), script.pcm_config.sample_rate_hz) == (b"abcd", RATE_HZ)
        assert spectrum.drawn(4) == " ▅██"
        assert spectrum.drawn(2) == "▅█"
        assert spectrum.drawn(8) == "  ▅▅████"
        assert spectrum.unavailable_reason == ""

    def test_without_a_server_there_is_none(self):
        with chladni.Client("127.0.0.1:1", audio_features_target="127.0.0.1:1") as client:
            with LiveSpectrum(client, chladni.PcmFormat(RATE_HZ)) as spectrum:
                spectrum.push(b"ab")
            spectrum.wait(20)
            assert "cannot be reached" in spectrum.unavailable_reason
            assert spectrum.drawn(4) == ""


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


def test_a_sound_becomes_an_image(run, script, folder):
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
    installed_command, run, folder, write_wav, script
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


def test_enter_comes_through_a_pipe_too(installed_command, run, folder, write_wav):
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

    def test_the_command_records_it(self, run, port_audio, folder):
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
