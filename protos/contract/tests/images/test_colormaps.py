"""Colour maps, against colours of their definition."""

from __future__ import annotations

import numpy as np
import pytest

from chladni_contract.images.colormaps import GRAY, VIRIDIS, color_table


@pytest.mark.parametrize(
    ("value", "color"),
    [
        (0, (68, 1, 84)),
        (64, (59, 82, 139)),
        (128, (33, 145, 140)),
        (192, (94, 201, 98)),
        (255, (253, 231, 37)),
    ],
)
def test_viridis_has_the_published_colours(value, color):
    assert np.abs(color_table(VIRIDIS)[value].astype(int) - color).max() <= 1


def test_gray_is_the_identity():
    table = color_table(GRAY)
    assert table.dtype == np.uint8
    assert np.array_equal(table, np.repeat(np.arange(256)[:, None], 3, axis=1))
