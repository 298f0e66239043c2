"""One image from a model that is loaded as the service loads it, without an engine."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from chladni_image_generation.engine.sampler import Sampler
from chladni_image_generation.generation import Conditioning, GenerationRequest
from chladni_image_generation.models.interface import LatentDiffusionModel


@torch.inference_mode()
def denoise_alone(
    model: LatentDiffusionModel,
    embedding: NDArray[np.float32],
    *,
    seed: int,
    guidance_scale: float,
    look: str = "",
) -> Sampler:
    """Return the sampler of an image of the native size, after all of the model's default steps."""
    description = model.description
    width_pixels, height_pixels = description.image_size_pixels
    request = GenerationRequest(
        conditioning=Conditioning(audio_embedding=embedding),
        seed=seed,
        steps=description.default_steps,
        guidance_scale=guidance_scale,
        scheduler=description.scheduler_names[0],
        width_pixels=width_pixels,
        height_pixels=height_pixels,
        look=look,
    )
    sampler = Sampler(model, request)
    while not sampler.is_denoised:
        sampler.advance(list(model.denoise(sampler.rows())))
    return sampler
