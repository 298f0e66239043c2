"""One picture from a model that is loaded as the service loads it, without an engine."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chladni_image_generation.audio_conditioned_model import AudioConditionedModel
from chladni_image_generation.model import DenoiserRow


@torch.inference_mode()
def denoise_alone(
    model: AudioConditionedModel, embedding: NDArray[np.float32], *, seed: int, guidance_scale: float
) -> Tensor:
    """Returns the clean latents (C, H, W) of a picture of the native size, by the model's default steps."""
    description = model.description
    scheduler = model.new_scheduler(description.scheduler_names[0])
    scheduler.set_timesteps(description.default_steps)
    shape = description.latent_shape
    latents = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    conditions = [model.encode(embedding, latents)]
    if guidance_scale != 1:
        conditions.append(model.null_condition(shape))
    for timestep in scheduler.timesteps:
        predictions = model.denoise([DenoiserRow(latents, timestep, condition) for condition in conditions])
        conditional, unconditional = predictions[0].cpu(), predictions[-1].cpu()
        prediction = unconditional + guidance_scale * (conditional - unconditional)
        latents = scheduler.step(prediction[None], timestep, latents[None]).prev_sample[0]
    return latents
