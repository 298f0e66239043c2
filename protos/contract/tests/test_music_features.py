"""Music in a few words."""

from __future__ import annotations

import pytest
from google.protobuf.duration_pb2 import Duration

from chladni.audio.v1alpha1 import music_service_pb2 as music_pb2
from chladni_contract.descriptor_space import COMPONENT_NAMES
from chladni_contract.music_features import contour_shape, music_features, time_course


def test_the_most_confident_candidates_are_the_features():
    analysis = music_pb2.AnalyzeMusicResponse(
        keys=[
            music_pb2.KeyCandidate(key="A minor", tonality="minor", confidence=0.9),
            music_pb2.KeyCandidate(key="C major", tonality="major", confidence=0.1),
        ],
        tempos=[music_pb2.TempoCandidate(beats_per_minute=108.249, confidence=0.8)],
        meter=music_pb2.Meter(signature="3/4"),
        mood=music_pb2.Mood(valence=-0.41239, arousal=0.2, words=["dark", "tense", "restless", "cold"]),
        chords=[
            music_pb2.Chord(symbol="Am", roman_numeral="i", end=Duration(seconds=1)),
            music_pb2.Chord(symbol="Am", roman_numeral="i"),
            music_pb2.Chord(symbol="N"),
            music_pb2.Chord(symbol="E", roman_numeral="V"),
        ],
        dynamics=music_pb2.Dynamics(course="steady", marking="ff"),
        contour=music_pb2.MelodyContour(points=[music_pb2.ContourPoint(cents=100.0 * n) for n in range(9)]),
    )
    assert music_features(analysis) == {
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
    assert music_features(music_pb2.AnalyzeMusicResponse()) == {}


@pytest.mark.parametrize(
    ("cents", "shape"),
    [
        ([0, 100, 200, 300, 400, 500], "ascending"),
        ([500, 400, 300, 200, 100, 0], "descending"),
        ([0, 200, 500, 500, 200, 0], "arch"),
        ([500, 200, 0, 0, 200, 500], "valley"),
        ([0, 700, 0, 700, 0, 700, 0, 700, 0, 700], "wavy"),
        ([0, 10, 0, 10, 0], "flat"),
        ([0.0], ""),
    ],
)
def test_a_melody_has_a_shape(cents, shape):
    assert contour_shape(cents) == shape


def test_the_course_says_what_changes():
    values = [0.5] * len(COMPONENT_NAMES)
    for place, name in enumerate(COMPONENT_NAMES):
        if name.endswith("_level"):
            values[place] = 0.9 if name < "course_04" else 0.3
    course = time_course(values)
    assert course.startswith("first quarter loud; second quarter soft")
    assert time_course([0.5] * len(COMPONENT_NAMES)).endswith("last quarter as the whole")
