from __future__ import annotations

import numpy as np
import pytest

from chladni_evaluation.film.figures import most_flashes, motion_peaks, seam_ratio, share_on_beats

RATE = 12.0


def frames_of(levels):
    levels = np.asarray(levels, dtype=np.float32)
    return np.broadcast_to(levels[:, None, None, None], (len(levels), 8, 8, 3)).copy()


def test_peaks_of_motion_are_found_on_beats():
    levels = np.cumsum(np.where(np.arange(60) % 6 == 0, 0.012, 0.002))
    peaks = motion_peaks(frames_of(levels), RATE)
    assert share_on_beats(peaks, tuple(np.arange(0, 5, 0.5))) == 1.0
    assert share_on_beats(peaks, tuple(np.arange(0.25, 5, 0.5))) == 0.0
    assert share_on_beats([], [1.0]) == 0.0


def test_a_seam_is_relative_to_the_usual_step():
    turning = 0.5 + 0.2 * np.cos(2 * np.pi * np.arange(24) / 24)
    assert seam_ratio(frames_of(turning)) < 1.0
    assert seam_ratio(frames_of(np.linspace(0, 1, 24))) == pytest.approx(23, rel=0.01)


def test_flashes_are_counted_within_a_second():
    assert most_flashes(frames_of(np.where(np.arange(48) % 2, 0.9, 0.2)), RATE) >= 5
    assert most_flashes(frames_of(np.linspace(0.2, 0.9, 48)), RATE) == 0
