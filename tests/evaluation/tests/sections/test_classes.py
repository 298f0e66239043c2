"""The vote of the nearest neighbours."""

from __future__ import annotations

import numpy as np

from chladni_evaluation.sections.classes import nearest_vote


def test_classes_that_stand_apart_are_recognised_and_mixed_ones_are_not():
    rng = np.random.default_rng(1)
    labels = np.repeat(["drum", "loop"], 8)
    centres = np.where(labels == "drum", 1.0, -1.0)[:, None] * np.array([5.0, 0.0, 0.0])
    apart = centres + rng.normal(size=(16, 3)) * 0.3
    assert nearest_vote(apart, labels) == 1
    assert nearest_vote(rng.normal(size=(16, 3)), labels) < 0.8
