from __future__ import annotations

import numpy as np
import pytest

from chladni_audio_features.analysis.descriptors import DescriptorAnalyser
from chladni_audio_features.analysis.spectrogram import MelTransform
from chladni_audio_features.song.beats import Tempo, find_beats, measure_rhythm, tempo_of_onsets

RATE = 22050


def clicks(seconds=24.0, interval=0.5, start=0.25):
    samples = 1e-3 * np.random.default_rng(1).standard_normal(round(seconds * RATE))
    decay = np.exp(-np.arange(2000) / 300) * np.sin(np.arange(2000) * 0.3)
    for number, time in enumerate(np.arange(start, seconds - 0.2, interval)):
        first = round(time * RATE)
        samples[first : first + 2000] += decay * (0.9 if number % 4 == 0 else 0.5)
    return samples.astype(np.float32)


def test_beats_lie_on_the_strokes_of_a_steady_drum():
    found = find_beats(measure_rhythm(clicks()), Tempo(120.0, 4, by_music=False))
    strokes = np.arange(0.25, 23.8, 0.5)
    distances = np.abs(np.array(found.beats)[:, None] - strokes).min(axis=1)
    assert len(found.beats) >= 44
    assert distances.max() <= 0.04
    assert all(beat in found.beats for beat in found.downbeats)


def test_rhythm_is_alike_whether_measured_in_parts_or_at_once(monkeypatch):
    samples = clicks(9.0)
    at_once = measure_rhythm(samples)
    monkeypatch.setattr("chladni_audio_features.song.beats._CHUNK_SECONDS", 4)
    in_parts = measure_rhythm(samples)
    assert len(in_parts.total) == len(at_once.total)
    assert np.corrcoef(in_parts.total, at_once.total)[0, 1] > 0.99


def test_the_onsets_of_most_windows_decide_the_tempo():
    analyser = DescriptorAnalyser(MelTransform())
    samples = clicks(16.0)
    windows = [analyser.describe(samples[start * RATE : (start + 8) * RATE]) for start in (0, 8)]
    assert tempo_of_onsets(windows).beats_per_minute == pytest.approx(120.0, rel=0.03)


def test_sound_without_a_beat_has_none():
    assert tempo_of_onsets([]) is None
    found = find_beats(measure_rhythm(np.zeros(3 * RATE, np.float32)), None)
    assert (found.beats, found.downbeats, found.onsets) == ((), (), ())


@pytest.mark.filterwarnings("error")
def test_fewer_beats_than_a_bar_has():
    found = find_beats(measure_rhythm(clicks(3.0, interval=1.0)), Tempo(60.0, 7, by_music=False))
    assert 2 <= len(found.beats) < 7
    assert len(found.downbeats) == 1
