"""The sample clips."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from chladni_audio_features.audio.decoding import AudioDecoder
from chladni_audio_features.audio.limits import DecodingLimits
from chladni_audio_features.tools import make_samples
from chladni_audio_features.tools.make_samples import SAMPLES, encode, with_serial
from chladni_audio_features.training.synthesis.speech import has_speech

RATE_HZ = 22050

needs_speech = pytest.mark.skipif(not has_speech(), reason="espeak-ng is not installed")


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".ogg"])
def test_encoding_is_reproducible(sounds, suffix):
    samples = sounds.chord(60, 64, 67).astype(float)
    first, second = (encode(samples, rate_hz=RATE_HZ, suffix=suffix) for _ in range(2))
    assert first == second
    assert AudioDecoder(DecodingLimits()).decode(first).duration_seconds == pytest.approx(2.0, abs=0.01)


def test_another_serial_number_leaves_the_sound_alone(files, sounds):
    original = files.encode(sounds.tone(440), file_format="OGG")
    changed = with_serial(original, 7)
    assert changed != original
    assert changed[14:18] == (7).to_bytes(4, "little")
    first, second = (AudioDecoder(DecodingLimits()).read(content) for content in (original, changed))
    assert first.source == second.source
    assert np.array_equal(first.samples, second.samples)
    decoded = [soundfile.read(io.BytesIO(content))[0] for content in (original, changed)]
    assert np.array_equal(*decoded)


@needs_speech
def test_samples_are_made(tmp_path, capsys):
    make_samples.main(["--output", str(tmp_path)])
    decoder = AudioDecoder(DecodingLimits())
    paths = sorted(tmp_path.iterdir())
    assert [path.name for path in paths] == sorted(sample.name for sample in SAMPLES)
    assert sum(path.stat().st_size for path in paths) < 1_000_000
    assert {path.suffix for path in paths} == {".wav", ".flac", ".mp3", ".ogg"}
    report = capsys.readouterr().out
    for path in paths:
        assert 2.0 < decoder.decode(path.read_bytes()).duration_seconds < 7.0
        assert path.name in report


def test_machines_are_those_of_the_fixtures(tmp_path):
    make_samples.main(["--machines", str(tmp_path)])
    fixtures = Path(__file__).parents[4] / "tests" / "fixtures" / "machines"
    assert {path.name for path in fixtures.iterdir()} == {path.name for path in tmp_path.iterdir()}
    for path in tmp_path.glob("*.flac"):
        (made, _), (kept, _) = (soundfile.read(folder / path.name) for folder in (tmp_path, fixtures))
        np.testing.assert_allclose(made, kept, atol=1e-3)
