from __future__ import annotations

import numpy as np
import pytest

from chladni_similarity.anomaly.attributes import describe
from chladni_similarity.anomaly.backends import BACKENDS, FUSION
from chladni_similarity.anomaly.calibration import AnomalyLabel, label_of
from chladni_similarity.anomaly.encoders import MelStatistics
from chladni_similarity.anomaly.explanation import deviating_attributes, error_map
from chladni_similarity.anomaly.normal_model import Observations, fit_normal_model, folds
from chladni_similarity.anomaly.windows import fitted_windows, scored_windows


def observed(clips):
    windows = [(number, window) for number, clip in enumerate(clips) for window in fitted_windows(clip)]
    images = np.stack([window.image for _, window in windows])
    return Observations(
        embeddings=MelStatistics().encode(images),
        images=images,
        attributes=[describe(window) for _, window in windows],
        groups=np.array([number for number, _ in windows]),
    )


@pytest.fixture(scope="module")
def model(draw):
    return fit_normal_model(observed([draw(seed, seconds=30) for seed in range(2)]))


def judged(model, clip, backend=FUSION):
    windows = scored_windows(clip)
    return model.score(MelStatistics().encode(np.stack([window.image for window in windows])), backend)


@pytest.mark.parametrize("backend", [*BACKENDS, FUSION])
def test_a_minute_of_normal_audio_is_enough_to_tell_a_fault(model, draw, backend):
    normal = [judged(model, draw(seed), backend) for seed in range(100, 110)]
    faulty = [judged(model, draw(seed, tone=0.01), backend) for seed in range(200, 205)]
    assert np.mean([label_of(item.score) is AnomalyLabel.NORMAL for item in normal]) >= 0.8
    assert {label_of(item.score) for item in faulty} == {AnomalyLabel.SEVERE_ANOMALY}
    assert all(item.percentile == 100.0 for item in faulty)


def test_the_distance_is_that_of_mahalanobis_whatever_the_backend(model, draw):
    clip = draw(7)
    assert len({judged(model, clip, backend).distance for backend in [*BACKENDS, FUSION]}) == 1


def test_too_few_windows_are_refused(draw):
    with pytest.raises(ValueError, match="4 are needed"):
        fit_normal_model(observed([draw(1), draw(2)]))


@pytest.mark.parametrize("groups", [[0] * 10, [0, 0, 1, 1, 2], list(range(20))])
def test_folds_leave_each_window_out_once_and_keep_clips_together(groups):
    groups = np.array(groups)
    left_out = list(folds(groups))
    assert (np.sum(left_out, axis=0) == 1).all()
    if len(set(groups)) > 1:
        assert all(not set(groups[is_out]) & set(groups[~is_out]) for is_out in left_out)


def test_what_changed_is_named(model, draw):
    (window,) = scored_windows(draw(300, impacts_hz=17.0, impact=0.02))
    deviating = deviating_attributes(model.ranges, [describe(window)])
    named = {item.name: item for item in deviating}
    assert "periodicity" in named
    assert named["periodicity"].z_score > 3
    assert "17.0 times a second" in named["periodicity"].description
    assert [abs(item.z_score) for item in deviating] == sorted(
        (abs(item.z_score) for item in deviating), reverse=True
    )


def test_nothing_changed_in_normal_audio(model, draw):
    counts = []
    for seed in range(400, 406):
        (window,) = scored_windows(draw(seed))
        counts.append(len(deviating_attributes(model.ranges, [describe(window)])))
    assert np.median(counts) == 0


def test_the_error_map_is_red_where_audio_differs(model, draw, decode):
    (normal,), (whistling,) = scored_windows(draw(500)), scored_windows(draw(500, tone=0.05))
    calm, hot = (decode(error_map(model, window.image)) for window in (normal, whistling))
    assert hot.shape == (224, 224, 3)
    redness = (hot[..., 0].astype(int) - hot[..., 2]).mean(axis=1)
    changed = (127.5 - 90) / 128 * 224
    assert abs(int(np.argmax(redness)) - changed) < 4
    assert (calm[..., 0].astype(int) - calm[..., 2]).mean() < 5
