"""Weather: fog, rain and grain, for sounds that are noise.

| sound | image |
|---|---|
| flatness | fog: how much of the image it fills |
| onsets, roughness | rain: how dense it is; single drops that are heard are single streaks |
| brightness | fine grain and thin streaks, against heavy ones |
| loudness | contrast of the fog's layers and slant of the rain |
| course of level | where the fog is torn, from left to right |
| course of brightness | where the light stands in it |
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from chladni_contract.descriptor_space import TEMPORAL_FEATURES
from chladni_image_generation.families.embedded.fields import smooth_step
from chladni_image_generation.families.embedded.looks.canvas import Canvas

_LEVEL = TEMPORAL_FEATURES.index("level")
_BRIGHTNESS = TEMPORAL_FEATURES.index("brightness")
_ONSET = TEMPORAL_FEATURES.index("onset")
_OCTAVES: Final = 6


def render(canvas: Canvas) -> Tensor:
    """Return the OKLab image (3, H, W) of the weather."""
    named = canvas.descriptors
    moments = ((canvas.x[0] / canvas.half_width + 1) / 2).clamp(0, 1)
    level, light = canvas.course(_LEVEL, moments), canvas.course(_BRIGHTNESS, moments)
    x, y = canvas.x / canvas.half_width, canvas.y / canvas.half_height
    fog = _fog(canvas, x + 0.05 * canvas.noise[0], y + 0.10 * canvas.noise[1])
    torn = smooth_step(fog + 1.1 * (level - level.mean()) + 0.5 * canvas.noise[2], -1.0, 1.5)
    high = 0.5 + 0.5 * y
    lamp = torch.exp(-(((canvas.x - 0.5 * float(canvas.noise[0].mean())) / 0.8) ** 2)) * torch.exp(
        -(((canvas.y - 0.7 * (named["brightness"] - 0.45)) / 0.5) ** 2)
    )
    tone = 0.20 + 0.20 * high + (0.20 + 0.28 * named["loudness"]) * (torn - 0.35) + 0.14 * light * torn
    lab = canvas.ramp((tone + 0.22 * lamp * (0.4 + 0.6 * torn)).clamp(0, 1))
    lab[0] += 0.05 * lamp
    for layer in range(3):
        lab = _rained(canvas, lab, layer, moments)
    grain = canvas.texture(9, 700, 700, x, y)
    amount = 0.010 + 0.050 * named["flatness"] * (0.3 + 0.7 * named["brightness"])
    lab[0] += amount * grain * (0.5 + 0.5 * torn)
    lab[0] -= 0.10 * (x**2 + y**2) ** 1.5
    return lab


def _fog(canvas: Canvas, x: Tensor, y: Tensor) -> Tensor:
    """Return drifting fog, longer than high: noise of rising frequency, each octave bent by those before."""
    total = torch.zeros_like(x)
    for octave in range(_OCTAVES):
        cells = 2**octave
        bent_x, bent_y = x + 0.10 * total, y + 0.06 * total
        part = canvas.texture(30 + octave, 5 * cells, 3 * cells, bent_x, bent_y)
        total = total + part * 0.62**octave
    return 0.8 * total


def _rained(canvas: Canvas, lab: Tensor, layer: int, moments: Tensor) -> Tensor:
    """Return the image with a layer of streaks, the nearest ones last."""
    named = canvas.descriptors
    near = layer / 2
    density = 0.75 * named["roughness"] + 0.55 * named["onset_rate"] + 0.15 * named["flatness"]
    slant = (0.10 + 0.30 * named["loudness"]) * (1 if canvas.seed % 2 else -1)
    across = (canvas.x + slant * canvas.y) / (canvas.half_width + abs(slant))
    columns = round((190 - 100 * near) * (0.6 + 0.8 * named["brightness"]) * canvas.half_width)
    rows = round((26 - 16 * near) * (1.4 - 0.8 * named["flatness"]) * canvas.half_height)
    streaks = canvas.texture(40 + layer, rows, columns, across, canvas.y / canvas.half_height)
    pulse = 0.6 + 0.8 * canvas.course(_ONSET, moments)
    threshold = 2.3 - 1.5 * min(1.0, density)
    drop = smooth_step(streaks * pulse, threshold, threshold + 0.9)
    light = canvas.ramp(torch.full_like(canvas.x, 0.92))
    if layer == 2:
        light = 0.5 * light + 0.5 * canvas.parameters.accent[0][:, None, None]
    strength = (0.16 + 0.30 * near) * math.sqrt(min(1.0, 0.15 + density))
    return lab + (strength * drop)[None] * (light - lab)
