"""Songs that films are made of."""

from __future__ import annotations

import numpy as np
import pytest

from chladni_gateway.domain.films.song import Section, Song


@pytest.fixture
def make_song():
    def make(seconds=24.0, beat_seconds=0.5, **fields):
        rng = np.random.default_rng(5)
        count = int(np.ceil(seconds / 0.5))
        beats = tuple(np.round(np.arange(0.25, seconds - 0.1, beat_seconds), 3).tolist())
        values = {
            "sha256": "0" * 64,
            "duration_seconds": seconds,
            "segment_seconds": 0.5,
            "course": rng.random((count, 8)).astype(np.float32),
            "interval_seconds": 4.0,
            "descriptors": rng.random((max(1, round(seconds / 4)), 24)).astype(np.float32),
            "beats": beats,
            "downbeats": beats[::4],
            "onsets": beats,
            "sections": (Section(0.0, seconds / 2, 0), Section(seconds / 2, seconds, 1)),
        }
        return Song(**values | fields)

    return make
