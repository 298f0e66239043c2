"""The coarse noise that decides an image's composition, and its place in the denoiser's noise.

A composition is an 8x8 grid of four normal deviates. The mean of white noise over a block of n x n
pixels is normal with deviation 1 / n, and independent of how the noise varies inside the block. So
a grid can be read from any latent noise, and a latent noise can be drawn that holds a given grid,
and is still exactly white. The noise that an image starts from thus holds its composition, which the
guide shows (`guide`): the same seed, or the same latents, compose alike for every sound.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

GRID_CHANNELS = 4
GRID_SIZE = 8


def draw_grids(seeds: list[int]) -> Tensor:
    """Return (B, 4, 8, 8) grids, each from a seed of its own."""
    shape = (GRID_CHANNELS, GRID_SIZE, GRID_SIZE)
    return torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


def grids_of_noise(noise: Tensor) -> Tensor:
    """Return the (B, 4, 8, 8) grids that (B, 4, h, w) white noise holds, h and w multiples of 8."""
    block = noise.shape[-2] // GRID_SIZE, noise.shape[-1] // GRID_SIZE
    return functional.avg_pool2d(noise, block) * math.sqrt(block[0] * block[1])


def couple_noise(noise: Tensor, grids: Tensor) -> Tensor:
    """Move each block of (B, 4, h, w) white noise, h and w multiples of 8, so that it holds given grids."""
    block = noise.shape[-2] // GRID_SIZE, noise.shape[-1] // GRID_SIZE
    shift = (grids - grids_of_noise(noise)) / math.sqrt(block[0] * block[1])
    return noise + functional.interpolate(shift, size=noise.shape[-2:], mode="nearest")
