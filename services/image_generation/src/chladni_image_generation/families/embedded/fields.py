"""Smooth scalar fields on the image plane, each a closed formula of its coordinates.

Every field is evaluated on coordinates x, y (y upwards; the shorter side spans [-1, 1]), never on pixels,
so the same parameters give the same image at 256 and at 512 pixels, and some rows of an image are what they
are in the whole. Shapes: coordinates are (B, H, W), parameters (B,) or (B, K) with one row an image.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

ALL_ROWS: Final = slice(None)
"""The rows of a field that is evaluated on a whole image."""


def pixel_grid(batch_size: int, height: int, width: int, *, rows: slice = ALL_ROWS) -> tuple[Tensor, Tensor]:
    """Return coordinates of pixel centres: x to the right, y upwards, the shorter side within (-1, 1).

    Args:
        batch_size: number of images.
        height: height of an image in pixels.
        width: its width.
        rows: those whose coordinates are wanted, from 0 at the top.
    """
    shorter = min(height, width)
    across = (2 * torch.arange(width) + 1 - width) / shorter
    down = (2 * torch.arange(height)[rows] + 1 - height) / shorter
    y, x = torch.meshgrid(-down, across, indexing="ij")
    return x.expand(batch_size, -1, -1), y.expand(batch_size, -1, -1)


def plane(parameter: Tensor) -> Tensor:
    """Return a parameter (B,) as (B, 1, 1), to combine it with a field."""
    return parameter[:, None, None]


def grid_field(grid: Tensor, height: int, width: int, *, blur: float, rows: slice = ALL_ROWS) -> Tensor:
    """Return a smooth field (B, H, W), normal and of unit variance, through a (B, G, G) grid of deviates.

    Args:
        grid: one deviate a cell, row 0 at the top.
        height: height of the field in pixels.
        width: its width.
        blur: deviation of the Gaussian that blurs the cells, in cells.
        rows: those that are wanted, from 0 at the top.
    """
    down, across = (_blur_weights(grid, length, blur) for length in (height, width))
    field: Tensor = torch.einsum("yi,bij,xj->byx", down[rows], grid, across)
    return field


def _blur_weights(grid: Tensor, length: int, blur: float) -> Tensor:
    """Return (length, G) weights of the cells along an axis, each row of unit length."""
    cells = grid.shape[-1]
    positions = (torch.arange(length, device=grid.device) + 0.5) * (cells / length)
    centres = torch.arange(cells, device=grid.device) + 0.5
    weights = torch.exp(-0.5 * ((positions[:, None] - centres) / blur) ** 2)
    normalised: Tensor = weights / weights.norm(dim=1, keepdim=True)
    return normalised


def gradient(field: Tensor, *, pixel: float | None = None) -> tuple[Tensor, Tensor]:
    """Return the slopes along x and y per unit length, by central differences.

    Args:
        field: (B, H, W).
        pixel: side of a pixel; absent if the field spans the whole image, whose shorter side is 2.
    """
    spacing = 2 / min(field.shape[-2:]) if pixel is None else pixel
    down, along_x = torch.gradient(field, spacing=spacing, dim=(1, 2))
    return along_x, -down


def smooth_step(value: Tensor, low: float, high: float) -> Tensor:
    """Return 0 below low, 1 above high, a cubic between them."""
    t = ((value - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def line_mask(field: Tensor, width: Tensor, *, pixel: float | None = None) -> Tensor:
    """Return 1 on the zeros of a field, falling to 0 over (B,) width units of distance on either side.

    Args:
        field: (B, H, W).
        width: (B,).
        pixel: side of a pixel, as in `gradient`.
    """
    slope_x, slope_y = gradient(field, pixel=pixel)
    distance = field.abs() / (slope_x**2 + slope_y**2 + 1e-3).sqrt()
    return torch.exp(-((distance / plane(width)) ** 2))
