"""How the noise bends an image: smooth fields through its grid, and the plane that they warp."""

import math
from typing import Final

import torch
from torch import Tensor

from chladni_image_generation.families.embedded.correspondences import ImageParameters
from chladni_image_generation.families.embedded.fields import grid_field, pixel_grid
from chladni_image_generation.families.embedded.scene import Scene, lay_out

_BLURS: Final = (1.2, 1.2, 0.9, 0.7)
"""Of the fields that bend the plane to the right and upwards, and of those that gather forms and light."""

_WARP: Final = 0.055
_CLOUD_FREQUENCIES: Final = (0.9, 1.1, 1.6, 1.9, 2.6, 3.1)
_GOLDEN_ANGLE: Final = math.pi * (3 - math.sqrt(5))


def noise_fields(grids: Tensor, height: int, width: int) -> Tensor:
    """(B, 4, 8, 8) grids to the smooth fields through them: (B, 4, H, W), of unit variance."""
    fields = [
        grid_field(grid, height, width, blur=blur) for grid, blur in zip(grids.unbind(1), _BLURS, strict=True)
    ]
    return torch.stack(fields, dim=1)


def bent_scene(sound: ImageParameters, noise: Tensor) -> Scene:
    """The scene of B sounds on a plane bent by their (B, 4, H, W) noise fields.

    Domain warping follows Quilez (2002), "Domain warping".
    """
    height, width = noise.shape[2:]
    x, y = (axis.to(noise.device) for axis in pixel_grid(len(noise), height, width))
    half_width = max(width / height, 1.0)
    return lay_out(sound, x + _WARP * noise[:, 0], y + _WARP * noise[:, 1], half_width=half_width)


def gather_clouds(x: Tensor, y: Tensor, noise: Tensor) -> Tensor:
    """Waves of rising frequency in turning directions, whose phases follow the noise."""
    total = torch.zeros_like(x)
    for index, frequency in enumerate(_CLOUD_FREQUENCIES):
        cosine, sine = math.cos(index * _GOLDEN_ANGLE), math.sin(index * _GOLDEN_ANGLE)
        along = 2 * math.pi * frequency * (cosine * x + sine * y)
        octave = 0.6 ** (index // 2)
        total = total + octave * torch.sin(along + 2.0 * noise[:, index % noise.shape[1]] + 0.6 * total)
    return total * 0.5
