"""The noise that holds a composition: it can be read back, and it is still white."""

import pytest
import torch

from chladni_image_generation.jobs.noise_grid import couple_noise, draw_grids, grids_of_noise


def white_noise(count: int, side: int) -> torch.Tensor:
    return torch.randn(count, 4, side, side, generator=torch.Generator().manual_seed(9))


@pytest.mark.parametrize("side", [32, 64])
def test_noise_holds_the_grid_it_was_coupled_with(side: int) -> None:
    grids = draw_grids([1, 2, 3])
    coupled = couple_noise(white_noise(3, side), grids)
    assert torch.allclose(grids_of_noise(coupled), grids, atol=1e-4)


def test_noise_keeps_its_variation_inside_the_blocks() -> None:
    noise = white_noise(2, 64)
    coupled = couple_noise(noise, draw_grids([1, 2]))
    block = (..., slice(8, 16), slice(24, 32))
    difference = (coupled - noise)[block]
    assert difference.flatten(2).std(dim=2).max() < 1e-5


def test_noise_that_holds_its_own_grid_is_left_alone() -> None:
    noise = white_noise(2, 64)
    assert torch.allclose(couple_noise(noise, grids_of_noise(noise)), noise, atol=1e-6)


def test_coupled_noise_is_white() -> None:
    coupled = couple_noise(white_noise(64, 32), draw_grids(list(range(64))))
    assert coupled.mean() == pytest.approx(0, abs=0.01)
    assert coupled.std() == pytest.approx(1, abs=0.01)
    for distance in (1, 2, 4, 8):
        neighbours = (coupled[..., distance:] * coupled[..., :-distance]).mean()
        assert neighbours == pytest.approx(0, abs=0.01)


def test_a_grid_depends_on_its_seed_alone() -> None:
    assert torch.equal(draw_grids([5, 6])[1], draw_grids([6])[0])
    assert draw_grids([5]).shape == (1, 4, 8, 8)
