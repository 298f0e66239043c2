"""Where the way to an image begins: at noise, or at an image with noise over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chladni_image_generation.engine.initial_noise import initial_noise
from chladni_image_generation.models.schedulers import timesteps_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from chladni_image_generation.families.common.vae import Vae
    from chladni_image_generation.generation import GenerationRequest
    from chladni_image_generation.models.interface import ModelDescription


def begin(
    request: GenerationRequest,
    scheduler: Any,
    generator: torch.Generator,
    *,
    description: ModelDescription,
    vae: Vae,
) -> tuple[Tensor, Tensor]:
    """Returns the latents (C, H, W) with which a request begins, and the timesteps (N,) that it takes.

    Draws in the order in which the pipelines of diffusers draw, so that a seed gives their images.

    Args:
        request: The request.
        scheduler: Its scheduler, whose timesteps are set here.
        generator: Its generator.
        description: The model.
        vae: Encodes the initial image, where there is one.

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
    """Returns the last part of a scheduler's timesteps, and tells the scheduler where it begins.

    Args:
        scheduler: The scheduler.
        timesteps: All of them, more than `steps` where it calls the denoiser several times a step.
        steps: Steps that were asked for.
        share: Part of them to take, in (0, 1]; SDEdit's strength (Meng et al. 2022).
    """
    taken = min(int(steps * share), steps)
    first = (steps - taken) * getattr(scheduler, "order", 1)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(first)
    return timesteps[first:]
