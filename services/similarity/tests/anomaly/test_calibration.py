from __future__ import annotations

import numpy as np
import pytest

from chladni_similarity.anomaly.calibration import AnomalyLabel, Calibration, label_of


@pytest.mark.parametrize(
    ("score", "label"),
    [
        (0.0, "NORMAL"),
        (8.999, "NORMAL"),
        (9.0, "NEEDS MAINTENANCE"),
        (14.999, "NEEDS MAINTENANCE"),
        (15.0, "SEVERE ANOMALY"),
        (1e6, "SEVERE ANOMALY"),
    ],
)
def test_the_cut_points_are_those_of_the_original(score, label):
    assert label_of(score) == AnomalyLabel(label)


def test_the_99th_percentile_of_held_out_normals_is_9():
    held_out = np.random.default_rng(1).gamma(20.0, 0.5, 1000)
    calibration = Calibration.of(held_out)
    assert calibration.score_of(float(np.percentile(held_out, 99))) == pytest.approx(9.0)
    assert calibration.score_of(0.0) == 0.0
    assert calibration.percentile_of(float(np.median(held_out))) == pytest.approx(50.0, abs=1.0)
    assert (calibration.percentile_of(0.0), calibration.percentile_of(1e9)) == (0.0, 100.0)


def test_few_normals_make_the_limit_wider_than_their_maximum_alone():
    rng = np.random.default_rng(1)
    alarms = []
    for _ in range(200):
        calibration = Calibration.of(rng.normal(10.0, 1.0, 12))
        alarms.append(np.mean([calibration.score_of(d) >= 9.0 for d in rng.normal(10.0, 1.0, 50)]))
    assert np.mean(alarms) < 0.03


def test_an_origin_has_the_score_0():
    calibration = Calibration.of(np.linspace(-1.0, 2.0, 500), origin=-3.0)
    assert calibration.score_of(-3.0) == calibration.score_of(-5.0) == 0.0
    assert calibration.score_of(1.97) == pytest.approx(9.0, abs=0.01)
