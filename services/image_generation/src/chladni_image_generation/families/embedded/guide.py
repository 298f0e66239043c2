"""The guide: where the things of an image stand, as planes at the resolution of the latents.

A convolutional denoiser finds it hard to place things by numbers alone, and easy to paint what it sees.
So it is shown the sound's own scene, bent as the noise will have it, like the layouts and edge maps of
Zhang et al. (2023, "Adding conditional control to text-to-image diffusion models").
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from chladni_contract.descriptor_space import TEMPORAL_FEATURES
from chladni_image_generation.families.embedded.correspondences import ImageParameters
from chladni_image_generation.families.embedded.fields import pixel_grid
from chladni_image_generation.families.embedded.noise_grid import GRID_CHANNELS
from chladni_image_generation.families.embedded.scene import (
    RIDGE_COUNT,
    Placement,
    bent_scene,
    gather_clouds,
    noise_fields,
)

_COORDINATE_PLANES: Final = 4
_FIELD_PLANES: Final = 7
GUIDE_CHANNELS: Final = (
    _COORDINATE_PLANES + 2 * len(TEMPORAL_FEATURES) + _FIELD_PLANES + 2 * RIDGE_COUNT + GRID_CHANNELS
)

_NEAR: Final = 0.12
"""Height, in half images, within which a ridge is shown finely."""


def draw_guide(
    parameters: ImageParameters,
    grids: Tensor,
    *,
    height: int,
    width: int,
    placement: Placement | None = None,
) -> Tensor:
    """Draw the guides of B sounds and of the noise that bends their images.

    Args:
        parameters: what the sounds decide.
        grids: (B, 4, 8, 8), what the noise decides (`noise_grid`).
        height: of the latents.
        width: of the latents.
        placement: where the segments of a moving course stand; `None` if sixteen fill the image.

    Returns:
        float32 (B, `GUIDE_CHANNELS`, height, width), about unit scale.
    """
    noise = noise_fields(grids, height, width)
    x, y = (axis.to(noise.device) for axis in pixel_grid(len(noise), height, width))
    scene = bent_scene(parameters, noise, placement=placement)
    phase = 2 * math.pi * scene.ring_phase
    planes = [
        x,
        y,
        scene.above,
        (scene.across**2 + scene.above**2).sqrt(),
        scene.figure,
        phase.cos(),
        phase.sin(),
        torch.tanh(scene.ribbon / 2),
        scene.cells,
        scene.bodies / 3,
        gather_clouds(x, y, noise),
    ]
    stacks = [
        2 * scene.course - 1,
        2 * scene.ring_course - 1,
        scene.ridges,
        torch.tanh(scene.ridges / _NEAR),
        noise,
    ]
    return torch.cat([torch.stack(planes, dim=1), *stacks], dim=1)
