"""Ridge regression."""

from __future__ import annotations

import numpy as np
import pytest

from chladni_audio_features.training.ridge_regression import fit_ridge, measure_fit


def test_ridge_regression_solves_the_normal_equations():
    rng = np.random.default_rng(0)
    inputs, targets = rng.standard_normal((80, 6)), rng.standard_normal((80, 3))
    fit = fit_ridge(inputs, targets, strength=2.5)
    centred_inputs, centred_targets = inputs - inputs.mean(0), targets - targets.mean(0)
    gram = centred_inputs.T @ centred_inputs + 2.5 * np.eye(6)
    np.testing.assert_allclose(fit.weight.T, np.linalg.solve(gram, centred_inputs.T @ centred_targets))
    np.testing.assert_allclose(fit.predict(inputs).mean(0), targets.mean(0))


def test_cross_validation_penalises_noise_and_spares_signal():
    rng = np.random.default_rng(1)
    inputs = rng.standard_normal((400, 5))
    signal = inputs @ rng.standard_normal((5, 4)) + 3.0
    exact = fit_ridge(inputs, signal)
    noise = fit_ridge(inputs, rng.standard_normal((400, 4)))
    assert exact.strength < 1e-4 < noise.strength
    figures = measure_fit(exact.predict(inputs), signal)
    assert figures.r_squared == pytest.approx(1.0)
    assert figures.cosine == pytest.approx(1.0)
    assert figures.recall_at_1 == 1.0


def test_inputs_without_variance_predict_the_mean():
    targets = np.random.default_rng(2).standard_normal((30, 2))
    fit = fit_ridge(np.ones((30, 3)), targets, strength=1.0)
    np.testing.assert_allclose(fit.predict(np.ones((1, 3)))[0], targets.mean(0))
