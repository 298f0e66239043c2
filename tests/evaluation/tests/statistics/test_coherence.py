"""The coherent gain of images."""

from __future__ import annotations

import numpy as np
import pytest

from chladni_evaluation.statistics.richness import coherent_gain

REFERENCE = np.random.default_rng(1).integers(0, 256, (260, 260, 3), dtype=np.uint8)


def test_an_image_has_all_of_its_own_detail_and_none_of_anothers():
    assert coherent_gain(REFERENCE, REFERENCE) == pytest.approx(1)
    other = np.random.default_rng(2).integers(0, 256, REFERENCE.shape, dtype=np.uint8)
    assert abs(coherent_gain(other, REFERENCE)) < 0.05


def test_half_the_contrast_is_half_the_detail_and_blur_is_little():
    half = (128 + (REFERENCE.astype(float) - 128) / 2).round().astype(np.uint8)
    assert coherent_gain(half, REFERENCE) == pytest.approx(0.5, abs=0.02)
    blurred = sum(
        np.roll(REFERENCE.astype(float), (i, j), (0, 1)) for i in range(-4, 5) for j in range(-4, 5)
    )
    assert coherent_gain((blurred / 81).round().astype(np.uint8), REFERENCE) < 0.1


def test_images_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="cannot be compared"):
        coherent_gain(REFERENCE[:64, :64], REFERENCE[:64, :64])
