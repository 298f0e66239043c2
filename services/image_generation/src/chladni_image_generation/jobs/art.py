"""The art that the image model learns from: abstract pictures of a sound's descriptors.

A picture has a calm ground, a mass of bands or rings that stands where the pitch puts it, a plate's
nodal lines, a few bodies, and light that falls over all of it. The sound decides its parameters
(``art_parameters``), a coarse grid of noise its composition (``noise_grid``). Domain warping follows
Quilez (2002), "Domain warping".
"""

import math

import torch
from torch import Tensor

from chladni_image_generation.jobs.art_parameters import ArtParameters, parameters_from_descriptors
from chladni_image_generation.jobs.bodies import draw_bodies
from chladni_image_generation.jobs.fields import (
    chladni_plate,
    gradient,
    grid_field,
    line_mask,
    pixel_grid,
    plane,
    smooth_step,
)
from chladni_image_generation.jobs.palette import sample_ramp, srgb_from_oklab

_LIGHT_ANGLE = 0.65 * math.pi
"""Light falls from above and a little from the left, where viewers expect it (Ramachandran 1988)."""

_CLOUD_FREQUENCIES = (0.9, 1.1, 1.6, 1.9, 2.6, 3.1, 4.0)
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


def render(embedding: Tensor, grids: Tensor, *, size_pixels: int = 512) -> Tensor:
    """Render one picture for each descriptor embedding.

    Args:
        embedding: (B, 24) descriptor embeddings in [0, 1].
        grids: (B, 4, 8, 8) normal deviates; a picture depends on its own two rows alone.
        size_pixels: height and width.

    Returns:
        float32 (B, 3, H, W) sRGB in [0, 1].

    Raises:
        ValueError: the number of grids differs from the number of embeddings.
    """
    if len(grids) != len(embedding):
        raise ValueError(f"{len(embedding)} embeddings need as many grids, not {len(grids)}")
    sound = parameters_from_descriptors(embedding)
    x, y = pixel_grid(len(grids), size_pixels)
    focus_x, focus_y = _focus(grids)
    across, above = x - plane(focus_x), y - plane(sound.mass_y + focus_y)
    forms = grid_field(grids[:, 0], size_pixels, width=sound.form_width)
    warped_x, warped_y = _warp(across, above, grids, sound)

    mass = _mass(warped_x, warped_y, forms, sound)
    bands = _bands(warped_x, warped_y, forms, grids, sound)
    clouds = _clouds(warped_x, warped_y, grids)
    clean = 1 - 0.75 * plane(sound.cloud)
    height = 0.5 * forms + mass * (0.15 + plane(sound.band_depth) * bands * clean)
    height = height + plane(sound.cloud) * (0.25 + 0.75 * mass) * 0.55 * clouds

    tone = 0.34 + 0.20 * mass + plane(sound.contrast) * 0.36 * height
    lab = sample_ramp(sound.palette, tone)
    lab[:, 0] += _light(height, sound)
    lab[:, 0] += plane(sound.glow) * torch.exp(-1.6 * (across**2 + above**2)) * 1.6
    draw_bodies(lab, grids, sound, _LIGHT_ANGLE)
    _draw_nodal_lines(lab, across, above, mass, sound)
    lab[:, 0] -= plane(sound.vignette) * (0.5 * (x**2 + y**2)) ** 1.5
    lab[:, 0].clamp_(0.03, 0.985)
    return srgb_from_oklab(lab)


def render_each(embedding: Tensor, grids: Tensor, *, size_pixels: int = 512) -> Tensor:
    """The same pictures as `render`, one after the other, so that large ones stay in the cache."""
    pairs = zip(torch.split(embedding, 1), torch.split(grids, 1), strict=True)
    return torch.cat([render(row, grid, size_pixels=size_pixels) for row, grid in pairs])


def _focus(grids: Tensor) -> tuple[Tensor, Tensor]:
    """Where the noise leans to in its last channel: offsets of the focus, within 0.45 and 0.12."""
    ramp = torch.linspace(-1, 1, grids.shape[-1])
    scale = grids.shape[-1] ** 0.5 * ramp.norm()
    rightwards = (grids[:, 3] * ramp).sum(dim=(1, 2)) / scale
    upwards = (grids[:, 3] * -ramp[:, None]).sum(dim=(1, 2)) / scale
    return 0.45 * torch.tanh(rightwards), 0.12 * torch.tanh(upwards)


