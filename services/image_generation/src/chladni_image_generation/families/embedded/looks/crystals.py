"""Crystals: shards that grow from every stroke, for percussion.

| sound | image |
|---|---|
| onsets | clusters of crystals: when, how strongly |
| course of brightness | height of a cluster; bright strokes are high |
| roughness, brightness | sharp, thin shards against round, large ones |
| loudness | size of the clusters, depth of the facets' light |
| onset rate | number of shards |
| palette | each facet a tone of its own |
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from chladni_contract.descriptor_space import TEMPORAL_FEATURES, TEMPORAL_SEGMENTS
from chladni_image_generation.families.embedded.fields import smooth_step
from chladni_image_generation.families.embedded.looks.canvas import Canvas

_SHARDS: Final = 9
"""Shards of a cluster."""
_GROUND_SHARDS: Final = 40
_ALONG: Final = 0.55
_ASIDE: Final = 1.35
_STEEPEST: Final = math.hypot(_ALONG, _ASIDE)
"""The most that a shard's distance changes a unit of length."""

_TILE_PIXELS: Final = 32
_ONSET = TEMPORAL_FEATURES.index("onset")
_BRIGHTNESS = TEMPORAL_FEATURES.index("brightness")
_PITCH = TEMPORAL_FEATURES.index("pitch_height")


def render(canvas: Canvas) -> Tensor:
    """Return the OKLab image (3, H, W) of the crystals: cells of the nearest shard, stretched outwards."""
    named = canvas.descriptors
    places, sizes, stretch = _shards(canvas)
    x, y = canvas.x + 0.012 * canvas.noise[0], canvas.y + 0.012 * canvas.noise[1]
    nearest, second, owner = nearest_two(x, y, places, sizes, stretch)
    border = (second - nearest).clamp(min=0)
    draws = torch.rand(len(places), 4, generator=canvas.generator(8))
    normal = 2 * math.pi * draws[owner, 0]
    facing = normal.cos() * (x - places[owner, 0]) + normal.sin() * (y - places[owner, 1])
    depth = 0.30 + 0.70 * named["loudness"]
    strong = (sizes / sizes.max().clamp(min=1e-3))[owner]
    tone = 0.14 + 0.42 * draws[owner, 1] * (0.35 + 0.65 * strong) + 0.20 * strong
    tone = tone + depth * (0.9 * facing).clamp(-0.25, 0.25) + 0.16 * (draws[owner, 2] - 0.5)
    lab = canvas.ramp(tone.clamp(0, 1))
    accented = ((draws[owner, 3] > 0.86) & (strong > 0.3)).float()[None]
    lab = lab + 0.75 * accented * (canvas.parameters.accent[0][:, None, None] - lab)
    pleat = smooth_step((facing * (30 + 40 * named["roughness"])).sin(), 0.75, 1.0)
    lab[0] += 0.05 * pleat * strong
    edge = torch.exp(-((border / (0.008 + 0.004 * (1 - named["brightness"]))) ** 2))
    lab[0] += edge * (0.10 + 0.35 * strong * named["brightness"]) - 0.05 * (1 - strong)
    spark = torch.exp(-((nearest + sizes[owner]) / 0.02).clamp(min=0)) * strong
    lab[0] += 0.30 * spark
    lab[0] -= 0.09 * (canvas.x**2 / canvas.half_width**2 + canvas.y**2 / canvas.half_height**2)
    return lab


def nearest_two(
    x: Tensor, y: Tensor, places: Tensor, sizes: Tensor, directions: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the distances (H, W) to the nearest shard and to the second, and which one is the nearest.

    A tile looks only at the shards that may be among its nearest two: no distance changes faster than by
    `_STEEPEST` a unit, so the distances at its centre bound those in it.
    """
    nearest, second = torch.empty_like(x), torch.empty_like(x)
    owner = torch.empty_like(x, dtype=torch.long)
    for top in range(0, x.shape[0], _TILE_PIXELS):
        for left in range(0, x.shape[1], _TILE_PIXELS):
            tile = slice(top, top + _TILE_PIXELS), slice(left, left + _TILE_PIXELS)
            x_of, y_of = x[tile], y[tile]
            spans = [(float(axis.min()), float(axis.max())) for axis in (x_of, y_of)]
            centre_x, centre_y = (torch.tensor([[(low + high) / 2]]) for low, high in spans)
            at_centre = _distances(centre_x, centre_y, places, sizes, directions).flatten()
            margin = _STEEPEST * math.hypot(*(high - low for low, high in spans)) / 2
            # Twice the margin, and a little for rounding.
            near = at_centre <= at_centre.kthvalue(2).values + 2 * margin + 1e-4
            chosen = near.nonzero().flatten()
            distances = _distances(x_of, y_of, places[chosen], sizes[chosen], directions[chosen])
            first, which = distances.min(dim=0)
            distances.scatter_(0, which[None], math.inf)
            nearest[tile], second[tile], owner[tile] = first, distances.amin(dim=0), chosen[which]
    return nearest, second, owner


def _distances(x: Tensor, y: Tensor, places: Tensor, sizes: Tensor, directions: Tensor) -> Tensor:
    """Return the distances (S, H, W) of points from shards, which are long in their directions."""
    (place_x, place_y), (cosine, sine) = (pair[:, :, None, None].unbind(1) for pair in (places, directions))
    along = (x - place_x) * cosine + (y - place_y) * sine
    aside = (y - place_y) * cosine - (x - place_x) * sine
    return (_ALONG * along.abs() + _ASIDE * aside.abs()) - sizes[:, None, None]


def _shards(canvas: Canvas) -> tuple[Tensor, Tensor, Tensor]:
    """Return the places (S, 2) of shards, their sizes (S,), and the directions (S, 2) in which they point."""
    named = canvas.descriptors
    generator = canvas.generator(7)
    extent = torch.tensor([canvas.half_width, canvas.half_height])
    ground = (2 * torch.rand(_GROUND_SHARDS, 2, generator=generator) - 1) * extent
    angles = 2 * math.pi * torch.rand(_GROUND_SHARDS, generator=generator)
    places, sizes = [ground], [torch.full((_GROUND_SHARDS,), 0.0)]
    directions = [torch.stack([angles.cos(), angles.sin()], dim=1)]
    course = canvas.parameters.course[0]
    for segment in range(TEMPORAL_SEGMENTS):
        draws = torch.rand(_SHARDS, 3, generator=generator)
        lift = float(torch.rand((), generator=generator))
        strength = float(smooth_step(course[segment, _ONSET], 0.08, 0.60))
        if strength < 0.03:
            continue
        bright, pitch = float(course[segment, _BRIGHTNESS]), float(course[segment, _PITCH])
        centre = torch.tensor(
            [
                canvas.half_width * ((segment + 0.5) * 2 / TEMPORAL_SEGMENTS - 1) * 0.92,
                canvas.half_height * (0.9 * bright + 0.4 * pitch + 0.7 * lift - 0.9),
            ]
        )
        turn = 2 * math.pi * draws[:, 0]
        outwards = torch.stack([turn.cos(), turn.sin()], dim=1)
        reach = strength * (0.10 + 0.16 * named["loudness"]) * (0.25 + draws[:, 1])
        places.append(centre + outwards * reach[:, None])
        sizes.append(strength * (0.05 + 0.10 * named["loudness"]) * (0.5 + 0.8 * draws[:, 2]))
        directions.append(outwards)
    return torch.cat(places), torch.cat(sizes), torch.cat(directions)
