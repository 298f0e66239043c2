"""The plate as shapes: its nodal lines as curves, its grains as discs, exact at any size.

The grains lie where those of the rendered plate lie, and each has its shadow and its light.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chladni_image_generation.families.embedded.looks.canvas import Canvas
from chladni_image_generation.families.embedded.looks.plate import (
    GRAIN_RADIUS,
    displacement_at,
    mode_weights,
    sand,
)
from chladni_image_generation.families.embedded.palette import srgb_from_oklab
from chladni_image_generation.vector_image import Colour, DotLayer, VectorImage

_GROUND_STEPS: Final = 8
_LINE_CELLS: Final = 360
"""Cells along the shorter side of the plate in which the nodal lines are traced."""

_LINE_WIDTH: Final = 0.0022
_FAINTEST_MODE: Final = 0.2
"""A plate whose strongest mode is weaker than this hardly vibrates, and has no lines."""


def draw(canvas: Canvas) -> VectorImage:
    """Return the plate of a canvas as shapes, in its pixels."""
    weights, sign = mode_weights(canvas)
    named, scale = canvas.descriptors, 1 / canvas.pixel
    x, y = canvas.x[::8, ::8], canvas.y[::8, ::8]
    stirred = float(torch.tanh(displacement_at(weights, sign, x, y)[0].abs()).mean())
    centre_tone = 0.16 + 0.10 * named["loudness"] * stirred
    # On ellipses through the corners, the rendered plate's `radius` is 2.
    tones = [centre_tone - 0.07 * 2 * (step / _GROUND_STEPS) ** 2 for step in range(_GROUND_STEPS + 1)]
    radius = GRAIN_RADIUS * scale
    return VectorImage(
        width=canvas.width,
        height=canvas.height,
        ground=tuple(_colour(canvas, tone) for tone in tones),
        lines=tuple(_to_pixels(canvas, line) for line in _nodal_lines(canvas, weights, sign)),
        line_colour=_colour(canvas, 0.42, opacity=0.5),
        line_width=_LINE_WIDTH * scale,
        dots=_to_pixels(canvas, sand(canvas).double().numpy()),
        layers=(
            DotLayer(Colour(0, 0, 0, 0.40), radius, right=0.8 * radius, down=0.9 * radius),
            DotLayer(_colour(canvas, 0.80, lighter=0.03), radius),
            DotLayer(
                _colour(canvas, 0.88, lighter=0.16), 0.45 * radius, right=-0.25 * radius, down=-0.4 * radius
            ),
        ),
    )


def trace_zeros(field: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return the zeros of a field as polylines (N, 2) of columns and rows; closed ones end where they begin.

    Marching squares (Lorensen & Cline 1987, in the plane): a line passes through a cell from one edge whose
    ends differ in sign to another, where the field, taken as linear along the edge, is 0.

    Args:
        field: (R, C) values at the corners of cells.
    """
    rows, columns = field.shape
    above = field > 0
    across, down = above[:, 1:] != above[:, :-1], above[1:] != above[:-1]
    top, bottom, left, right = across[:-1], across[1:], down[:, :-1], down[:, 1:]
    corner = np.arange(rows)[:, None] * columns + np.arange(columns)
    horizontal, vertical = corner, corner + rows * columns
    sides = np.stack([horizontal[:-1, :-1], horizontal[1:, :-1], vertical[:-1, :-1], vertical[:-1, 1:]])
    crossed = np.stack([top, bottom, left, right])
    crossings = crossed.sum(axis=0)
    passed = crossings == 2
    # The edges of cells that a line passes, cell by cell, two each.
    pairs = [sides.transpose(1, 2, 0)[passed][crossed.transpose(1, 2, 0)[passed]].reshape(-1, 2)]
    saddles = crossings == 4
    middle = (field[:-1, :-1] + field[1:, :-1] + field[:-1, 1:] + field[1:, 1:])[saddles] > 0
    is_joined = middle == above[:-1, :-1][saddles]  # the upper left corner with the lower right one
    at_top, at_bottom, at_left, at_right = sides[:, saddles]
    pairs.append(np.stack([at_top, np.where(is_joined, at_right, at_left)], axis=1))
    pairs.append(np.stack([at_bottom, np.where(is_joined, at_left, at_right)], axis=1))
    return [_crossing_points(field, np.array(chain)) for chain in _chains(np.concatenate(pairs).tolist())]


def _chains(pairs: list[list[int]]) -> list[list[int]]:
    """Return the chains of a graph whose nodes have one neighbour or two; closed ones end as they begin."""
    neighbours: defaultdict[int, list[int]] = defaultdict(list)
    for first, second in pairs:
        neighbours[first].append(second)
        neighbours[second].append(first)
    ends = [node for node, others in neighbours.items() if len(others) == 1]
    chains, seen = [], set()
    for start in (*ends, *neighbours):
        if start in seen:
            continue
        chain, node = [start], start
        seen.add(start)
        while onward := [other for other in neighbours[node] if other not in seen]:
            node = onward[0]
            seen.add(node)
            chain.append(node)
        if len(neighbours[start]) == 2:
            chain.append(start)
        chains.append(chain)
    return chains


def _crossing_points(field: NDArray[np.float64], edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return where the field is 0 on edges (N,), as columns and rows (N, 2)."""
    rows, columns = field.shape
    is_vertical = edges >= rows * columns
    row, column = np.divmod(edges % (rows * columns), columns)
    start = field[row, column]
    end = field[row + is_vertical, column + ~is_vertical]
    share = start / (start - end)
    return np.stack([column + share * ~is_vertical, row + share * is_vertical], axis=1)


def _nodal_lines(canvas: Canvas, weights: Tensor, sign: float) -> list[NDArray[np.float64]]:
    """Return the nodal lines as polylines (N, 2) of coordinates x and y."""
    if float(weights.abs().max()) < _FAINTEST_MODE:
        return []
    cells = [round(_LINE_CELLS * extent) for extent in (canvas.half_width, canvas.half_height)]
    xs = torch.linspace(-canvas.half_width, canvas.half_width, cells[0] + 1, dtype=torch.float64)
    ys = torch.linspace(canvas.half_height, -canvas.half_height, cells[1] + 1, dtype=torch.float64)
    y, x = torch.meshgrid(ys, xs, indexing="ij")
    value = displacement_at(weights, sign, x, y)[0]
    step = 2 / _LINE_CELLS
    return [
        np.stack([line[:, 0] * step - canvas.half_width, canvas.half_height - line[:, 1] * step], axis=1)
        for line in trace_zeros(value.numpy())
    ]


def _to_pixels(canvas: Canvas, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return coordinates (N, 2), y upwards, in pixels from the upper left corner."""
    corner = np.array([canvas.width, canvas.height]) / 2
    moved: NDArray[np.float64] = corner + places * np.array([1, -1]) / canvas.pixel
    return moved


def _colour(canvas: Canvas, tone: float, *, lighter: float = 0.0, opacity: float = 1.0) -> Colour:
    """Return the colour of a tone in [0, 1], from shadow to light."""
    lab = canvas.ramp(torch.tensor([[min(max(tone, 0.0), 1.0)]]))
    lab[0] = (lab[0] + lighter).clamp(0.02, 0.99)
    red, green, blue = (round(255 * value) for value in srgb_from_oklab(lab[None]).flatten().tolist())
    return Colour(red, green, blue, opacity)
