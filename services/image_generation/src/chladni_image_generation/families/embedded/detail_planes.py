"""What the detailer sees: the edges, lines and reliefs of a scene, at the image's full size.

The guide shows a scene at the resolution of the latents, an eighth of the image's, where a nodal line or the
edge of a body has no width. These planes are the same fields once more, finely enough to be drawn: each as
far as nothing in front hides it, with the strength that the sound gives it. Nodal lines and bodies have their
colour too, which the decoder loses where they are smaller than its cells.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from chladni_image_generation.families.embedded.correspondences import ImageParameters
from chladni_image_generation.families.embedded.fields import (
    ALL_ROWS,
    gradient,
    line_mask,
    plane,
    smooth_step,
)
from chladni_image_generation.families.embedded.palette import srgb_from_oklab
from chladni_image_generation.families.embedded.scene import (
    RIDGE_COUNT,
    Placement,
    Scene,
    bent_scene,
    feature,
    noise_fields,
)

DETAIL_PLANES: Final = 19 + RIDGE_COUNT

_LINE_WIDTH: Final = 0.013
_CONTOUR_WIDTH: Final = 0.007
_RIM_WIDTH: Final = 0.022
_CREST_WIDTH: Final = 0.012
_LIGHT_ANGLE: Final = 0.65 * math.pi

_LIGHTNESS_SCALE: Final = 4.0
"""Factor on planes that are differences of lightness, to bring them to about unit scale."""


def draw_detail_planes(
    parameters: ImageParameters,
    grids: Tensor,
    *,
    height: int,
    width: int,
    placement: Placement | None = None,
    rows: slice = ALL_ROWS,
) -> Tensor:
    """Draw the planes of B sounds and of the noise that bends their images.

    Args:
        parameters: What the sounds decide.
        grids: (B, 4, 8, 8), what the noise decides (`noise_grid`).
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        placement: Where the segments of a moving course stand; `None` if sixteen fill the image.
        rows: Those of the image that are drawn, from 0 at the top. Slopes in the first and the last of them
            look to one side only.

    Returns:
        float32 (B, `DETAIL_PLANES`, rows, width), about unit scale.
    """
    noise = noise_fields(grids, height, width, rows=rows)
    scene = bent_scene(parameters, noise, placement=placement, height=height, rows=rows)
    pixel = 2 / min(height, width)
    bodies = torch.sigmoid(scene.bodies / plane(0.05 + 2.0 * (parameters.body_softness - 0.06)) * 1.5)
    ridges, behind = _ridges(scene, noise, parameters, seen=1 - bodies, pixel=pixel)
    return torch.cat(
        [
            _plate(scene, noise, parameters, seen=behind, pixel=pixel),
            _ribbon(scene, noise, parameters, seen=behind),
            ridges,
            _bodies(scene, parameters, cover=bodies, pixel=pixel),
        ],
        dim=1,
    )


def _plate(scene: Scene, noise: Tensor, parameters: ImageParameters, *, seen: Tensor, pixel: float) -> Tensor:
    """Return the sparks of the sky, and the plate's contours, light, rim and nodal lines with their colour.

    Args:
        scene: The scene.
        noise: (B, 4, H, W) fields.
        parameters: What the sounds decide.
        seen: (B, H, W) how much of what is behind the ridges and bodies is seen.
        pixel: Side of a pixel, in units of half the shorter side.
    """
    share = plane(parameters.plate_share)
    contrast, strength = plane(parameters.contrast), plane(parameters.line_strength)
    extent = 0.55 + 0.55 * plane(parameters.mass_extent)
    distance = (scene.across**2 + scene.above**2).sqrt() - extent - 0.10 * noise[:, 3]
    cover = share * (1 - smooth_step(distance, -0.10, 0.10))
    spark = smooth_step(scene.cells + 0.12 * noise[:, 3], 0.82, 1.0) * plane(parameters.cell_share)
    rings = torch.cos(2 * math.pi * scene.ring_phase) * feature(scene.ring_course, "level")
    height = 0.85 * scene.figure + 0.30 * plane(parameters.band_depth) * rings
    line = line_mask(scene.figure, torch.full_like(parameters.jag, _LINE_WIDTH), pixel=pixel)
    contours = line_mask(
        torch.sin(3 * math.pi * scene.figure), torch.full_like(parameters.jag, _CONTOUR_WIDTH), pixel=pixel
    )
    reach = 0.25 + 0.75 * (1 - smooth_step(distance, -0.05, 0.25))
    sand = seen * share * strength * reach * line
    tint = parameters.palette[:, -1] + parameters.palette.new_tensor([0.10, 0.0, 0.0])
    lit = [
        seen * (1 - cover) * spark,
        seen * 0.16 * _LIGHTNESS_SCALE * cover * strength * contours,
        seen * _LIGHTNESS_SCALE * cover * _light(height, parameters, pixel),
        seen * 0.22 * _LIGHTNESS_SCALE * share * contrast * torch.exp(-((distance / _RIM_WIDTH) ** 2)),
    ]
    return torch.cat([torch.stack([*lit, sand], dim=1), _coloured(sand, tint)], dim=1)


def _ribbon(scene: Scene, noise: Tensor, parameters: ImageParameters, *, seen: Tensor) -> Tensor:
    """Return the ribbon's bright hem and the threads of its curtain, as far as they are seen."""
    height = scene.ribbon + 0.55 * noise[:, 2]
    strength = seen * plane(parameters.ribbon_share) * (0.25 + 0.75 * feature(scene.course, "level"))
    curtain = torch.exp(-height.clamp(min=0) / 2.6) * smooth_step(height, -0.35, 0.35)
    folds = torch.cos(2 * math.pi * (0.9 * height + 0.35 * noise[:, 3]))
    return torch.stack([strength * torch.exp(-(height**2) * 1.4), strength * curtain * folds], dim=1)


