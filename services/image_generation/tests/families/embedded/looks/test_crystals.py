"""Crystals: the nearest shards of each pixel."""

from __future__ import annotations

import math

import pytest
import torch

from chladni_image_generation.families.embedded.looks.crystals import nearest_two


@pytest.mark.parametrize("count", [2, 5, 184])
def test_looking_at_near_shards_alone_finds_what_looking_at_all_would(count):
    generator = torch.Generator().manual_seed(count)
    y, x = torch.meshgrid(torch.linspace(1, -1, 70), torch.linspace(-1.5, 1.5, 90), indexing="ij")
    x = x + 0.02 * torch.randn(x.shape, generator=generator)
    places = 3 * torch.rand(count, 2, generator=generator) - 1.5
    sizes = 0.15 * torch.rand(count, generator=generator)
    angles = 2 * math.pi * torch.rand(count, generator=generator)
    directions = torch.stack([angles.cos(), angles.sin()], dim=1)

    nearest, second, owner = nearest_two(x, y, places, sizes, directions)

    aways = []
    for (place_x, place_y), size, (cosine, sine) in zip(places, sizes, directions, strict=True):
        along = (x - place_x) * cosine + (y - place_y) * sine
        aside = (y - place_y) * cosine - (x - place_x) * sine
        aways.append(0.55 * along.abs() + 1.35 * aside.abs() - size)
    expected = torch.stack(aways).sort(dim=0)
    torch.testing.assert_close(nearest, expected.values[0])
    torch.testing.assert_close(second, expected.values[1])
    assert torch.equal(owner, expected.indices[0])
