"""Round bodies floating over the picture: one for each onset that stands out."""

import math

import torch
from torch import Tensor

from chladni_image_generation.jobs.art_parameters import ArtParameters

_REACH = 3.4
"""Radii beyond which neither a body nor its shadow can be seen, so nothing is computed there."""


def draw_bodies(lab: Tensor, grids: Tensor, sound: ArtParameters, light_angle: float) -> None:
    """Draw the bodies of each picture into its (B, 3, H, W) OKLab pixels, in place.

    A body is where the last channel of the noise grid exceeds the threshold of the sound; towards
    the top and the bottom it must exceed it by more, so that bodies keep to the height of the mass.
    The other channels decide its tint and its place in its cell. Bodies are lit like spheres and
    lay a soft shadow on what is behind them.
    """
    cells = grids.shape[-1]
    centres = (torch.arange(cells) + 0.5) * (2 / cells) - 1
    for row, (tints, right, up, scores) in enumerate(grids.unbind(0)):
        reach = 0.2 + 0.5 * sound.mass_extent[row]
        outside = ((-centres - 0.75 * sound.mass_y[row]).abs() - reach).clamp(min=0)
        excess = scores - sound.body_threshold[row] - 2.5 * outside[:, None]
        for index in (excess > 0).nonzero().tolist():
            cell = tuple(index)
            presence = min(float(excess[cell]) / 0.35, 1.0)
            scale = 0.6 + 0.55 * min(float(excess[cell]), 1.5)
            tint = 0.9 * float(torch.sigmoid(1.5 * tints[cell]))
            _draw_body(
                lab[row],
                centre_x=float(centres[cell[1]] + 0.1 * torch.tanh(right[cell])),
                centre_y=float(-centres[cell[0]] + 0.1 * torch.tanh(up[cell])),
                radius=max(float(sound.body_radius[row]) * scale * presence**0.5, 0.004),
                presence=presence,
                colour=torch.lerp(sound.accent[row], sound.palette[row, -1], tint),
                light_angle=light_angle,
                relief=float(sound.relief[row]),
                softness=float(sound.body_softness[row]),
            )


def _draw_body(
    lab: Tensor,
    *,
    centre_x: float,
    centre_y: float,
    radius: float,
    presence: float,
    colour: Tensor,
    light_angle: float,
    relief: float,
    softness: float,
) -> None:
    size_pixels = lab.shape[-1]
    columns = _window(centre_x, radius, size_pixels)
    rows = _window(-centre_y, radius, size_pixels)
    centres = (torch.arange(size_pixels) + 0.5) * (2 / size_pixels) - 1
    right = ((centres[columns] - centre_x) / radius)[None, :]
    up = ((-centres[rows] - centre_y) / radius)[:, None]
    light_x, light_y = math.cos(light_angle), math.sin(light_angle)

    edge = min(softness / max(radius, 0.02), 0.6 + softness)
    cover = presence * torch.sigmoid((1 - right**2 - up**2) / edge * 1.6)
    shadow = torch.exp(-((right + 0.35 * light_x) ** 2 + (up + 0.35 * light_y) ** 2) / 1.8)
    towards = right * light_x + up * light_y
    beside = right * light_y - up * light_x
    shade = 0.16 * towards.clamp(-1.2, 1.2)
    shine = 0.13 * torch.exp(-7 * ((towards - 0.45) ** 2 + beside**2))

    window = lab[:, rows, columns]
    window[0] -= 0.8 * presence * relief * shadow * (1 - cover)
    body = colour[:, None, None].repeat(1, *cover.shape)
    body[0] += (shade + shine) * (0.5 + 2.2 * relief)
    window += cover * (body - window)


def _window(centre: float, radius: float, size_pixels: int) -> slice:
    """Pixels within reach of a body along one axis."""
    first = round((centre - _REACH * radius + 1) / 2 * size_pixels)
    last = round((centre + _REACH * radius + 1) / 2 * size_pixels)
    return slice(min(max(first, 0), size_pixels), min(max(last, 0), size_pixels))
