"""The analyses of music, on pieces whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import mir_eval
import numpy as np
import pytest

from chladni_audio_features.music.analysis import analyse_music
from chladni_audio_features.music.dynamics import measure_dynamics
from chladni_audio_features.music.key import KeyCandidate, roman_numeral
from chladni_audio_features.music.mood import MoodEvidence, judge_mood
from chladni_audio_features.training.synthesis.annotated_music import render_annotated
from chladni_audio_features.training.synthesis.piece_plans import AnnotatedPiece

RATE_HZ = 22050
WALTZ = AnnotatedPiece(
    tonic=9,
    is_major=False,
    meter="3/4",
    tempo_bpm=108.0,
    loop=("i", "iv", "V", "i"),
    has_drums=True,
    detuning_cents=30.0,
    duration_seconds=10.0,
)


def rendered(piece, seed=0):
    samples, annotation = render_annotated(piece, rate_hz=RATE_HZ, rng=np.random.default_rng(seed))
    return samples.astype(np.float32), annotation


@pytest.fixture(scope="module")
def waltz():
    samples, annotation = rendered(WALTZ)
    return analyse_music(samples), annotation


def test_the_key_is_found_though_the_piece_is_out_of_tune(waltz):
    analysis, _ = waltz
    assert analysis.keys[0].name == "A minor"
    assert analysis.keys[0].confidence > 0.5
    assert sum(key.confidence for key in analysis.keys) <= 1.0 + 1e-9


def test_tempo_and_meter_are_found(waltz):
    analysis, _ = waltz
    assert analysis.meter.tempos[0].beats_per_minute == pytest.approx(108.0, rel=0.04)
    assert analysis.meter.signature == "3/4"
    assert sum(tempo.confidence for tempo in analysis.meter.tempos) <= 1.0 + 1e-9


def test_beats_and_bars_are_found(waltz):
    analysis, annotation = waltz
    beats, bars = (
        np.array(times) for times in (analysis.beats.beats_seconds, analysis.beats.downbeats_seconds)
    )
    assert mir_eval.beat.f_measure(annotation.beats_seconds, beats) > 0.9
    assert mir_eval.beat.f_measure(annotation.downbeats_seconds, bars) > 0.9
    assert set(analysis.beats.downbeats_seconds) <= set(analysis.beats.beats_seconds)


def test_chords_follow_each_other_without_gaps_and_agree(waltz):
    analysis, _ = waltz
    assert [chord.symbol for chord in analysis.chords][:3] == ["Am", "Dm", "E"]
    for before, after in zip(analysis.chords, analysis.chords[1:], strict=False):
        assert before.end_seconds == after.start_seconds
    key = analysis.keys[0]
    assert [roman_numeral(chord, key) for chord in analysis.chords][:3] == ["i", "iv", "V"]


def test_everything_between_0_and_1(waltz):
    analysis, _ = waltz
    confidences = [
        analysis.meter.confidence,
        analysis.beats.beat_confidence,
        analysis.beats.downbeat_confidence,
        analysis.mood.confidence,
        analysis.dynamics.confidence,
        *(chord.confidence for chord in analysis.chords),
        *analysis.contour.confidences,
    ]
    assert all(0.0 <= confidence <= 1.0 for confidence in confidences)
    assert -1.0 <= analysis.mood.valence <= 1.0
    assert -1.0 <= analysis.mood.arousal <= 1.0


def test_the_contour_of_one_voice_is_exact():
    samples, annotation = rendered(replace(WALTZ, has_chords=False, has_drums=False, duration_seconds=5.0))
    contour = analyse_music(samples).contour
    frequencies = np.where(
        np.isnan(contour.cents), 0.0, 440.0 * 2.0 ** (np.nan_to_num(contour.cents) / 1200.0)
    )
    voicing = mir_eval.melody.to_cent_voicing(
        annotation.melody_times_seconds, annotation.melody_hz, contour.times_seconds, frequencies
    )
    assert mir_eval.melody.raw_pitch_accuracy(*voicing) > 0.95
    assert contour.is_solo


@pytest.mark.parametrize("samples", [np.zeros(RATE_HZ, np.float32), np.zeros(2300, np.float32)])
def test_silence_has_no_music(samples):
    analysis = analyse_music(samples)
    assert (analysis.keys, analysis.meter.tempos, analysis.chords) == ((), (), ())
    assert analysis.meter.signature == "none"
    assert analysis.abc_notation == ""


@pytest.mark.parametrize("seconds", [0.1, 0.5, 2.0])
def test_short_noise_is_analysed_without_fail(seconds):
    noise = 0.1 * np.random.default_rng(0).standard_normal(round(seconds * RATE_HZ))
    analysis = analyse_music(noise.astype(np.float32))
    assert analysis.dynamics.levels_dbfs[0] == pytest.approx(-20.0, abs=1.0)


def test_the_same_bytes_give_the_same_analysis():
    samples, _ = rendered(replace(WALTZ, duration_seconds=3.0))
    first, second = analyse_music(samples), analyse_music(samples)
    assert first.keys == second.keys
    assert first.abc_notation == second.abc_notation


@pytest.mark.parametrize(
    ("levels_db", "course"),
    [
        ((-20.0, -20.0, -20.0), "steady"),
        ((-30.0, -20.0, -8.0), "crescendo"),
        ((-8.0, -20.0, -30.0), "diminuendo"),
        ((-30.0, -8.0, -30.0), "swell"),
        ((-8.0, -30.0, -8.0), "dip"),
    ],
)
def test_the_course_of_the_level(levels_db, course):
    count = 5 * RATE_HZ
    level = 10.0 ** (np.interp(np.linspace(0, 2, count), (0, 1, 2), levels_db) / 20.0)
    tone = np.sin(2 * np.pi * 220.0 * np.arange(count) / RATE_HZ) * np.sqrt(2.0)
    dynamics = measure_dynamics((level * tone).astype(np.float32))
    assert dynamics.course == course
    assert dynamics.levels_dbfs[25] == pytest.approx(np.interp(1.0, (0, 1, 2), levels_db), abs=3.0)


def evidence(**changes):
    usual = MoodEvidence(
        tempo_bpm=100.0,
        onset_rate=3.0,
        major_probability=0.5,
        level_dbfs=-20.0,
        brightness_hz=1500.0,
        noise_share=0.25,
    )
    return replace(usual, **changes)


def test_mood_rises_with_what_it_is_judged_by():
    assert (
        judge_mood(evidence(major_probability=1.0)).valence
        > judge_mood(evidence(major_probability=0.0)).valence
    )
    for change in (
        {"tempo_bpm": 170.0},
        {"onset_rate": 8.0},
        {"level_dbfs": -8.0},
        {"brightness_hz": 4000.0},
    ):
        assert judge_mood(evidence(**change)).arousal > judge_mood(evidence()).arousal


def test_words_fit_the_mood():
    happy = judge_mood(evidence(major_probability=1.0, tempo_bpm=150.0, onset_rate=6.0, level_dbfs=-10.0))
    sad = judge_mood(evidence(major_probability=0.0, tempo_bpm=55.0, onset_rate=1.0, level_dbfs=-30.0))
    assert {"joyful", "exuberant"} & set(happy.words)
    assert {"sad", "somber"} & set(sad.words)


def test_names_of_keys_are_those_of_musicians():
    assert KeyCandidate(10, is_major=True, confidence=1.0).name == "Bb major"
    assert KeyCandidate(8, is_major=False, confidence=1.0).name == "G# minor"
