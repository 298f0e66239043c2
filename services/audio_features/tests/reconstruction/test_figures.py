"""Figures between spectrograms, against values that are known."""

from __future__ import annotations

import numpy as np
import pytest

from chladni_audio_features.reconstruction.figures import compare, nsim


def test_equal_spectrograms_have_no_error():
    cells = np.random.default_rng(0).random((16, 20)).astype(np.float32)
    figures = compare(cells, cells)
    assert figures.mean_squared_error == figures.mean_absolute_error == 0.0
    assert figures.cosine == pytest.approx(1.0)
    assert figures.perceptual_similarity == pytest.approx(1.0)


def test_errors_and_cosine_by_hand():
    original = np.array([[1.0, 0.0], [0.5, 0.5]], np.float32)
    reconstructed = np.array([[0.5, 0.0], [0.5, 1.0]], np.float32)
    figures = compare(original, reconstructed)
    assert figures.mean_squared_error == pytest.approx(0.125)
    assert figures.mean_absolute_error == pytest.approx(0.25)
    assert figures.cosine == pytest.approx(1.25 / 1.5)


def test_silence_equals_silence_alone():
    silent, loud = np.zeros((4, 4), np.float32), np.ones((4, 4), np.float32)
    assert compare(silent, silent).cosine == 1.0
    assert compare(silent, loud).cosine == 0.0


def test_nsim_falls_with_noise_and_knows_levels_from_structure():
    cells = np.random.default_rng(0).random((32, 40)).astype(np.float32)
    noise = np.random.default_rng(1).normal(size=cells.shape).astype(np.float32)
    values = [nsim(cells, cells + strength * noise) for strength in (0.02, 0.1, 0.5)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.95
    # Of constant spectrograms only the luminance counts: (2ab + C) / (a^2 + b^2 + C).
    assert nsim(np.full((9, 9), 0.5, np.float32), np.full((9, 9), 1.0, np.float32)) == pytest.approx(
        (1.0 + 1e-4) / (1.25 + 1e-4)
    )
