"""Cymatic water: standing waves on a shaken dish, and the light that they gather, after Faraday (1831).

| sound | image |
|---|---|
| pitch height | shorter waves for higher tones |
| number of pitch classes, mode | how many directions the waves stand in: squares, hexagons, stars |
| loudness | height of the waves |
| brightness, roughness | ripples on them, and glints |
| onsets | drops: rings that run outwards from where and when they fall |
| course of level | how the waves rise and fall from the centre outwards |

Light that falls through waves is gathered where the surface bends it together: it is brighter by about
1 / |1 + d lap h|, for a depth d and the Laplacian of the height (Berry 1976).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from chladni_contract.descriptor_space import TEMPORAL_FEATURES, TEMPORAL_SEGMENTS
from chladni_image_generation.families.embedded.fields import smooth_step
from chladni_image_generation.families.embedded.looks.canvas import Canvas
from chladni_image_generation.families.embedded.palette import active_pitch_classes

_LEVEL = TEMPORAL_FEATURES.index("level")
_ONSET = TEMPORAL_FEATURES.index("onset")
_BRIGHTNESS = TEMPORAL_FEATURES.index("brightness")


def render(canvas: Canvas) -> Tensor:
    """Return the OKLab image (3, H, W) of the dish, seen from above."""
    named = canvas.descriptors
    x, y = canvas.x + 0.09 * canvas.noise[0], canvas.y + 0.09 * canvas.noise[1]
    focus_x, focus_y = 0.35 * float(canvas.noise[2].mean()), 0.25 * float(canvas.noise[3].mean())
    x, y = x - focus_x, y - focus_y
    radius = (x**2 + y**2 + 1e-4).sqrt()
    height, slope_x, slope_y, bend = _standing_waves(canvas, x, y, radius)
    for ring in _drops(canvas):
        height, slope_x, slope_y, bend = (
            total + part for total, part in zip((height, slope_x, slope_y, bend), ring, strict=True)
        )
    depth = 0.55 + 0.25 * named["loudness"]
    caustic = 1 / ((1 + depth * bend).abs() + 0.16)
    caustic = caustic / (1 + 0.22 * caustic)
    facing = 0.55 * slope_y - 0.35 * slope_x
    glint = torch.exp(-(((slope_x - 0.30) ** 2 + (slope_y - 0.42) ** 2) / 0.020))
    edge = smooth_step(radius, 0.75, 1.55)
    tone = 0.20 + 0.20 * caustic + 0.09 * torch.tanh(height) + 0.10 * torch.tanh(facing) - 0.16 * edge
    lab = canvas.ramp(tone.clamp(0, 1))
    lab[0] += 0.07 * (caustic - 1) * (1 - edge) + (0.10 + 0.28 * named["brightness"]) * glint
    accent = canvas.parameters.accent[0]
    pool = (torch.exp(-2.2 * radius**2) * 0.18 * (1 + 0.5 * torch.tanh(height)))[None]
    return lab + pool * (accent[:, None, None] - lab)


def _standing_waves(
    canvas: Canvas, x: Tensor, y: Tensor, radius: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return height, slopes and Laplacian over the wave number, of waves in several directions and rings."""
    named = canvas.descriptors
    wave_number = 2 * math.pi * (1.6 + 5.2 * named["pitch_height"])
    colours = float(active_pitch_classes((canvas.chroma**2)[None])[0])
    directions = 3 + min(4.0, 0.7 * colours)
    total = [torch.zeros_like(x) for _ in range(4)]
    turn = 0.4 * float(canvas.noise[2].mean())
    level = canvas.course(_LEVEL, (radius / 1.45).flatten()).view_as(radius)
    amplitude = (0.25 + 0.75 * named["loudness"]) * (0.35 + 0.65 * level)
    for index in range(math.ceil(directions)):
        share = min(1.0, directions - index) / math.sqrt(directions)
        angle = turn + math.pi * index / directions
        along = math.cos(angle) * x + math.sin(angle) * y
        phase = wave_number * along
        total[0] += share * phase.cos()
        total[1] -= share * math.cos(angle) * phase.sin()
        total[2] -= share * math.sin(angle) * phase.sin()
        total[3] -= share * phase.cos()
    ring = wave_number * 0.9 * radius
    rings = 0.9 / (1 + 1.2 * radius)
    total[0] += rings * ring.cos()
    total[1] -= rings * ring.sin() * x / radius
    total[2] -= rings * ring.sin() * y / radius
    total[3] -= rings * ring.cos()
    ripple_number = 2.7 * wave_number
    strength = 0.28 * (0.5 * named["brightness"] + 0.5 * named["roughness"])
    for index in range(3):
        angle = 0.7 + index * 2.1
        phase = ripple_number * (math.cos(angle) * x + math.sin(angle) * y) + 2 * canvas.noise[index]
        total[0] += 0.5 * strength * phase.cos()
        total[1] -= strength * math.cos(angle) * phase.sin()
        total[2] -= strength * math.sin(angle) * phase.sin()
        total[3] -= strength * phase.cos()
    height, slope_x, slope_y, bend = (part * amplitude for part in total)
    return height, slope_x, slope_y, bend


def _drops(canvas: Canvas) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Yield the rings of the strongest onsets, of which older ones have run farther."""
    generator = canvas.generator(3)
    heights = 1.4 * torch.rand(TEMPORAL_SEGMENTS, generator=generator) - 0.7
    course = canvas.parameters.course[0]
    wave_number = 2 * math.pi * 7.0
    for segment in range(TEMPORAL_SEGMENTS):
        strength = float(smooth_step(course[segment, _ONSET], 0.10, 0.55))
        if strength < 0.03:
            continue
        centre_x = canvas.half_width * ((segment + 0.5) * 2 / TEMPORAL_SEGMENTS - 1) * 0.9
        centre_y = canvas.half_height * (
            float(heights[segment]) + 0.4 * float(course[segment, _BRIGHTNESS]) - 0.2
        )
        offset_x, offset_y = canvas.x - centre_x, canvas.y - centre_y
        radius = (offset_x**2 + offset_y**2 + 1e-4).sqrt()
        front = 0.10 + 0.16 * strength + 0.10 * (1 - segment / TEMPORAL_SEGMENTS)
        packet = 1.1 * strength * torch.exp(-(((radius - front) / 0.075) ** 2))
        phase = wave_number * (radius - front)
        wave, slope = packet * phase.cos(), -packet * phase.sin()
        yield wave, slope * offset_x / radius, slope * offset_y / radius, -wave
