"""The melody's contour."""

from __future__ import annotations

import numpy as np
import pytest

from chladni_audio_features.music.melody import MelodyContour


@pytest.mark.parametrize(
    ("cents", "shape"),
    [
        ([0, 100, 200, 300, 400, 500], "ascending"),
        ([500, 400, 300, 200, 100, 0], "descending"),
        ([0, 200, 500, 500, 200, 0], "arch"),
        ([500, 200, 0, 0, 200, 500], "valley"),
        ([0, 700, 0, 700, 0, 700, 0, 700, 0, 700], "wavy"),
        ([0, 10, 0, 10, 0], "flat"),
        ([0, np.nan, 200, np.nan, 400], "ascending"),
        ([0.0, np.nan], ""),
        ([], ""),
    ],
)
def test_a_melody_has_a_shape(cents, shape):
    pitches = np.array(cents, dtype=np.float64)
    times = 0.02 * np.arange(len(pitches))
    assert MelodyContour(times, pitches, np.ones_like(times), is_solo=True).shape == shape
