"""Flowing strokes: a brush that follows a voice over paper.

| sound | image |
|---|---|
| course of the pitch | the line that all strokes follow, from left to right |
| course of the level | pressure: thick where it is loud, lifted in pauses |
| course of the brightness | colour along a stroke, from the palette's shadow to its light |
| pitch range | how far the strokes swing |
| harmonicity | how many strokes keep together, against strays |
| roughness, flatness | a dry brush, whose bristles show |
| onsets | spots of ink that the brush leaves where it sets down |
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from chladni_contract.descriptor_space import TEMPORAL_FEATURES, TEMPORAL_SEGMENTS
from chladni_image_generation.families.embedded.fields import smooth_step
from chladni_image_generation.families.embedded.looks.canvas import Canvas

_STROKES: Final = 34
_EDGE: Final = 1.06
"""Where a stroke ends, in half widths from its middle."""

_LIFTED: Final = 0.02
"""Pressure below which the brush does not touch the paper."""

_LEVEL = TEMPORAL_FEATURES.index("level")
_ONSET = TEMPORAL_FEATURES.index("onset")
_BRIGHTNESS = TEMPORAL_FEATURES.index("brightness")
_PITCH = TEMPORAL_FEATURES.index("pitch_height")


def render(canvas: Canvas) -> Tensor:
    """Return the OKLab image (3, H, W) of the strokes."""
    lab = _paper(canvas)
    generator = canvas.generator(4)
    named = canvas.descriptors
    moments = (canvas.x[0] / canvas.half_width + 1) / 2
    level, pitch = canvas.course(_LEVEL, moments), canvas.course(_PITCH, moments)
    brightness = canvas.course(_BRIGHTNESS, moments)
    level = (level / level.max().clamp(min=0.2)).clamp(0, 1)
    swing = canvas.half_height * (0.35 + 1.6 * named["pitch_range"])
    melody = swing * (pitch - pitch.mean())
    draws = torch.rand(_STROKES, 6, generator=generator).tolist()
    dryness = 0.15 + 0.85 * max(named["roughness"], named["flatness"])
    for index, draw in enumerate(draws):
        nearness = index / (_STROKES - 1)
        together = 0.30 + 0.70 * named["harmonicity"]
        base = canvas.half_height * (1.5 * draw[0] - 0.75) * (1.15 - 0.45 * together)
        delay = 0.10 * (draw[1] - 0.5)
        wander = 0.22 * (1.2 - together) * torch.sin(2 * math.pi * ((0.6 + draw[2]) * moments + draw[3]))
        places = torch.arange(len(melody)) - round(delay * len(melody))
        shifted = melody[places.clamp(0, len(melody) - 1)]
        gain = 0.55 + 0.75 * draw[4]
        path = base + gain * shifted + canvas.half_height * wander
        path = path + 0.10 * canvas.noise[index % 4][canvas.height // 2]
        begin, end = 0.02 + 0.35 * draw[5] * (1 - nearness), 1.0 - 0.30 * draw[2] * draw[5]
        pressure = smooth_step(level, 0.06, 0.65) * _window(moments, begin, end)
        width = (0.012 + (0.02 + 0.065 * draw[4]) * (0.4 + 0.6 * nearness)) * (0.20 + 0.80 * pressure)
        stroke(canvas, lab, path, width, pressure, brightness, index=index, draw=draw, dryness=dryness)
    _blot(canvas, lab)
    return lab


def _paper(canvas: Canvas) -> Tensor:
    """Return a light ground with a tint of the palette and a grain."""
    light = canvas.parameters.palette[0, -1]
    lab = torch.empty(3, canvas.height, canvas.width)
    fibres = canvas.texture(5, 300, 300, canvas.x / canvas.half_width, canvas.y / canvas.half_height)
    lab[0] = 0.93 + 0.008 * fibres + 0.012 * canvas.noise[2] - 0.03 * (canvas.x**2 + canvas.y**2)
    lab[1:] = 0.30 * light[1:, None, None]
    wash = (0.10 * smooth_step(canvas.noise[3] + 0.6 * canvas.noise[1], 0.2, 2.0))[None]
    return lab + wash * (canvas.ramp(torch.full_like(canvas.x, 0.62)) - lab)


def _window(moments: Tensor, begin: float, end: float) -> Tensor:
    return smooth_step(moments, begin, begin + 0.08) * (1 - smooth_step(moments, end - 0.10, end))


def stroke(
    canvas: Canvas,
    lab: Tensor,
    path: Tensor,
    width: Tensor,
    pressure: Tensor,
    brightness: Tensor,
    *,
    index: int,
    draw: list[float],
    dryness: float,
) -> None:
    """Add one stroke to the image, along a path (W,) of heights; only pixels under the brush are computed."""
    slope = torch.gradient(path, spacing=canvas.pixel)[0]
    distance = (canvas.y - path) / (1 + slope**2).sqrt() / width
    rows, columns = ((distance.abs() < _EDGE) & (pressure > _LIFTED)).nonzero(as_tuple=True)
    if len(rows) == 0:
        return
    # One row of pixels (1, N), as far as the brush touches them.
    across, pressure = distance[rows, columns][None], pressure[columns][None]
    inside = 1 - smooth_step(across.abs(), 0.86, _EDGE)
    along = canvas.x[rows, columns][None] / canvas.half_width
    lanes = canvas.texture(20 + index, 23, 5, along, (across * 0.9).clamp(-1, 1))
    dry = dryness * (1.15 - pressure)
    ink = inside * smooth_step(pressure, _LIFTED, 0.25) * (1 - dry * smooth_step(lanes, -0.2, 0.9))
    tone = 0.10 + 0.55 * brightness[columns][None] + 0.30 * (draw[3] - 0.5) + 0.06 * lanes
    if index % 7 == 3:
        colour = canvas.parameters.accent[0][:, None, None] + 0.03 * lanes
    else:
        colour = canvas.ramp(tone.clamp(0, 0.85))
    colour[0] += 0.05 * (1 - across.abs().clamp(max=1)) - 0.02
    opacity = (0.45 + 0.50 * draw[4]) * ink
    under = lab[:, rows, columns][:, None]
    lab[:, rows, columns] = (under + opacity * (colour - under))[:, 0]


def _blot(canvas: Canvas, lab: Tensor) -> None:
    """Add a spot of ink at each strong onset, and a spray around it."""
    course = canvas.parameters.course[0]
    generator = canvas.generator(6)
    ragged = 0.006 * canvas.noise
    reach_of_noise = float(ragged.abs().max())
    for segment in range(TEMPORAL_SEGMENTS):
        draws = torch.rand(9, 3, generator=generator).tolist()
        strength = float(smooth_step(course[segment, _ONSET], 0.20, 0.70))
        if strength < 0.03:
            continue
        centre = canvas.half_width * ((segment + 0.5) * 2 / TEMPORAL_SEGMENTS - 1)
        height = canvas.half_height * (float(course[segment, _PITCH]) - 0.5) * 1.1
        for place, (right, up, size) in enumerate(draws):
            reach = 0.0 if place == 0 else 0.05 + 0.20 * size
            radius = strength * (0.030 + 0.016 * size if place == 0 else 0.004 + 0.008 * right)
            offset_x = canvas.x[0] - centre - reach * (2 * right - 1)
            offset_y = canvas.y[:, 0] - height - reach * (2 * up - 1)
            largest = radius + reach_of_noise + 2 * canvas.pixel
            box = _span(offset_y, largest), _span(offset_x, largest)
            distance = (offset_x[box[1]] ** 2 + offset_y[box[0], None] ** 2).sqrt() + ragged[place % 4][box]
            cover = 0.85 * smooth_step(radius - distance, -1.5 * canvas.pixel, 1.5 * canvas.pixel)
            colour = canvas.parameters.palette[0, 0 if place % 3 else 1][:, None, None]
            under = lab[:, *box]
            lab[:, *box] = under + cover * (colour - under)


def _span(offsets: Tensor, reach: float) -> slice:
    """Return where offsets, which rise or fall evenly, are within a reach."""
    near = (offsets.abs() < reach).nonzero()
    return slice(int(near[0]), int(near[-1]) + 1) if len(near) else slice(0, 0)
