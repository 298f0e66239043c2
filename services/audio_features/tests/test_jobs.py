"""Synthesis, the sample sounds and the jobs around them."""

import io

import numpy as np
import pytest
import soundfile

from chladni_audio_features.audio.containers import read_header
from chladni_audio_features.audio.decoding import AudioDecoder, DecodingLimits
from chladni_audio_features.tools import evaluate_embedding, make_samples
from chladni_audio_features.tools.make_samples import SAMPLES, encode
from chladni_audio_features.tools.ogg_serials import with_serial
from chladni_audio_features.training import calibrate_embedding, write_embeddings
from chladni_audio_features.training.evaluation import (
    format_report,
    mean_distances,
    nearest_neighbour_accuracy,
    stack_by_kind,
)
from chladni_audio_features.training.synthesis import speech
from chladni_audio_features.training.synthesis.corpus import SHARES, draw_corpus, draw_sound
from chladni_audio_features.training.synthesis.effects import faded, normalised
from chladni_audio_features.training.synthesis.music import Piece, render_piece
from chladni_audio_features.training.synthesis.percussion import PATTERNS, render_pattern
from chladni_audio_features.training.synthesis.speech import Utterance, has_speech, speak
from chladni_audio_features.training.synthesis.timbres import HARP, INSTRUMENTS, PLUCK, render_tone

RATE_HZ = 22050
needs_speech = pytest.mark.skipif(not has_speech(), reason="espeak-ng is not installed")


@pytest.mark.parametrize("timbre", INSTRUMENTS)
def test_instruments_play_in_tune(analyser, timbre):
    rng = np.random.default_rng(0)
    tone = render_tone(timbre, midi_note=69, duration_seconds=1.0, sample_rate_hz=RATE_HZ, rng=rng)
    chroma = analyser.describe(tone.astype(np.float32)).chroma
    assert chroma[9] == 1.0
    assert np.abs(tone).max() < 1.5


@pytest.mark.parametrize(("is_major", "progression"), [(True, (0, 3, 4, 0)), (False, (0, 3, 4, 0))])
@pytest.mark.parametrize("texture", ["block", "arpeggio", "alberti"])
def test_pieces_are_in_their_key(analyser, is_major, progression, texture):
    piece = Piece(
        tonic=60, is_major=is_major, tempo_bpm=110.0, progression=progression, texture=texture, timbre=HARP,
        duration_seconds=8.7, beats_per_bar=4, has_bass=False,
    )  # fmt: skip
    sound = render_piece(piece, rate_hz=RATE_HZ, rng=np.random.default_rng(1)).astype(np.float32)
    described = analyser.describe(sound)
    assert (described.mode > 0) == is_major


def test_melodies_and_drones_are_played(analyser):
    for texture in ("melody", "drone"):
        piece = Piece(
            tonic=57, is_major=False, tempo_bpm=120.0, progression=(0,), texture=texture, timbre=PLUCK,
            duration_seconds=3.0, drum_pattern=0,
        )  # fmt: skip
        sound = render_piece(piece, rate_hz=RATE_HZ, rng=np.random.default_rng(1))
        assert len(sound) == 3 * RATE_HZ
        assert analyser.describe(sound.astype(np.float32)).chroma[9] > 0.5


@pytest.mark.parametrize("pattern", PATTERNS)
def test_drums_keep_their_tempo(analyser, pattern):
    loop = render_pattern(
        pattern, tempo_bpm=120.0, duration_seconds=8.0, rate_hz=RATE_HZ, rng=np.random.default_rng(0)
    )
    tempi = [
        candidate.beats_per_minute
        for candidate in analyser.describe(loop.astype(np.float32)).tempo_candidates
    ]
    # Metrical levels of 120 beats per minute, the beat among them or its half or double.
    assert any(abs(tempo / level - 1) < 0.02 for tempo in tempi for level in (60, 120, 240))


@pytest.mark.parametrize("kind", [kind for kind in SHARES if kind != "speech" or has_speech()])
def test_corpus_sounds_are_usable_and_reproducible(kind):
    for seed in range(3):
        first, second = (draw_sound(kind, np.random.default_rng(seed), rate_hz=RATE_HZ) for _ in range(2))
        assert np.array_equal(first, second)
        assert first.dtype == np.float32
        assert 0 < np.abs(first).max() < 1.1
        assert 0.1 * RATE_HZ < len(first) < 15 * RATE_HZ


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="'birds'"):
        draw_sound("birds", np.random.default_rng(0), rate_hz=RATE_HZ)


