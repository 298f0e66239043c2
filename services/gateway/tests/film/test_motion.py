from __future__ import annotations

import numpy as np
import pytest

from chladni_gateway.film.motion import Motion, Push, pushes_of, thinned


def test_the_largest_step_of_the_camera_is_on_the_beat(make_song):
    song, rate = make_song(), 12
    motion = Motion(pushes_of(song), song.sections, frames_per_second=rate)
    zooms = np.array([motion.at(number / rate).zoom for number in range(round(24 * rate))])
    steps = np.abs(np.diff(zooms))
    peaks = np.flatnonzero((steps[1:-1] > steps[:-2]) & (steps[1:-1] >= steps[2:])) + 2
    distances = np.abs(peaks[:, None] / rate - np.array(song.beats)).min(axis=1)
    assert len(peaks) >= 40
    assert distances.max() <= 0.08


def test_downbeats_push_more_than_other_beats(make_song):
    strengths = [push.strength for push in pushes_of(make_song())]
    assert strengths[0] > strengths[1] == strengths[2]


def test_a_song_without_beats_is_pushed_where_something_begins(make_song):
    song = make_song(beats=(), downbeats=(), onsets=(1.0, 1.1, 2.0))
    assert [push.time_seconds for push in pushes_of(song)] == [1.0, 2.0]


def test_pushes_never_come_close_together():
    assert thinned([0.0, 0.1, 0.29, 0.31, 0.5, 0.9]) == [0.0, 0.31, 0.9]


def test_the_motion_of_a_loop_comes_again():
    motion = Motion([Push(0.5), Push(2.0)], (), frames_per_second=24, period_seconds=4.0)
    assert motion.at(0.0).zoom == pytest.approx(motion.at(4.0 - 1e-9).zoom, abs=1e-3)
    assert motion.at(0.0).zoom > motion.at(0.4).zoom


def test_without_pushes_the_camera_rests():
    assert Motion((), (), frames_per_second=12).at(3.0).light == 1.0
