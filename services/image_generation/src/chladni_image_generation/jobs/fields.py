"""Smooth scalar fields on the picture plane, each a closed formula of its coordinates.

Every field is evaluated on coordinates x, y in [-1, 1] (y upwards), never on pixels, so the same
parameters give the same picture at 256 and at 512 pixels. Shapes: coordinates are (B, H, W),
parameters (B,) or (B, K) with one row an image.
"""

import math

import torch
from torch import Tensor


def pixel_grid(batch_size: int, size_pixels: int) -> tuple[Tensor, Tensor]:
    """Coordinates of the pixel centres: x to the right and y upwards, both within (-1, 1)."""
    centres = (torch.arange(size_pixels) + 0.5) * (2 / size_pixels) - 1
    y, x = torch.meshgrid(-centres, centres, indexing="ij")
    return x.expand(batch_size, -1, -1), y.expand(batch_size, -1, -1)


def plane(parameter: Tensor) -> Tensor:
    """(B,) -> (B, 1, 1), to combine a parameter with a field."""
    return parameter[:, None, None]


def grid_field(grid: Tensor, size_pixels: int, *, width: Tensor) -> Tensor:
    """Smooth field through a (B, G, G) grid of normal deviates: (B, H, W), normal and of unit variance.

    Args:
        grid: one deviate a cell, row 0 at the top.
        size_pixels: height and width of the field.
        width: (B,) deviation of the Gaussian that blurs the cells, in cells.
    """
    cells = grid.shape[-1]
    positions = (torch.arange(size_pixels) + 0.5) * (cells / size_pixels)
    centres = torch.arange(cells) + 0.5
    distance = (positions[:, None] - centres)[None] / width[:, None, None]
    weights = torch.exp(-0.5 * distance**2)
    weights = weights / weights.norm(dim=2, keepdim=True)
    return torch.einsum("byi,bij,bxj->byx", weights, grid, weights)


def chladni_plate(x: Tensor, y: Tensor, *, mode_m: Tensor, mode_n: Tensor, sign: Tensor) -> Tensor:
    """Displacement of a square plate in a pair of degenerate modes; its zeros are sand lines.

    cos(m u) cos(n v) + sign cos(n u) cos(m v) (Chladni 1787; Ritz 1909), u = pi x, v = pi y.
    """
    u, v = math.pi * x, math.pi * y
    m, n = plane(mode_m), plane(mode_n)
    return (m * u).cos() * (n * v).cos() + plane(sign) * (n * u).cos() * (m * v).cos()


def gradient(field: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes along x and y per unit length, by central differences."""
    spacing = 2 / field.shape[-1]
    down, along_x = torch.gradient(field, spacing=spacing, dim=(1, 2))
    return along_x, -down


def smooth_step(value: Tensor, low: float, high: float) -> Tensor:
    """0 below low, 1 above high, a cubic between them."""
    t = ((value - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def line_mask(field: Tensor, width: Tensor) -> Tensor:
    """1 on the zeros of a field, falling to 0 over (B,) width units of distance on either side."""
    slope_x, slope_y = gradient(field)
    distance = field.abs() / (slope_x**2 + slope_y**2 + 1e-3).sqrt()
    return torch.exp(-((distance / plane(width)) ** 2))