def test_the_corpus_leaves_speech_out_where_there_is_none(monkeypatch):
    monkeypatch.setattr("chladni_audio_features.training.synthesis.corpus.has_speech", lambda: False)
    kinds = [sound.kind for sound in draw_corpus(count=12, seed=0, rate_hz=RATE_HZ)]
    assert len(kinds) == 12
    assert "speech" not in kinds


@needs_speech
def test_speech_is_reproducible():
    utterance = Utterance(text="Sand.", voice="en-gb")
    assert np.array_equal(speak(utterance, rate_hz=RATE_HZ), speak(utterance, rate_hz=RATE_HZ))


def test_missing_speech_is_named(monkeypatch):
    monkeypatch.setattr(speech.shutil, "which", lambda _name: None)
    with pytest.raises(speech.SpeechUnavailableError, match="espeak-ng"):
        speak(Utterance(text="Sand.", voice="en-gb"), rate_hz=RATE_HZ)


def test_effects_leave_silence_alone():
    silence = np.zeros(100)
    assert not normalised(silence, peak=0.9).any()
    assert not faded(silence, seconds=1.0, rate_hz=100).any()


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
    assert read_header(changed) == read_header(original)
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


def test_distances_and_neighbours():
    groups = stack_by_kind(
        ["a", "b", "a", "b"],
        [np.full(152, value, np.float32) for value in (0.0, 1.0, 0.1, 0.9)],
    )
    distances = mean_distances(groups)
    assert distances["a", "a"] == pytest.approx(0.1 * np.sqrt(152), rel=1e-5)
    assert distances["a", "b"] == pytest.approx(0.9 * np.sqrt(152), rel=1e-5)
    assert nearest_neighbour_accuracy(groups) == 1.0
    assert "same kind: 100%" in format_report(groups)


def test_calibration_writes_what_it_can_load(tmp_path, capsys):
    calibrate_embedding.main(["--count", "36", "--seed", "3", "--output", str(tmp_path / "model")])
    assert "36 sounds" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"calibration.json", "manifest.json"}


def test_embeddings_are_written_for_training(tmp_path, capsys, analyser, extractor):
    path = tmp_path / "new" / "embeddings.npz"
    write_embeddings.main(["--count", "9", "--seed", "5", "--out", str(path)])
    assert "9 embeddings of 152 components" in capsys.readouterr().out
    with np.load(path) as archive:
        assert archive["embeddings"].dtype == np.float32
        assert archive["embeddings"].shape == (9, 152)
        for sound, kind, embedding in zip(
            draw_corpus(count=9, seed=5, rate_hz=RATE_HZ),
            archive["kinds"],
            archive["embeddings"],
            strict=True,
        ):
            assert sound.kind == kind
            expected = extractor.embedder.embed(analyser.describe(sound.samples))
            assert np.array_equal(embedding, expected)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--count", "0", "--out", "x.npz"], "--count: must be a whole number of at least 1, but is 0"),
        (["--count", "many", "--out", "x.npz"], "--count: must be a whole number of at least 1, but is many"),
        (["--count", "3", "--seed", "-1", "--out", "x.npz"], "--seed: must be a whole number of at least 0"),
        (["--count", "3", "--out", "x.csv"], "--out must end in .npz, but is x.csv"),
        (["--count", "3"], "required: --out"),
    ],
)
def test_impossible_embedding_jobs_are_explained(capsys, arguments, words):
    with pytest.raises(SystemExit):
        write_embeddings.main(arguments)
    assert words in capsys.readouterr().err


def test_evaluation_reads_folders(tmp_path, capsys, files, sounds):
    for kind, samples in {"tones": sounds.tone(440, 25.0), "noises": sounds.noise(1.0)}.items():
        folder = tmp_path / kind
        folder.mkdir()
        (folder / "long.wav").write_bytes(files.encode(samples))
        (folder / "short.wav").write_bytes(files.encode(samples[:500]))
    evaluate_embedding.main([f"{kind}={tmp_path / kind}" for kind in ("tones", "noises")])
    report = capsys.readouterr().out
    assert "3 sounds" in report  # two pieces of the long tone, one noise
    assert "short.wav" in report
