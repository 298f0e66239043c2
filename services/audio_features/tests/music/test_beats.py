"""Beats of clips that are shorter than what beats are looked for with."""

from __future__ import annotations

import numpy as np
import pytest

from chladni_audio_features.music.beats import track_beats
from chladni_audio_features.music.frontend import FRAMES_PER_SECOND


@pytest.mark.parametrize("seconds", [1.2, 1.8, 2.6])
def test_beats_of_a_short_clip_lie_within_it_and_on_its_strokes(seconds):
    frames = round(seconds * FRAMES_PER_SECOND)
    channels = np.zeros((6, frames))
    strokes = np.arange(5, frames, 50)
    channels[:, strokes] = 4.0
    beats = track_beats(channels, tempo_bpm=60.0, signature="2/4").beats_seconds
    assert beats == pytest.approx(strokes / FRAMES_PER_SECOND)