def _warp(across: Tensor, above: Tensor, grids: Tensor, sound: ArtParameters) -> tuple[Tensor, Tensor]:
    """Bend the plane: gently sideways, and up and down as far as the pitch ranges."""
    width = torch.full_like(sound.swing, 1.3)
    sideways = grid_field(grids[:, 1], across.shape[-1], width=width)
    upwards = grid_field(grids[:, 2], across.shape[-1], width=width)
    return across + plane(sound.drift) * sideways, above + plane(sound.swing) * upwards


def _mass(x: Tensor, y: Tensor, forms: Tensor, sound: ArtParameters) -> Tensor:
    """Where the picture is dense: a lens around the focus, as tall as the pitch range."""
    extent = plane(sound.mass_extent)
    ring = plane(sound.ring_share)
    lens = (y / extent) ** 2 + ring * (x / (extent + 0.35)) ** 2
    return smooth_step(1.35 - lens + 0.25 * forms, 0.0, 1.3)


def _bands(x: Tensor, y: Tensor, forms: Tensor, grids: Tensor, sound: ArtParameters) -> Tensor:
    """Repetition: ribbons for noise-like sound, rings with k-fold symmetry for harmonic sound."""
    angle = torch.atan2(y, x)
    radius = (x**2 + y**2 + 0.01).sqrt()
    petals = 1 + plane(sound.fold_depth) * torch.cos(plane(sound.fold) * angle) * smooth_step(
        radius, 0.05, 0.5
    )
    ribbon = y + 0.10 * forms
    distance = ribbon + (radius * petals - ribbon) * plane(sound.ring_share)
    jag = plane(sound.jag)
    ridges = grid_field(grids[:, 3], x.shape[-1], width=torch.full_like(sound.jag, 0.55)).abs()
    phase = 2 * math.pi * (plane(sound.band_frequency) * distance - 0.55 * jag * ridges)
    smooth = torch.cos(phase)
    sharp = 1 - 1.9 * (smooth.clamp(-1, 1).acos() / math.pi - 0.05).abs()
    return smooth + jag * (sharp - smooth)


def _clouds(x: Tensor, y: Tensor, grids: Tensor) -> Tensor:
    """Waves of rising frequency in turning directions, whose phases follow the noise."""
    width = torch.full((len(grids),), 0.8)
    phases = [grid_field(grid, x.shape[-1], width=width) for grid in grids.unbind(1)]
    total = torch.zeros_like(x)
    for index, frequency in enumerate(_CLOUD_FREQUENCIES):
        cosine, sine = math.cos(index * _GOLDEN_ANGLE), math.sin(index * _GOLDEN_ANGLE)
        along = 2 * math.pi * frequency * (cosine * x + sine * y)
        octave = 0.55 ** (index // 2)
        total = total + octave * torch.sin(along + 2.2 * phases[index % len(phases)] + 0.7 * total)
    return total * 0.5


def _light(height: Tensor, sound: ArtParameters) -> Tensor:
    """Light that grazes the relief from above: slopes towards it are lit, others in shadow."""
    slope_x, slope_y = gradient(height)
    facing = -(slope_x * math.cos(_LIGHT_ANGLE) + slope_y * math.sin(_LIGHT_ANGLE))
    lit = torch.tanh(facing * 0.16)
    return plane(sound.relief) * (lit + 0.5 * lit.clamp(min=0) ** 4)


def _draw_nodal_lines(lab: Tensor, across: Tensor, above: Tensor, mass: Tensor, sound: ArtParameters) -> None:
    """Sand lines of a vibrating plate, fine and light, where the sound is harmonic."""
    plate = chladni_plate(
        across,
        above,
        mode_m=sound.plate_order,
        mode_n=sound.plate_order * 0.5 + 0.45,
        sign=sound.plate_sign,
    )
    line = line_mask(plate, torch.full_like(sound.line_strength, 0.018))
    weight = 0.85 * plane(sound.line_strength) * line * (0.3 + 0.7 * mass)
    target = sound.palette[:, -1, :, None, None]
    lab += weight[:, None] * (target + torch.tensor([0.08, 0.0, 0.0])[None, :, None, None] - lab)
