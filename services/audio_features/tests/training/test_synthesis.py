"""The synthesiser of clips."""

from __future__ import annotations

import numpy as np
import pytest

from chladni_audio_features.training.synthesis import speech
from chladni_audio_features.training.synthesis.corpus import SHARES, draw_clip, draw_corpus
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
        first, second = (draw_clip(kind, np.random.default_rng(seed), rate_hz=RATE_HZ) for _ in range(2))
        assert np.array_equal(first, second)
        assert first.dtype == np.float32
        assert 0 < np.abs(first).max() < 1.1
        assert 0.1 * RATE_HZ < len(first) < 15 * RATE_HZ


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="'birds'"):
        draw_clip("birds", np.random.default_rng(0), rate_hz=RATE_HZ)


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
