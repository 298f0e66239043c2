"""The art that the image model learns from: abstract images of a sound's descriptors.

A vibrating plate with its nodal lines and rings stands over a landscape whose ridges follow the course
of the sound; ribbons follow its pitch, bodies its onsets, and light falls over all of it. How much of
each there is, is the sound's (`correspondences`); where it stands too (`scene`). A coarse grid of noise
bends the plane, gathers clouds and moves the lights (`bending`), so that each seed has an image of its
own.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from chladni_image_generation.families.embedded.correspondences import (
    ImageParameters,
    parameters_from_descriptors,
)
from chladni_image_generation.families.embedded.fields import (
    gradient,
    line_mask,
    pixel_grid,
    plane,
    smooth_step,
)
from chladni_image_generation.families.embedded.palette import sample_ramp, srgb_from_oklab
from chladni_image_generation.families.embedded.scene import (
    RIDGE_COUNT,
    Scene,
    bent_scene,
    feature,
    gather_clouds,
    noise_fields,
)

_LIGHT_ANGLE = 0.65 * math.pi
"""Light falls from above and a little from the left, where viewers expect it (Ramachandran 1988)."""


def render(embedding: Tensor, grids: Tensor, *, size_pixels: int = 512) -> Tensor:
    """Render one image for each descriptor embedding.

    Args:
        embedding: (B, 152) descriptor embeddings in [0, 1].
        grids: (B, 4, 8, 8) normal deviates; an image depends on its own two rows alone.
        size_pixels: height and width.

    Returns:
        float32 (B, 3, H, W) sRGB in [0, 1].

    Raises:
        ValueError: the number of grids differs from the number of embeddings.
    """
    if len(grids) != len(embedding):
        raise ValueError(f"{len(embedding)} embeddings need as many grids, not {len(grids)}")
    parameters = parameters_from_descriptors(embedding)
    fields = noise_fields(grids, size_pixels, size_pixels)
    noise = list(fields.unbind(1))
    scene = bent_scene(parameters, fields)
    x, y = pixel_grid(len(grids), size_pixels, size_pixels)
    clouds = gather_clouds(x, y, fields)

    lab = _sky(scene, y, noise, clouds, parameters)
    _render_plate(lab, scene, noise, parameters)
    _render_ribbon(lab, scene, noise, parameters)
    _render_ridges(lab, scene, noise, clouds, parameters)
    _render_bodies(lab, scene, parameters)
    _tint_by_key(lab, scene, parameters)
    lab[:, 0] += plane(parameters.glow) * torch.exp(-2.2 * (scene.across**2 + scene.above**2)) * 1.2
    lab[:, 0] -= plane(parameters.vignette) * (0.5 * (x**2 + y**2)) ** 1.5
    lab[:, 0].clamp_(0.03, 0.985)
    return srgb_from_oklab(lab)


def render_each(embedding: Tensor, grids: Tensor, *, size_pixels: int = 512) -> Tensor:
    """Render the same images as `render`, one after the other, so that large ones stay in the cache."""
    pairs = zip(torch.split(embedding, 1), torch.split(grids, 1), strict=True)
    return torch.cat([render(row, grid, size_pixels=size_pixels) for row, grid in pairs])


def _sky(scene: Scene, y: Tensor, noise: list[Tensor], clouds: Tensor, parameters: ImageParameters) -> Tensor:
    """Return the ground of the image: dark above, lighter towards the horizon, clouds by the flatness."""
    horizon = torch.exp(-1.8 * (y - 0.75 * plane(parameters.mass_y)) ** 2)
    contrast = plane(parameters.contrast)
    tone = 0.16 + 0.26 * horizon * (0.4 + 0.6 * contrast) + 0.05 * noise[2] * contrast
    tone = tone + plane(parameters.cloud * parameters.contrast) * 0.26 * clouds
    sky = sample_ramp(parameters.palette, tone + plane(parameters.cell_share) * 0.16 * scene.cells)
    sky[:, 0] += plane(parameters.cell_share) * _light(0.20 * scene.cells, parameters)
    # Where the noise lets them, the cells hold a spark each.
    spark = smooth_step(scene.cells + 0.12 * noise[3], 0.82, 1.0) * plane(parameters.cell_share) * horizon
    sky[:, 0] += 0.35 * spark
    return sky


def _render_plate(lab: Tensor, scene: Scene, noise: list[Tensor], parameters: ImageParameters) -> None:
    """Paint rings and the figure as a relief, in the palette's colours, with sand on the nodal lines."""
    share = plane(parameters.plate_share)
    level = feature(scene.ring_course, "level")
    rings = torch.cos(2 * math.pi * scene.ring_phase)
    extent = 0.55 + 0.55 * plane(parameters.mass_extent)
    distance = (scene.across**2 + scene.above**2).sqrt() - extent - 0.10 * noise[3]
    cover = share * (1 - smooth_step(distance, -0.10, 0.10))
    height = 0.85 * scene.figure + 0.30 * plane(parameters.band_depth) * level * rings
    tone = 0.46 + plane(parameters.contrast) * 0.46 * torch.tanh(1.3 * height) + 0.05 * noise[2]
    plate = sample_ramp(parameters.palette, tone)
    plate[:, 0] += _light(height, parameters)
    lab += cover[:, None] * (plate - lab)
    rim = share * torch.exp(-((distance / 0.022) ** 2))
    lab[:, 0] += 0.22 * rim * plane(parameters.contrast)
    contours = line_mask(torch.sin(3 * math.pi * scene.figure), torch.full_like(parameters.jag, 0.007))
    lab[:, 0] += 0.16 * cover * contours * plane(parameters.line_strength)
    line = line_mask(scene.figure, torch.full_like(parameters.jag, 0.013))
    halo = line_mask(scene.figure, torch.full_like(parameters.jag, 0.050))
    reach = 0.25 + 0.75 * (1 - smooth_step(distance, -0.05, 0.25))
    weight = plane(parameters.line_strength * parameters.plate_share) * reach
    sand = parameters.palette[:, -1, :, None, None] + torch.tensor([0.10, 0.0, 0.0])[None, :, None, None]
    lab += (weight * (0.80 * line + 0.22 * halo))[:, None] * (sand - lab)


