"""Analyses of music as messages."""

from __future__ import annotations

import numpy as np

from chladni_audio_features.grpc_api.music_messages import to_features_message
from chladni_audio_features.music.analysis import MusicAnalysis, analyse_music
from chladni_audio_features.music.beats import NO_BEATS
from chladni_audio_features.music.chords import ChordSegment
from chladni_audio_features.music.dynamics import Dynamics
from chladni_audio_features.music.key import KeyCandidate
from chladni_audio_features.music.melody import MelodyContour
from chladni_audio_features.music.meter import MeterEstimate, TempoCandidate
from chladni_audio_features.music.mood import Mood
from chladni_contract.music_features import to_features


def chord(root, quality):
    return ChordSegment(0.0, 1.0, root, quality, 0.9)


def test_the_most_confident_candidates_are_the_features():
    times = 0.02 * np.arange(9)
    analysis = MusicAnalysis(
        keys=(
            KeyCandidate(9, is_major=False, confidence=0.9),
            KeyCandidate(0, is_major=True, confidence=0.1),
        ),
        meter=MeterEstimate((TempoCandidate(108.249, 0.8), TempoCandidate(54.1, 0.1)), "3/4", 0.9),
        beats=NO_BEATS,
        chords=(chord(9, "m"), chord(9, "m"), chord(None, ""), chord(4, "")),
        contour=MelodyContour(times, 100.0 * np.arange(9), np.ones(9), is_solo=True),
        dynamics=Dynamics((0.0,), (-10.0,), "steady", "ff", 1.0, 0.9),
        mood=Mood(-0.41239, 0.2, ("dark", "tense", "restless", "cold"), 0.7),
        abc_notation="",
    )
    assert to_features(to_features_message(analysis)) == {
        "key": "A minor",
        "tonality": "minor",
        "tempo_bpm": 108.2,
        "time_signature": "3/4",
        "mood": ["dark", "tense", "restless"],
        "valence": -0.412,
        "arousal": 0.2,
        "melody_contour": "ascending",
        "harmonic_progression": "i V",
        "dynamic_intensity": "loud",
    }


def test_silence_has_few_features():
    features = to_features(to_features_message(analyse_music(np.zeros(2300, np.float32))))
    assert features == {
        "time_signature": "none",
        "mood": ["silent"],
        "valence": 0.0,
        "arousal": -1.0,
        "dynamic_intensity": "soft",
    }
