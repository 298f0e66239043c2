"""Images as files."""

from __future__ import annotations

import numpy as np

from chladni_evaluation.image_files import encoded_png, reduced


def test_a_reduced_image_holds_means() -> None:
    halves = np.zeros((64, 64, 3), np.uint8)
    halves[::2] = 100
    np.testing.assert_array_equal(reduced(encoded_png(halves), 32), np.full((32, 32, 3), 50))
