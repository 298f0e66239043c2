"""Features of music by name, and as messages."""

from __future__ import annotations

import pytest

from chladni.music.v1 import music_pb2
from chladni_contract.errors import InvalidInputError
from chladni_contract.music_features import to_features, to_features_message

FEATURES = {
    "key": "A minor",
    "tonality": "minor",
    "tempo_bpm": 108.2,
    "time_signature": "3/4",
    "mood": ["dark", "tense"],
    "valence": 0.0,
    "arousal": 0.2,
    "melody_contour": "ascending",
    "harmonic_progression": "i V",
    "dynamic_intensity": "loud",
}


def test_features_survive_a_message():
    assert to_features(to_features_message(FEATURES)) == FEATURES
    assert set(FEATURES) == set(music_pb2.MusicFeatures.DESCRIPTOR.fields_by_name)
    assert to_features(to_features_message({"key": "", "valence": None})) == {}


def test_texts_may_be_lists_of_words_and_moods_one_text():
    message = to_features_message({"harmonic_progression": ["i", "V"], "mood": "calm", "tempo_bpm": 90})
    assert to_features(message) == {"tempo_bpm": 90.0, "mood": ["calm"], "harmonic_progression": "i V"}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"tempo": 90}, "features.tempo"),
        ({7: 90}, "features.7"),
        ({"tempo_bpm": "fast"}, "features.tempo_bpm"),
        ({"tempo_bpm": True}, "features.tempo_bpm"),
        ({"tempo_bpm": 10**400}, "features.tempo_bpm"),
        ({"mood": [1]}, "features.mood"),
        ({"mood": 1}, "features.mood"),
        ({"key": {}}, "features.key"),
        ({"key": "\ud800"}, "features.key"),
    ],
)
def test_wrong_features_are_refused_by_name(values, field):
    with pytest.raises(InvalidInputError, match="features") as caught:
        to_features_message(values)
    assert caught.value.metadata["field"] == field
