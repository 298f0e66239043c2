"""Latents before and beside the denoiser: those an image starts from, and small ones for previews."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from chladni_image_generation.models.schedulers import timesteps_of

if TYPE_CHECKING:
    from torch import Tensor

    from chladni_image_generation.families.common.vae import Vae
    from chladni_image_generation.generation import Conditioning, GenerationRequest
    from chladni_image_generation.models.interface import ModelDescription


def initial_noise(
    conditioning: Conditioning, shape: tuple[int, int, int], generator: torch.Generator
) -> Tensor:
    """Return float32 (C, H, W) noise of unit variance: the seed's, or a blend with given latents.

    Variances of independent parts add up, so x = sqrt(1 - w^2) noise + w latents has unit variance if the
    latents have it. The noise is drawn in any case: what is drawn afterwards does not depend on w.

    Args:
        conditioning: Holds the latents and their weight, if there are any.
        shape: (C, H, W).
        generator: Draws the noise.
    """
    return blended_noise(conditioning, torch.randn(shape, generator=generator))


def blended_noise(conditioning: Conditioning, noise: Tensor) -> Tensor:
    """Return the seed's noise (C, H, W), with the given latents blended in if there are any."""
    if conditioning.initial_latents is None:
        return noise
    weight = conditioning.initial_latents_weight
    latents = torch.from_numpy(conditioning.initial_latents.copy())
    return math.sqrt(1 - weight**2) * noise + weight * latents


def prepare_latents(
    request: GenerationRequest,
    scheduler: Any,
    generator: torch.Generator,
    *,
    description: ModelDescription,
    vae: Vae,
) -> tuple[Tensor, Tensor]:
    """Return the latents (C, H, W) with which a request begins, and the timesteps (N,) that it takes.

    Draws in the order in which the pipelines of diffusers draw, so that a seed gives their images.

    Args:
        request: The request.
        scheduler: Its scheduler, whose timesteps are set here.
        generator: Its generator.
        description: The model.
        vae: Encodes the initial image, if there is one.

    Raises:
        InvalidInputError: The scheduler cannot take so few steps.
    """
    timesteps = timesteps_of(scheduler, request.steps)
    conditioning = request.conditioning
    shape = description.latent_shape_of(request.width_pixels, request.height_pixels, upscale=request.upscale)
    if conditioning.initial_image is None:
        return initial_noise(conditioning, shape, generator) * scheduler.init_noise_sigma, timesteps
    clean = vae.encode(
        conditioning.initial_image,
        generator,
        width_pixels=shape[2] * vae.pixels_per_latent,
        height_pixels=shape[1] * vae.pixels_per_latent,
    )
    timesteps = last_timesteps(scheduler, timesteps, request.steps, conditioning.strength)
    noise = initial_noise(conditioning, shape, generator)
    return scheduler.add_noise(clean[None], noise[None], timesteps[:1])[0], timesteps


def last_timesteps(scheduler: Any, timesteps: Tensor, steps: int, share: float) -> Tensor:
    """Return the last part of a scheduler's timesteps, and tell the scheduler where it begins.

    Args:
        scheduler: The scheduler.
        timesteps: All of them, more than `steps` if it calls the denoiser several times a step.
        steps: Steps that were asked for.
        share: Part of them to take, in (0, 1]; SDEdit's strength (Meng et al. 2022).
    """
    taken = min(int(steps * share), steps)
    first = (steps - taken) * getattr(scheduler, "order", 1)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(first)
    return timesteps[first:]


def shrunk_latents(latents: Tensor, size_pixels: int, *, full_size_pixels: int) -> Tensor:
    """Return latents (C, h, w) of a small image of what latents (C, H, W) show.

    Decoding latents after shrinking them costs as little as the preview is small.

    Args:
        latents: Latents without noise.
        size_pixels: Length of the preview's longer side.
        full_size_pixels: Length of the longer side of the image that the latents decode to.
    """
    shrinkage = min(1.0, size_pixels / full_size_pixels)
    return torch.nn.functional.interpolate(
        latents[None], size=[max(1, round(side * shrinkage)) for side in latents.shape[1:]], mode="area"
    )[0]
