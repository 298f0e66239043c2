"""The windows of the course's segments."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chladni_audio_features.analysis.temporal_profile import SegmentWindows
from chladni_contract.descriptor_space import TEMPORAL_SEGMENTS

DURATIONS = st.floats(0.1, 30.0)
COUNTS = st.integers(1, 400)


@given(duration_seconds=DURATIONS, count=COUNTS, margin=st.floats(0.0, 0.4))
@settings(max_examples=150, deadline=None)
def test_weights_are_means(duration_seconds, count, margin):
    times = duration_seconds * np.linspace(margin, 1.0 - margin, count)
    weights = SegmentWindows(duration_seconds).weights(times)
    assert weights.shape == (TEMPORAL_SEGMENTS, count)
    assert (weights >= 0.0).all()
    assert weights.sum(axis=1) == pytest.approx(np.ones(TEMPORAL_SEGMENTS))


@given(duration_seconds=DURATIONS, count=st.integers(TEMPORAL_SEGMENTS, 400))
@settings(max_examples=100, deadline=None)
def test_each_moment_counts_once(duration_seconds, count):
    times = duration_seconds * (np.arange(count) + 0.5) / count
    heights = SegmentWindows(duration_seconds).heights(times)
    first, last = duration_seconds * np.array([0.5, TEMPORAL_SEGMENTS - 0.5]) / TEMPORAL_SEGMENTS
    inside = (times >= first) & (times <= last)
    assert heights[:, inside].sum(axis=0) == pytest.approx(np.ones(inside.sum()))
    assert (heights[:, ~inside].sum(axis=0) >= 0.5 - 1e-9).all()


@given(duration_seconds=DURATIONS, count=st.integers(1, 13), slope=st.floats(-5.0, 5.0))
@settings(max_examples=100, deadline=None)
def test_few_times_are_interpolated(duration_seconds, count, slope):
    times = duration_seconds * np.linspace(0.1, 0.9, count) if count > 1 else np.array([0.3])
    centres = duration_seconds * (np.arange(TEMPORAL_SEGMENTS) + 0.5) / TEMPORAL_SEGMENTS
    expected = np.interp(centres, times, slope * times)
    assert SegmentWindows(duration_seconds).weights(times) @ (slope * times) == pytest.approx(expected)
