"""Figures about an embedding."""

from __future__ import annotations

import numpy as np
import pytest

from chladni_audio_features.training.evaluation import (
    format_report,
    mean_distances,
    nearest_neighbour_accuracy,
    stack_by_kind,
)


def test_distances_and_neighbours():
    groups = stack_by_kind(
        ["a", "b", "a", "b"],
        [np.full(152, value, np.float32) for value in (0.0, 1.0, 0.1, 0.9)],
    )
    distances = mean_distances(groups)
    assert distances["a", "a"] == pytest.approx(0.1 * np.sqrt(152), rel=1e-5)
    assert distances["a", "b"] == pytest.approx(0.9 * np.sqrt(152), rel=1e-5)
    assert nearest_neighbour_accuracy(groups) == 1.0
    assert "same kind: 100%" in format_report(groups)
