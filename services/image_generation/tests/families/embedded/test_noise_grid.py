"""The noise that holds a composition: it can be read back, and it is still white."""

from __future__ import annotations

import pytest
import torch

from chladni_image_generation.families.embedded.noise_grid import (
    GRID_CHANNELS,
    GRID_SIZE,
    couple_noise,
    draw_grids,
    grids_of_noise,
)


def white_noise(count: int, side: int) -> torch.Tensor:
    return torch.randn(count, GRID_CHANNELS, side, side, generator=torch.Generator().manual_seed(9))


@pytest.mark.parametrize("side", [8, 16, 32, 64])
def test_noise_holds_the_grid_it_was_coupled_with(side: int) -> None:
    grids = draw_grids([1, 2, 3])
    coupled = couple_noise(white_noise(3, side), grids)
    assert coupled.shape == (3, GRID_CHANNELS, side, side)
    assert torch.allclose(grids_of_noise(coupled), grids, atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(8, 32), (48, 16)])
def test_noise_of_any_shape_holds_a_grid(height: int, width: int) -> None:
    noise = torch.randn(2, GRID_CHANNELS, height, width, generator=torch.Generator().manual_seed(9))
    coupled = couple_noise(noise, draw_grids([1, 2]))
    assert coupled.shape == noise.shape
    assert torch.allclose(grids_of_noise(coupled), draw_grids([1, 2]), atol=1e-4)


def test_noise_keeps_its_variation_inside_the_blocks() -> None:
    noise = white_noise(2, 32)
    coupled = couple_noise(noise, draw_grids([1, 2]))
    block = (..., slice(4, 8), slice(12, 16))
    difference = (coupled - noise)[block]
    assert difference.flatten(2).std(dim=2).max() < 1e-5


def test_noise_that_holds_its_own_grid_is_left_alone() -> None:
    noise = white_noise(2, 32)
    assert torch.allclose(couple_noise(noise, grids_of_noise(noise)), noise, atol=1e-6)


def test_coupled_noise_is_white() -> None:
    coupled = couple_noise(white_noise(64, 32), draw_grids(list(range(64))))
    assert coupled.mean() == pytest.approx(0, abs=0.01)
    assert coupled.std() == pytest.approx(1, abs=0.01)
    for distance in (1, 2, 4, 8):
        neighbours = (coupled[..., distance:] * coupled[..., :-distance]).mean()
        assert neighbours == pytest.approx(0, abs=0.01)


def test_the_grid_of_white_noise_is_white() -> None:
    grids = grids_of_noise(white_noise(64, 32))
    assert grids.shape == (64, GRID_CHANNELS, GRID_SIZE, GRID_SIZE)
    assert grids.mean() == pytest.approx(0, abs=0.03)
    assert grids.std() == pytest.approx(1, abs=0.03)


def test_a_grid_depends_on_its_seed_alone() -> None:
    assert torch.equal(draw_grids([5, 6])[1], draw_grids([6])[0])
    assert draw_grids([5]).shape == (1, 4, 8, 8)