def _ridges(
    scene: Scene, noise: Tensor, parameters: ImageParameters, *, seen: Tensor, pixel: float
) -> tuple[Tensor, Tensor]:
    """Return how much of each ridge is seen, its bands, crest, slopes and edge, and what is seen behind all.

    Args:
        scene: The scene.
        noise: (B, 4, H, W) fields.
        parameters: What the sounds decide.
        seen: (B, H, W) how much of the landscape is seen.
        pixel: Side of a pixel, in units of half the shorter side.
    """
    edge = 0.006 + plane(parameters.body_softness - 0.06) * 0.12
    contrast, depth_of_bands = plane(parameters.contrast), plane(parameters.band_depth)
    frequency = 1.1 * plane(parameters.band_frequency)
    shares = []
    bands, crest, slopes, rim = (torch.zeros_like(scene.figure) for _ in range(4))
    for index in reversed(range(RIDGE_COUNT)):  # the nearest first, which hides the others
        above = scene.ridges[:, index] - 0.085 * noise[:, index]
        cover = torch.sigmoid(-above / edge * 1.7)
        depth = (-above).clamp(min=0)
        wave = torch.cos(2 * math.pi * (frequency * depth + 0.25 * noise[:, 3])) * torch.exp(-1.5 * depth)
        rim = rim + seen * torch.exp(-((above / _CREST_WIDTH) ** 2))
        share = seen * cover
        bands = bands + share * wave
        crest = crest + share * torch.exp(-depth / 0.10)
        slopes = slopes + share * _light(0.25 * wave - 0.5 * depth, parameters, pixel)
        seen = seen * (1 - cover)
        shares.append(share)
    lit = [
        contrast * depth_of_bands * bands,
        contrast * crest,
        0.5 * _LIGHTNESS_SCALE * slopes,
        rim * contrast * plane(parameters.ridge_share) * (0.3 + 0.7 * feature(scene.course, "level")),
    ]
    return torch.stack([*shares, *lit], dim=1), seen


def _bodies(scene: Scene, parameters: ImageParameters, *, cover: Tensor, pixel: float) -> Tensor:
    """Return the cover of the bodies, the light on them, and their colour."""
    dome = scene.bodies.clamp(min=0.02).sqrt()
    light = torch.tanh(1.1 * _facing(dome, pixel) * plane(parameters.body_radius))
    return torch.cat(
        [
            torch.stack([cover, 0.22 * _LIGHTNESS_SCALE * cover * light], dim=1),
            _coloured(cover, parameters.accent),
        ],
        dim=1,
    )


def _coloured(cover: Tensor, lab: Tensor) -> Tensor:
    """Return covers (B, H, W) in colours of their own, (B, 3) in OKLab, as (B, 3, H, W) in [-1, 1]."""
    colours = srgb_from_oklab(lab[:, :, None, None]) * 2 - 1
    return cover[:, None] * colours


def _light(height: Tensor, parameters: ImageParameters, pixel: float) -> Tensor:
    """Return the light that grazes a relief: slopes towards it are lit, others in shadow."""
    lit = torch.tanh(0.22 * _facing(height, pixel))
    return plane(parameters.relief) * (lit + 0.6 * lit.clamp(min=0) ** 4)


def _facing(height: Tensor, pixel: float) -> Tensor:
    """Return the slope of a relief towards the light."""
    slope_x, slope_y = gradient(height, pixel=pixel)
    return -(slope_x * math.cos(_LIGHT_ANGLE) + slope_y * math.sin(_LIGHT_ANGLE))
