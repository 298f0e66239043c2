"""What the detailer sees: the edges, lines and reliefs of a scene, at the image's full size.

The guide shows a scene at the resolution of the latents, an eighth of the image's, where a nodal line or the
edge of a body has no width. These planes are the same fields once more, finely enough to be drawn.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from chladni_image_generation.families.embedded.correspondences import ImageParameters
from chladni_image_generation.families.embedded.fields import gradient, line_mask, plane, smooth_step
from chladni_image_generation.families.embedded.scene import (
    RIDGE_COUNT,
    Placement,
    Scene,
    bent_scene,
    feature,
    noise_fields,
)

DETAIL_PLANES: Final = 12 + RIDGE_COUNT

_LINE_WIDTH: Final = 0.013
_CONTOUR_WIDTH: Final = 0.007
_RIM_WIDTH: Final = 0.022
_LIGHT_ANGLE: Final = 0.65 * math.pi


def draw_detail_planes(
    parameters: ImageParameters,
    grids: Tensor,
    *,
    height: int,
    width: int,
    placement: Placement | None = None,
) -> Tensor:
    """Draw the planes of B sounds and of the noise that bends their images.

    Args:
        parameters: What the sounds decide.
        grids: (B, 4, 8, 8), what the noise decides (`noise_grid`).
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        placement: Where the segments of a moving course stand; `None` if sixteen fill the image.

    Returns:
        float32 (B, `DETAIL_PLANES`, height, width), about unit scale.
    """
    noise = noise_fields(grids, height, width)
    scene = bent_scene(parameters, noise, placement=placement)
    return torch.stack(
        [
            *_plate(scene, noise, parameters),
            *_ribbon(scene, noise, parameters),
            *_ridges(scene, noise, parameters),
            *_bodies(scene, parameters),
            smooth_step(scene.cells + 0.12 * noise[:, 3], 0.82, 1.0) * plane(parameters.cell_share),
        ],
        dim=1,
    )


def _plate(scene: Scene, noise: Tensor, parameters: ImageParameters) -> list[Tensor]:
    """Return the nodal lines, the contours between them, the relief's light, and the plate's rim."""
    share = plane(parameters.plate_share)
    extent = 0.55 + 0.55 * plane(parameters.mass_extent)
    distance = (scene.across**2 + scene.above**2).sqrt() - extent - 0.10 * noise[:, 3]
    cover = share * (1 - smooth_step(distance, -0.10, 0.10))
    strength = plane(parameters.line_strength)
    rings = torch.cos(2 * math.pi * scene.ring_phase) * feature(scene.ring_course, "level")
    height = 0.85 * scene.figure + 0.30 * plane(parameters.band_depth) * rings
    line = line_mask(scene.figure, torch.full_like(parameters.jag, _LINE_WIDTH))
    contours = line_mask(
        torch.sin(3 * math.pi * scene.figure), torch.full_like(parameters.jag, _CONTOUR_WIDTH)
    )
    return [
        share * strength * line,
        cover * strength * contours,
        cover * torch.tanh(0.22 * _facing(height)),
        share * torch.exp(-((distance / _RIM_WIDTH) ** 2)),
    ]


def _ribbon(scene: Scene, noise: Tensor, parameters: ImageParameters) -> list[Tensor]:
    """Return the ribbon's bright hem and the threads of its curtain."""
    height = scene.ribbon + 0.55 * noise[:, 2]
    strength = plane(parameters.ribbon_share) * (0.25 + 0.75 * feature(scene.course, "level"))
    curtain = torch.exp(-height.clamp(min=0) / 2.6) * smooth_step(height, -0.35, 0.35)
    folds = torch.cos(2 * math.pi * (0.9 * height + 0.35 * noise[:, 3]))
    return [strength * torch.exp(-(height**2) * 1.4), strength * curtain * folds]


def _ridges(scene: Scene, noise: Tensor, parameters: ImageParameters) -> list[Tensor]:
    """Return the cover of each ridge, and of what is seen of them: the bands, the crest and the edge."""
    edge = 0.006 + plane(parameters.body_softness - 0.06) * 0.12
    strength = plane(parameters.contrast * parameters.band_depth)
    covers = []
    bands, crest, rim = (torch.zeros_like(scene.figure) for _ in range(3))
    for index in range(RIDGE_COUNT):
        above = scene.ridges[:, index] - 0.085 * noise[:, index]
        cover = torch.sigmoid(-above / edge * 1.7)
        depth = (-above).clamp(min=0)
        wave = torch.cos(
            2 * math.pi * (1.1 * plane(parameters.band_frequency) * depth + 0.25 * noise[:, 3])
        ) * torch.exp(-1.5 * depth)
        covers.append(cover)
        bands = torch.lerp(bands, strength * wave, cover)
        crest = torch.lerp(crest, torch.exp(-depth / 0.10), cover)
        rim = (1 - cover) * rim + torch.exp(-((above / 0.012) ** 2))
    return [*covers, bands, crest, rim * plane(parameters.contrast * parameters.ridge_share)]


def _bodies(scene: Scene, parameters: ImageParameters) -> list[Tensor]:
    """Return the cover of the bodies and the light on them."""
    inside = scene.bodies
    cover = torch.sigmoid(inside / plane(0.05 + 2.0 * (parameters.body_softness - 0.06)) * 1.5)
    dome = inside.clamp(min=0.02).sqrt()
    return [cover, cover * torch.tanh(1.1 * _facing(dome) * plane(parameters.body_radius))]


def _facing(height: Tensor) -> Tensor:
    """Return the slope of a relief towards the light."""
    slope_x, slope_y = gradient(height)
    return -(slope_x * math.cos(_LIGHT_ANGLE) + slope_y * math.sin(_LIGHT_ANGLE))
