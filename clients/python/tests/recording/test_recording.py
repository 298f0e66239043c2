"""What a recording is made of: sources of samples, levels, the Enter key and the spectrum."""

from __future__ import annotations

import io
import math
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chladni_client as chladni
from chladni_client.cli.display.recording import meter
from chladni_client.recording.recorder import EnterKey, level_of, record
from chladni_client.recording.sources import WavSource
from chladni_client.recording.spectrum import LiveSpectrum

RATE_HZ = 8000


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

    def test_it_becomes_a_wav(self, folder, samples_of):
        recording = self.record(ListSource(2))
        (folder / "a.wav").write_bytes(recording.to_wav())
        assert samples_of(folder / "a.wav") == [0] * 800 + [1] * 800


class TestLevels:
    def test_a_tone_has_the_level_of_a_tone(self, tone):
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
