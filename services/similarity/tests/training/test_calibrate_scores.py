"""Calibrated scores: the map, the fit to pairs, and the job that ships them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chladni_contract.score_curve import AlikenessDistribution
from chladni_runtime.models.files import ModelLoadingError
from chladni_similarity.models.calibration import (
    Calibration,
    CalibrationError,
    ModelCalibrations,
    format_calibrations,
    parse_calibrations,
    read_calibrations,
)
from chladni_similarity.models.files import read_directory_manifest, shipped_model_directory
from chladni_similarity.training import calibrate_scores
from chladni_similarity.training.cosine_calibration import RocCurve, calibrate

PAIRS = st.lists(st.integers(-100, 100).map(lambda value: value / 100), min_size=2, max_size=40)


@settings(max_examples=300, deadline=None)
@given(like=PAIRS, unlike=PAIRS)
def test_the_area_is_the_chance_that_a_like_pair_is_nearer(like, unlike):
    curve = RocCurve.of(np.array(like), np.array(unlike))
    wins = np.sign(np.subtract.outer(like, unlike))
    assert curve.auc == pytest.approx((wins.mean() + 1) / 2)
    assert (np.diff(curve.false_positive_rates) >= 0).all()
    assert (curve.false_positive_rates[-1], curve.true_positive_rates[-1]) == (1, 1)


@settings(max_examples=300, deadline=None)
@given(like=PAIRS, unlike=PAIRS)
def test_both_errors_meet_at_the_midpoint(like, unlike):
    like, unlike = np.array(like), np.array(unlike)
    midpoint, rate = RocCurve.of(like, unlike).equal_error()
    # Above the midpoint more like pairs are missed than unlike ones taken for alike, below it fewer.
    for threshold, sign in ((midpoint + 1e-9, 1), (midpoint - 1e-9, -1)):
        misses, false_rate = (like < threshold).mean(), (unlike >= threshold).mean()
        assert sign * (misses - false_rate) >= -1e-12
        if misses == false_rate:
            assert rate == pytest.approx(misses)
    assert 0 <= rate <= 1


def test_pairs_far_apart_meet_halfway():
    calibration = calibrate([0.8, 0.9, 0.85], [0.1, 0.4, 0.3], data="three of each")
    assert calibration.midpoint == pytest.approx(0.6)
    assert (calibration.auc, calibration.eer) == (1, 0)
    # Ranks: the least alike of the like pairs is just above the middle, the most alike near 1.
    assert calibration.score_of(0.79) > 0.5
    assert calibration.score_of(0.89) > 0.95
    assert calibration.score_of(0.11) < 0.05


def test_the_slope_is_the_logistic_regressions():
    rng = np.random.default_rng(1)
    # Normal distributions of one deviation: the log odds are linear, of slope (mean - mean) / variance.
    like, unlike = rng.normal(0.7, 0.1, 40_000), rng.normal(0.4, 0.1, 40_000)
    calibration = calibrate(like.clip(-1, 1), unlike.clip(-1, 1), data="normal")
    assert calibration.midpoint == pytest.approx(0.55, abs=0.01)
    assert calibration.slope == pytest.approx(0.3 / 0.1**2, rel=0.03)
    assert calibration.eer == pytest.approx(
        0.0668, abs=0.003
    )  # the normal distribution beyond 1.5 deviations
    assert calibration.auc == pytest.approx(0.9831, abs=0.002)  # and below 3 / sqrt(2)


def test_unequal_numbers_of_pairs_weigh_equally():
    rng = np.random.default_rng(2)
    like, unlike = rng.normal(0.7, 0.1, 500).clip(-1, 1), rng.normal(0.4, 0.1, 500).clip(-1, 1)
    once, often = calibrate(like, unlike, data=""), calibrate(like, np.tile(unlike, 40), data="")
    assert often.midpoint == pytest.approx(once.midpoint, abs=1e-3)
    assert often.slope == pytest.approx(once.slope, rel=0.05)


@pytest.mark.parametrize(
    ("like", "unlike", "complaint"),
    [
        ([0.5], [0.1, 0.2], "two like pairs"),
        ([0.5, 0.6], [], "two unlike pairs"),
        ([0.5, 1.5], [0.1, 0.2], "no cosines"),
        ([0.5, np.nan], [0.1, 0.2], "no cosines"),
        ([0.1, 0.2], [0.3, 0.4], "no nearer"),
    ],
)
def test_pairs_that_say_nothing_are_refused(like, unlike, complaint):
    with pytest.raises(CalibrationError, match=complaint):
        calibrate(like, unlike, data="")


@pytest.mark.parametrize(
    "change", [{"midpoint": 1.0}, {"midpoint": -1.0}, {"slope": 0.0}, {"slope": 1e6}, {"auc": float("nan")}]
)
def test_a_map_that_would_not_rise_is_refused(change):
    content = {"midpoint": 0.5, "slope": 20.0, "auc": 0.9, "eer": 0.1, "like_pairs": 2, "unlike_pairs": 2}
    content |= {"unlike": AlikenessDistribution(0.4, 0.2), "like": AlikenessDistribution(1.5, 0.3)}
    assert Calibration(**content, data="").score_of(0.5) == 0.5
    with pytest.raises(CalibrationError):
        Calibration(**(content | change), data="")


def test_calibrations_survive_their_file():
    images = calibrate([0.8, 0.9], [0.1, 0.2], data="images")
    for alignment in (None, calibrate([0.5, 0.6], [0.1, 0.2], data="alignment")):
        calibrations = ModelCalibrations(images=images, alignment=alignment)
        assert parse_calibrations(format_calibrations(calibrations)) == calibrations


def test_normal_distributions_are_fitted_and_others_become_a_table():
    rng = np.random.default_rng(3)
    normal = 1 - np.exp(-rng.normal(1.5, 0.3, 2_000))
    assert calibrate(normal, normal - 0.4, data="").like.quantiles == ()
    two_heaps = np.concatenate([normal, 1 - np.exp(-rng.normal(3.5, 0.1, 2_000))])
    like = calibrate(two_heaps, normal - 0.4, data="").like
    assert len(like.quantiles) == 33
    assert like.share_below(2.5) == pytest.approx(0.5, abs=0.02)


def test_scores_are_ranks():
    rng = np.random.default_rng(4)
    like, unlike = 1 - np.exp(-rng.normal(2.5, 0.3, 2_000)), 1 - np.exp(-rng.normal(0.8, 0.3, 2_000))
    calibration = calibrate(like, unlike, data="")
    scores = {
        name: [calibration.score_of(cosine) for cosine in kind]
        for name, kind in (("like", like), ("unlike", unlike))
    }
    assert np.median(scores["unlike"]) == pytest.approx(0.01 + 0.49 * 0.25, abs=0.01)
    assert np.median(scores["like"]) == pytest.approx(1 - 0.5 * 0.25, abs=0.01)
    assert min(scores["unlike"]) >= 0.01


def test_a_calibration_of_the_logistic_curve_is_refused_by_name():
    content = {"midpoint": 0.5, "slope": 20.0, "auc": 0.9, "eer": 0.1, "like_pairs": 2, "unlike_pairs": 2}
    with pytest.raises(
        CalibrationError, match=r"calibration\.json has the logistic curve .* chladni-train scores"
    ):
        parse_calibrations(json.dumps({"images": content | {"data": "old"}}).encode())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[1]",
        b'{"images": {"midpoint": 1}}',
        b'{"images": "none"}',
        b'{"images": {"unlike": "none", "like": {}}}',
        b'{"others": {}}',
        b"\xff",
    ],
)
def test_a_file_of_something_else_is_no_calibration(content):
    with pytest.raises(CalibrationError, match=r"calibration\.json"):
        parse_calibrations(content)


def test_the_shipped_model_of_images_is_calibrated():
    directory = shipped_model_directory("efficientnet-lite0")
    calibration = read_calibrations(directory, read_directory_manifest(directory)).images
    assert calibration is not None
    assert calibration.auc > 0.9
    assert calibration.like_pairs >= 50
    assert calibration.unlike_pairs >= 50
    assert 0.5 < calibration.midpoint < 0.95


@pytest.fixture
def models(tmp_path):
    for name in ("efficientnet-lite0", "chladni-alignment"):
        manifest = json.loads((shipped_model_directory("efficientnet-lite0") / "manifest.json").read_text())
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(
            json.dumps(manifest | {"model_id": name, "sha256": {}})
        )
    return tmp_path


def calibrate_file(models, content):
    path = models / "pairs.json"
    path.write_text(json.dumps(content))
    return calibrate_scores.main(["--pairs", str(path), "--out", str(models), "--data", "test pairs"])


def test_the_job_writes_what_the_service_reads(models, capsys):
    content = {
        "efficientnet-lite0": {"same": [0.8, 0.9, 0.7], "different": [0.5, 0.6, 0.75, 0.1]},
        "alignment": {"right": [0.6, 0.7], "wrong": [0.1, 0.2, 0.3]},
    }
    assert calibrate_file(models, content) == 0
    told = capsys.readouterr().out
    assert "efficientnet-lite0, images: 0.5 at the cosine" in told
    assert "3 like and 4 unlike pairs" in told
    assert calibrate_file(models, {"chladni-alignment": content["efficientnet-lite0"]}) == 0
    for name, has_alignment in (("efficientnet-lite0", False), ("chladni-alignment", True)):
        directory = models / name
        calibrations = read_calibrations(directory, read_directory_manifest(directory))
        assert calibrations.images.data == "test pairs"
        assert (calibrations.alignment is not None) == has_alignment
        with Image.open(directory / "roc.png") as chart:
            assert chart.size == (420, 420)
        (directory / "calibration.json").write_bytes(b"{}")
        with pytest.raises(ModelLoadingError, match="not the one"):
            read_calibrations(directory, read_directory_manifest(directory))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({}, "holds no pairs"),
        ([], "no file of pairs"),
        ({"clip": {"same": [1], "different": [0]}}, "clip is no model"),
        ({"alignment": {"same": [1], "different": [0]}}, "'right'"),
        ({"efficientnet-lite0": {"same": ["x"], "different": [0]}}, "no file of pairs"),
        ({"efficientnet-lite0": {"same": [0.1, 0.2], "different": [0.8, 0.9]}}, "no nearer"),
    ],
)
def test_the_job_says_what_is_wrong_with_its_file(models, capsys, content, complaint):
    assert calibrate_file(models, content) == 1
    assert complaint in capsys.readouterr().err
    assert not (models / "efficientnet-lite0" / "calibration.json").exists()
