"""Smooth scalar fields on the image plane, each a closed formula of its coordinates.

Every field is evaluated on coordinates x, y (y upwards; the shorter side spans [-1, 1]), never on pixels,
so the same parameters give the same image at 256 and at 512 pixels. Shapes: coordinates are (B, H, W),
parameters (B,) or (B, K) with one row an image.
"""

from __future__ import annotations

import torch
from torch import Tensor


def pixel_grid(batch_size: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return coordinates of pixel centres: x to the right, y upwards, the shorter side within (-1, 1)."""
    shorter = min(height, width)
    across = (2 * torch.arange(width) + 1 - width) / shorter
    down = (2 * torch.arange(height) + 1 - height) / shorter
    y, x = torch.meshgrid(-down, across, indexing="ij")
    return x.expand(batch_size, -1, -1), y.expand(batch_size, -1, -1)


def plane(parameter: Tensor) -> Tensor:
    """Return a parameter (B,) as (B, 1, 1), to combine it with a field."""
    return parameter[:, None, None]


def grid_field(grid: Tensor, height: int, width: int, *, blur: float) -> Tensor:
    """Return a smooth field (B, H, W), normal and of unit variance, through a (B, G, G) grid of deviates.

    Args:
        grid: one deviate a cell, row 0 at the top.
        height: height of the field in pixels.
        width: its width.
        blur: deviation of the Gaussian that blurs the cells, in cells.
    """
    rows, columns = (_blur_weights(grid, length, blur) for length in (height, width))
    field: Tensor = torch.einsum("yi,bij,xj->byx", rows, grid, columns)
    return field


def _blur_weights(grid: Tensor, length: int, blur: float) -> Tensor:
    """Return (length, G) weights of the cells along an axis, each row of unit length."""
    cells = grid.shape[-1]
    positions = (torch.arange(length, device=grid.device) + 0.5) * (cells / length)
    centres = torch.arange(cells, device=grid.device) + 0.5
    weights = torch.exp(-0.5 * ((positions[:, None] - centres) / blur) ** 2)
    normalised: Tensor = weights / weights.norm(dim=1, keepdim=True)
    return normalised


def gradient(field: Tensor) -> tuple[Tensor, Tensor]:
    """Return the slopes along x and y per unit length, by central differences."""
    spacing = 2 / min(field.shape[-2:])
    down, along_x = torch.gradient(field, spacing=spacing, dim=(1, 2))
    return along_x, -down


def smooth_step(value: Tensor, low: float, high: float) -> Tensor:
    """Return 0 below low, 1 above high, a cubic between them."""
    t = ((value - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def line_mask(field: Tensor, width: Tensor) -> Tensor:
    """Return 1 on the zeros of a field, falling to 0 over (B,) width units of distance on either side."""
    slope_x, slope_y = gradient(field)
    distance = field.abs() / (slope_x**2 + slope_y**2 + 1e-3).sqrt()
    return torch.exp(-((distance / plane(width)) ** 2))
