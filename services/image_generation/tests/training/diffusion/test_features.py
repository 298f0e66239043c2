"""The Fréchet distance is what it is defined to be, and each extractor tells images apart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg

from chladni_image_generation.training.diffusion.datasets import ImageSet, read_images
from chladni_image_generation.training.diffusion.evaluation import DistanceToTest, Trial, evaluate
from chladni_image_generation.training.diffusion.features import (
    CLASSIFIER,
    INCEPTION,
    PIXEL_COMPONENTS,
    choose_extractor,
    frechet_distance,
    make_extractor,
)
from chladni_training.errors import DataError


def normal(rng, mean, covariance, count=400):
    """Features (N, D) whose mean and covariance are exactly these."""
    draws = rng.standard_normal((count, len(mean)))
    draws -= draws.mean(axis=0)
    white = draws @ linalg.inv(linalg.sqrtm(np.cov(draws, rowvar=False)))
    return white @ linalg.sqrtm(covariance) + mean


def test_it_is_zero_between_a_set_and_itself():
    features = np.random.default_rng(0).standard_normal((50, 5))
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-9)


def test_it_is_the_known_distance_of_spheres():
    rng = np.random.default_rng(1)
    first, second = normal(rng, np.zeros(3), np.eye(3)), normal(rng, np.array([1.0, 2.0, 2.0]), 9 * np.eye(3))
    # |m1 - m2|^2 + D (s1 - s2)^2
    assert frechet_distance(first, second) == pytest.approx(9 + 3 * 4)


def test_it_is_what_the_matrix_root_gives():
    rng = np.random.default_rng(2)
    covariances = [factor @ factor.T + np.eye(6) for factor in rng.standard_normal((2, 6, 6))]
    means = rng.standard_normal((2, 6))
    sets = [normal(rng, mean, covariance) for mean, covariance in zip(means, covariances, strict=True)]
    root = linalg.sqrtm(covariances[0] @ covariances[1])
    expected = np.sum((means[0] - means[1]) ** 2) + np.trace(covariances[0] + covariances[1] - 2 * root.real)
    assert frechet_distance(*sets) == pytest.approx(expected)
    assert frechet_distance(*sets) == pytest.approx(frechet_distance(*reversed(sets)))


def test_it_stays_finite_where_features_do_not_vary():
    constant = np.ones((5, 4))
    assert frechet_distance(constant, constant) == 0
    assert frechet_distance(constant, constant + 2) == pytest.approx(16)


@pytest.fixture
def images(write_idx, tmp_path):
    return read_images(write_idx(tmp_path / "images", train=400, test=100))


def unlabelled(images):
    return ImageSet(images.train, images.test, None, None)


def test_the_extractor_is_the_best_that_can_be_had(images, monkeypatch):
    assert choose_extractor("auto", images) == CLASSIFIER
    assert choose_extractor("auto", unlabelled(images)) == PIXEL_COMPONENTS
    assert choose_extractor(PIXEL_COMPONENTS, images) == PIXEL_COMPONENTS
    with pytest.raises(DataError, match="needs images with classes"):
        choose_extractor(CLASSIFIER, unlabelled(images))
    with pytest.raises(DataError, match="needs torch-fidelity"):
        choose_extractor(INCEPTION, images)
    monkeypatch.setattr(
        "chladni_image_generation.training.diffusion.features.find_spec", lambda name: name or None
    )
    assert choose_extractor("auto", images) == INCEPTION


@pytest.mark.parametrize("name", [CLASSIFIER, PIXEL_COMPONENTS])
def test_real_images_are_nearer_than_others(images, name):
    distance = DistanceToTest(images, make_extractor(name, images, seed=3))
    noise = np.random.default_rng(0).integers(0, 256, (100, 1, 8, 8), np.uint8)
    assert distance.floor(100, seed=0) < 0.1 * distance(noise)
    again = DistanceToTest(images, make_extractor(name, images, seed=3))
    assert again(noise) == pytest.approx(distance(noise), rel=1e-5)


def test_a_judge_recognises_what_it_knows(images):
    distance = DistanceToTest(images, make_extractor(PIXEL_COMPONENTS, images, seed=3))
    trials = [Trial(60, 50, ddim=True), Trial(20, 1000, ddim=False)]
    asked = []

    def draw(count, steps, ddim):
        asked.append((count, steps, ddim))
        return images.train[:count]

    figures = evaluate(images, distance, draw, trials, seed=1)
    assert asked == [(60, 50, True), (20, 1000, False)]
    assert figures["judge_accuracy"] > 0.9
    assert figures["ddim_50_smallest_class_share"] == pytest.approx(0.25, abs=0.02)
    assert figures["ddim_50_largest_class_share"] == pytest.approx(0.25, abs=0.02)
    assert figures["ddpm_1000_frechet_distance"] < 3 * figures["ddpm_1000_frechet_floor"]
    assert 0 <= figures["ddim_50_recognised"] <= 1
    assert "judge_accuracy" not in evaluate(unlabelled(images), distance, draw, trials, seed=1)
