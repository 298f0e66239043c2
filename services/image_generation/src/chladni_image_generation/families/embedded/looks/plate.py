"""The plate: sand on a vibrating square plate, after Chladni (1787).

| sound | image |
|---|---|
| pitch class and register | the modes whose frequency is nearest: higher tones, finer figures |
| brightness | overtones: finer figures over the first ones |
| harmonicity, flatness | how far the sand has gathered on the nodal lines, or lies about |
| loudness | amplitude: how bare the plate is between the lines |
| mode | symmetry of the figure |

Modes of a square plate with free edges are about cos(m u) cos(n v) +- cos(n u) cos(m v), with frequencies
that rise with m^2 + n^2 (Ritz 1909). Grains of sand move down the slope of the squared displacement until
they rest on its zeros.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from chladni_image_generation.families.embedded.fields import smooth_step
from chladni_image_generation.families.embedded.looks.canvas import Canvas

GRAINS: Final = 70_000
"""Grains on a square plate."""

GRAIN_RADIUS: Final = 0.0030
"""Radius of a grain, in half sides of the plate."""

_HIGHEST_ORDER: Final = 13
_MODES: Final = tuple(
    (m, n) for n in range(1, _HIGHEST_ORDER + 1) for m in range(n) if (m + n) % 2 == 0 or m > 0
)
_RESONANCE: Final = 0.10
"""Width of a mode's resonance in octaves of m^2 + n^2."""
_LOWEST: Final = 5.0
_OCTAVES: Final = 4.3
_OVERTONES: Final = 3
_DESCENTS: Final = 5

_ROWS_AT_ONCE: Final = 512
"""Rows whose displacement is computed together: its modes take thirty times their memory."""


def render(canvas: Canvas) -> Tensor:
    """Return the OKLab image (3, H, W) of sand on the plate."""
    weights, sign = mode_weights(canvas)
    x = canvas.x + 0.006 * canvas.noise[0]
    parts = zip(torch.split(x, _ROWS_AT_ONCE), torch.split(canvas.y, _ROWS_AT_ONCE), strict=True)
    displacement = torch.cat([displacement_at(weights, sign, *part)[0] for part in parts])
    loudness = canvas.descriptors["loudness"]
    brushed = canvas.texture(1, 500, 6, canvas.x / canvas.half_width, canvas.y / canvas.half_height)
    radius = (canvas.x / canvas.half_width) ** 2 + (canvas.y / canvas.half_height) ** 2
    tone = 0.16 + 0.10 * loudness * torch.tanh(displacement.abs()) + 0.012 * brushed
    tone = tone + 0.05 * canvas.noise[3] - 0.07 * radius
    lab = canvas.ramp(tone.clamp(0, 1))
    cover, light = _strewn(canvas, sand(canvas))
    grain = canvas.ramp((0.80 + 0.10 * light).clamp(0, 1))
    grain[0] += 0.10 + 0.16 * light
    shadow = functional.pad(cover, (1, 0, 1, 0))[:-1, :-1]
    lab[0] -= 0.10 * shadow * (1 - cover)
    return lab + cover * (grain - lab)


def mode_weights(canvas: Canvas) -> tuple[Tensor, float]:
    """Return the amplitudes of `_MODES`, of unit length or all near 0, and the sign of their symmetry."""
    register = canvas.descriptors["pitch_height"]
    brightness = canvas.descriptors["brightness"]
    heights = torch.tensor([math.log2(m * m + n * n) for m, n in _MODES])
    chroma = canvas.chroma / canvas.chroma.norm().clamp(min=0.5)
    weights = torch.zeros(len(_MODES))
    for pitch_class in range(12):
        for overtone in range(1, _OVERTONES + 1):
            height = math.log2(_LOWEST * overtone) + _OCTAVES * register + pitch_class / 12
            resonance = torch.exp(-(((heights - height) / _RESONANCE) ** 2))
            strength = float(chroma[pitch_class]) ** 2 * (0.65 * brightness) ** (overtone - 1)
            weights += strength * resonance / resonance.sum().clamp(min=1e-3)
    sign = 1.0 if canvas.descriptors["mode"] >= 0.5 else -1.0
    balance = sign * min(1.0, 0.35 + 4 * abs(canvas.descriptors["mode"] - 0.5))
    return weights / weights.norm().clamp(min=0.05), balance