def _render_ribbon(lab: Tensor, scene: Scene, noise: list[Tensor], parameters: ImageParameters) -> None:
    """Paint a curtain of light over the course of the pitch, bright at its hem and folded into threads."""
    height = scene.ribbon + 0.55 * noise[2]
    hem = torch.exp(-(height**2) * 1.4)
    curtain = torch.exp(-height.clamp(min=0) / 2.6) * smooth_step(height, -0.35, 0.35)
    folds = 0.62 + 0.38 * torch.cos(2 * math.pi * (0.9 * height + 0.35 * noise[3]))
    strength = plane(parameters.ribbon_share) * (0.25 + 0.75 * feature(scene.course, "level"))
    light = strength * (0.75 * hem + 0.55 * curtain * folds)
    lab += light.clamp(0, 0.92)[:, None] * (parameters.accent[:, :, None, None] - lab)
    lab[:, 0] += 0.26 * strength * hem


def _render_ridges(
    lab: Tensor, scene: Scene, noise: list[Tensor], clouds: Tensor, parameters: ImageParameters
) -> None:
    """Paint the landscape, far to near: each ridge lit along its edge, banded inside, mist at its foot."""
    for index in range(RIDGE_COUNT):
        above = scene.ridges[:, index] - 0.085 * noise[index]
        nearness = index / (RIDGE_COUNT - 1)
        edge = 0.006 + plane(parameters.body_softness - 0.06) * 0.12
        cover = torch.sigmoid(-above / edge * 1.7)
        depth = (-above).clamp(min=0)
        bands = torch.cos(2 * math.pi * (1.1 * plane(parameters.band_frequency) * depth + 0.25 * noise[3]))
        tone = 0.60 - 0.38 * nearness + 0.05 * noise[(index + 2) % 4]
        tone = tone + plane(parameters.contrast * parameters.band_depth) * 0.15 * bands * torch.exp(
            -1.5 * depth
        )
        tone = tone + plane(parameters.contrast) * 0.30 * torch.exp(-depth / 0.10)
        tone = tone - 0.10 * smooth_step(depth, 0.0, 0.6)
        tone = tone + plane(parameters.cloud) * 0.14 * clouds
        land = sample_ramp(parameters.palette, tone)
        land[:, 0] += 0.5 * _light(0.25 * bands * torch.exp(-1.5 * depth) - 0.5 * depth, parameters)
        lab += cover[:, None] * (land - lab)
        rim = torch.exp(-((above / 0.012) ** 2)) * plane(parameters.contrast * parameters.ridge_share)
        lab[:, 0] += 0.20 * rim * (0.3 + 0.7 * feature(scene.course, "level"))


def _render_bodies(lab: Tensor, scene: Scene, parameters: ImageParameters) -> None:
    """Paint moons lit from the light's side, each with a halo and a soft shadow."""
    inside = scene.bodies
    cover = torch.sigmoid(inside / plane(0.05 + 2.0 * (parameters.body_softness - 0.06)) * 1.5)
    dome = inside.clamp(min=0.02).sqrt()
    slope_x, slope_y = gradient(dome)
    facing = -(slope_x * math.cos(_LIGHT_ANGLE) + slope_y * math.sin(_LIGHT_ANGLE)) * plane(
        parameters.body_radius
    )
    halo = torch.exp(inside.clamp(max=0) * 1.1) * (inside > -2.95)
    lab += (0.30 * halo * (1 - cover))[:, None] * (parameters.accent[:, :, None, None] - lab)
    body = parameters.accent[:, :, None, None].repeat(1, 1, *inside.shape[1:])
    body[:, 0] += 0.22 * torch.tanh(1.1 * facing) + 0.12 * smooth_step(inside, 0.3, 1.0) - 0.06
    body[:, 1:] *= (1 - 0.35 * smooth_step(inside, 0.2, 1.0))[:, None]
    lab += cover[:, None] * (body - lab)


def _tint_by_key(lab: Tensor, scene: Scene, parameters: ImageParameters) -> None:
    """Move the hue with the key as time goes by: by its distance from the mean key, in the a-b plane."""
    key = torch.stack([feature(scene.course, "tonal_x"), feature(scene.course, "tonal_y")], dim=1)
    change = key - key.mean(dim=(2, 3), keepdim=True)
    lab[:, 1:] += (
        0.16 * change * plane(parameters.contrast)[:, None] * smooth_step(lab[:, 0], 0.1, 0.6)[:, None]
    )


def _light(height: Tensor, parameters: ImageParameters) -> Tensor:
    """Return light that grazes a relief from above: slopes towards it are lit, others in shadow."""
    slope_x, slope_y = gradient(height)
    facing = -(slope_x * math.cos(_LIGHT_ANGLE) + slope_y * math.sin(_LIGHT_ANGLE))
    lit = torch.tanh(facing * 0.22)
    return plane(parameters.relief) * (lit + 0.6 * lit.clamp(min=0) ** 4)
