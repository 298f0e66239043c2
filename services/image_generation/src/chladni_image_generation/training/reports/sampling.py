"""Images from the trained model, by the same stock scheduler that the service uses."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from diffusers import AutoencoderDC, FlowMatchEulerDiscreteScheduler, UNet2DConditionModel
from torch import Tensor

from chladni_image_generation.families.embedded.conditioning import (
    Condition,
    encode_condition,
    null_condition,
)
from chladni_image_generation.families.embedded.noise_grid import grids_of_noise
from chladni_image_generation.models.schedulers import velocity_of
from chladni_image_generation.training.autoencoder import (
    DOWNSAMPLING,
    LATENT_CHANNELS,
    decode_latents,
)


@dataclass(frozen=True)
class ImageModel:
    """The three parts that make an image."""

    denoiser: UNet2DConditionModel
    autoencoder: AutoencoderDC
    scheduler: FlowMatchEulerDiscreteScheduler


@dataclass(frozen=True)
class SamplingDefaults:
    """How an image is made by default; a guidance scale of 1 is none at all."""

    steps: int
    guidance_scale: float = 1.0
    size_pixels: int = 512


def initial_noise(seeds: list[int], size_pixels: int) -> Tensor:
    """Return (B, 4, h, h) white noise that the images of these seeds start from."""
    side = size_pixels // DOWNSAMPLING
    shape = (1, LATENT_CHANNELS, side, side)
    return torch.cat([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


@torch.no_grad()
def sample_images(model: ImageModel, embedding: Tensor, noise: Tensor, defaults: SamplingDefaults) -> Tensor:
    """Return (B, 3, 8 h, 8 h) images in [0, 1] of (B, 152) embeddings and (B, 4, h, h) noise, one by one."""
    pairs = zip(torch.split(embedding, 1), torch.split(noise, 1), strict=True)
    return torch.cat([_sample_one(model, row, start, defaults) for row, start in pairs])


def _sample_one(model: ImageModel, embedding: Tensor, latents: Tensor, defaults: SamplingDefaults) -> Tensor:
    scheduler = copy.deepcopy(model.scheduler)
    scheduler.set_timesteps(defaults.steps)
    height, width = latents.shape[2:]
    condition = encode_condition(embedding, grids_of_noise(latents), height=height, width=width)
    nothing = null_condition(1, height=height, width=width)
    for timestep in scheduler.timesteps:
        velocity = _velocity(model, latents, timestep, condition)
        if defaults.guidance_scale != 1:
            unconditional = _velocity(model, latents, timestep, nothing)
            velocity = unconditional + defaults.guidance_scale * (velocity - unconditional)
        latents = scheduler.step(velocity, timestep, latents).prev_sample
    return decode_latents(model.autoencoder, latents)


def _velocity(model: ImageModel, latents: Tensor, timestep: Tensor, condition: Condition) -> Tensor:
    estimate: Tensor = model.denoiser(
        torch.cat([latents, condition.guide], dim=1),
        timestep,
        encoder_hidden_states=None,
        class_labels=condition.class_labels,
    ).sample
    return velocity_of(latents, estimate, timestep / model.scheduler.config.num_train_timesteps)