def sand(canvas: Canvas) -> Tensor:
    """Return the positions (N, 2) of the grains, x and y, y upwards."""
    count = round(GRAINS * canvas.half_width * canvas.half_height)
    generator = canvas.generator(2)
    extent = torch.tensor([canvas.half_width, canvas.half_height])
    places = (2 * torch.rand(count, 2, generator=generator) - 1) * extent
    scatter = torch.randn(count, 2, generator=generator)
    patience = torch.rand(count, generator=generator)
    weights, sign = mode_weights(canvas)
    named = canvas.descriptors
    cleanness = (0.25 + 0.75 * named["harmonicity"]) * (1 - 0.85 * named["flatness"] ** 1.5)
    gathered = (0.70 + 0.28 * cleanness) * (0.80 + 0.20 * named["loudness"])
    moves = (patience < gathered).float()[:, None]
    for _ in range(_DESCENTS):
        value, slope_x, slope_y = displacement_at(weights, sign, places[:, 0], places[:, 1])
        slope = torch.stack([slope_x, slope_y], dim=1)
        step = value[:, None] * slope / (slope.square().sum(dim=1, keepdim=True) + 2.0)
        places = places - moves * 0.85 * step.clamp(-0.12, 0.12)
    width = 0.006 + 0.014 * (1 - cleanness)
    places = places + moves * width * scatter
    return torch.minimum(torch.maximum(places, -extent), extent)


def displacement_at(weights: Tensor, sign: float, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the displacement of the plate at points of any shape, and its slopes along x and y."""
    value, slope_x, slope_y = (torch.zeros_like(x) for _ in range(3))
    angle_x, angle_y = (math.pi * (axis + 1) / 2 for axis in (x, y))
    strongest = float(weights.abs().max())
    used = [index for index, weight in enumerate(weights.tolist()) if abs(weight) > 0.04 * strongest]
    orders = {order for index in used for order in _MODES[index]}
    cosines = {order: ((order * angle_x).cos(), (order * angle_y).cos()) for order in orders}
    sines = {order: ((order * angle_x).sin(), (order * angle_y).sin()) for order in orders}
    for index in used:
        m, n = _MODES[index]
        weight = float(weights[index])
        value += weight * (cosines[m][0] * cosines[n][1] + sign * cosines[n][0] * cosines[m][1])
        scale = -weight * math.pi / 2
        slope_x += scale * (m * sines[m][0] * cosines[n][1] + sign * n * sines[n][0] * cosines[m][1])
        slope_y += scale * (n * cosines[m][0] * sines[n][1] + sign * m * cosines[n][0] * sines[m][1])
    return value, slope_x, slope_y


def _strewn(canvas: Canvas, places: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far grains cover each pixel (H, W) in [0, 1], and the light on them, about in [-1, 1]."""
    column = (places[:, 0] + canvas.width * canvas.pixel / 2) / canvas.pixel - 0.5
    row = (canvas.height * canvas.pixel / 2 - places[:, 1]) / canvas.pixel - 0.5
    left, top = column.floor(), row.floor()
    count = torch.zeros(canvas.height * canvas.width)
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        rows = (top + down).clamp(0, canvas.height - 1)
        columns = (left + right).clamp(0, canvas.width - 1)
        share = (1 - (column - left - right).abs()) * (1 - (row - top - down).abs())
        places_of = (rows * canvas.width + columns).long()
        count += torch.bincount(places_of, share.clamp(min=0).double(), count.numel()).float()
    radius = GRAIN_RADIUS / canvas.pixel
    reach = max(1, math.ceil(radius + 0.5))
    across = torch.arange(-reach, reach + 1).float()
    distance = (across[None] ** 2 + across[:, None] ** 2).sqrt()
    disc = (radius + 0.5 - distance).clamp(0, 1)
    lit = disc * (-across[:, None] - 0.6 * across[None]) / max(radius, 1.0)
    kernels = torch.stack([disc, lit])[:, None]
    summed = functional.conv2d(count.view(1, 1, canvas.height, canvas.width), kernels, padding=reach)[0]
    cover = 1 - torch.exp(-1.4 * summed[0])
    return cover, torch.tanh(summed[1] / summed[0].clamp(min=0.3)) * smooth_step(cover, 0.0, 0.6)
