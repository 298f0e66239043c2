"""The noise that an image starts from."""

import math

import torch
from torch import Tensor

from chladni_image_generation.conditioning import Conditioning


def initial_noise(
    conditioning: Conditioning, shape: tuple[int, int, int], generator: torch.Generator
) -> Tensor:
    """Returns float32 (C, H, W) noise of unit variance: the seed's, or a blend with given latents.

    Variances of independent parts add up, so x = sqrt(1 - w^2) noise + w latents has unit variance where the
    latents have it. The noise is drawn in any case: what is drawn afterwards does not depend on w.

    Args:
        conditioning: Holds the latents and their weight, where there are any.
        shape: (C, H, W).
        generator: Draws the noise.
    """
    noise = torch.randn(shape, generator=generator)
    if conditioning.initial_latents is None:
        return noise
    weight = conditioning.initial_latents_weight
    latents = torch.from_numpy(conditioning.initial_latents.copy())
    return math.sqrt(1 - weight**2) * noise + weight * latents
