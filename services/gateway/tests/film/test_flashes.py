from __future__ import annotations

import numpy as np
import pytest

from chladni_gateway.film.flashes import FlashLimiter, count_flashes, luminance_cells

RATE = 12


def flickering(seconds, period_frames, low=40, high=220):
    count = round(seconds * RATE)
    return [
        np.full((32, 32, 3), high if (number // period_frames) % 2 else low, np.uint8)
        for number in range(count)
    ]


def test_luminance_is_relative_and_linear():
    cells = luminance_cells(np.full((64, 48, 3), 188, np.uint8))
    assert cells.shape == (16, 16)
    assert cells.mean() == pytest.approx(0.503, abs=0.01)


def test_flashes_are_pairs_of_opposing_changes():
    assert count_flashes(flickering(4, 1), RATE) >= 5
    assert count_flashes(flickering(4, 6), RATE) <= 1
    assert count_flashes(flickering(4, 1, low=100, high=110), RATE) == 0


def test_too_many_flashes_are_softened_and_three_are_left():
    limiter = FlashLimiter(RATE)
    softened = [limiter.soften(pixels) for pixels in flickering(4, 1)]
    assert limiter.softened_count > 0
    assert count_flashes(softened, RATE) <= 3


def test_a_calm_film_is_left_as_it_is():
    limiter = FlashLimiter(RATE)
    frames = flickering(3, 12)
    assert all(np.array_equal(limiter.soften(pixels), pixels) for pixels in frames)


def test_a_limiter_goes_on_where_another_was(tmp_path):
    frames = flickering(4, 1)
    whole, first, second = (FlashLimiter(RATE) for _ in range(3))
    expected = [whole.soften(pixels) for pixels in frames]
    for pixels in frames[:20]:
        first.soften(pixels)
    first.save(tmp_path / "state.npz")
    second.load(tmp_path / "state.npz")
    assert all(
        np.array_equal(second.soften(pixels), wanted)
        for pixels, wanted in zip(frames[20:], expected[20:], strict=True)
    )
