"""A denoiser of Stable Diffusion's size and shape with random weights, as a model for the engine.

What a step costs depends on shapes and not on weights. There is no autoencoder: an "image" is the bits of
the finished latents, so that comparing images compares latents to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import diffusers
import numpy as np
import torch
from diffusers import UNet2DConditionModel
from numpy.typing import NDArray
from torch import Tensor

from chladni_image_generation.generation import GenerationRequest
from chladni_image_generation.models.interface import (
    DenoiserRow,
    DenoisingStage,
    EmbeddingSpace,
    GenerationPlan,
    ImageSizes,
    ModelDescription,
)
from chladni_image_generation.models.schedulers import step_options, timesteps_of

EMBEDDING_SIZE: Final = 152
_PIXELS_PER_LATENT: Final = 8
_LATENT_CHANNELS: Final = 4
_TOKEN_COUNT: Final = 77
_SCHEDULERS: Final = (
    "DDIMScheduler",
    "PNDMScheduler",
    "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler",
    "DPMSolverMultistepScheduler",
    "UniPCMultistepScheduler",
)
_NOISE_SCHEDULE: Final = {
    "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DenoiserShape:
    """The size of a Stable Diffusion UNet.

    Attributes:
        channels: Channels of its levels.
        heads: Attention heads.
        token_width: Width of the conditioning.
        latent_side: Height and width of the latents.
    """

    channels: tuple[int, int, int, int]
    heads: int
    token_width: int
    latent_side: int


STABLE_DIFFUSION_1_5: Final = DenoiserShape((320, 640, 1280, 1280), 8, 768, 64)
"""860 million parameters; latents of 512x512 pixels."""


class UntrainedStableDiffusion:
    """A model of random weights; see `LatentDiffusionModel` for what its methods promise.

    Args:
        shape: Size of the denoiser.
        device: Where it computes.
        dtype: Numeric type.
    """

    def __init__(self, shape: DenoiserShape, *, device: torch.device, dtype: torch.dtype) -> None:
        side_pixels = shape.latent_side * _PIXELS_PER_LATENT
        self.device, self.dtype = device, dtype
        self.description = ModelDescription(
            id="untrained-stable-diffusion",
            digest="0" * 64,
            description="A denoiser of random weights.",
            license="",
            family="stable-diffusion",
            inputs=frozenset({"audio_embedding"}),
            required_inputs=frozenset({"audio_embedding"}),
            embedding_space=EmbeddingSpace("none", EMBEDDING_SIZE),
            latent_shape=(_LATENT_CHANNELS, shape.latent_side, shape.latent_side),
            image_size_pixels=(side_pixels, side_pixels),
            sizes=ImageSizes(side_pixels, side_pixels, _PIXELS_PER_LATENT),
            default_steps=20,
            default_guidance_scale=7.5,
            scheduler_names=_SCHEDULERS,
        )
        self._token_width = shape.token_width
        with torch.random.fork_rng(), device:
            torch.manual_seed(0)
            denoiser = UNet2DConditionModel(
                sample_size=shape.latent_side,
                in_channels=_LATENT_CHANNELS,
                out_channels=_LATENT_CHANNELS,
                block_out_channels=shape.channels,
                cross_attention_dim=shape.token_width,
                attention_head_dim=shape.heads,
            )
        self._denoiser = denoiser.to(dtype=dtype, memory_format=torch.channels_last).eval()

    def plan(self, request: GenerationRequest, generator: torch.Generator) -> GenerationPlan:
        """Return the way from noise, under tokens that follow from the embedding."""
        scheduler = self._new_scheduler(request.scheduler)
        timesteps = timesteps_of(scheduler, request.steps)
        noise = torch.randn(self.description.latent_shape, generator=generator)
        stage = DenoisingStage(
            scheduler,
            timesteps,
            self._tokens_for(request),
            self._condition(torch.zeros(_TOKEN_COUNT, self._token_width)) if request.is_guided else None,
            step_options(scheduler, generator),
        )
        return GenerationPlan(noise * scheduler.init_noise_sigma, (stage,))

    def denoise(self, rows: Sequence[DenoiserRow]) -> Tensor:
        """Return the predicted noise of each row, float32 (B, C, H, W)."""
        prediction: Tensor = self._denoiser(
            torch.stack([row.latents for row in rows])
            .to(self.device, self.dtype)
            .contiguous(memory_format=torch.channels_last),
            torch.stack([row.timestep for row in rows]).to(self.device),
            encoder_hidden_states=torch.stack([row.condition["encoder_hidden_states"] for row in rows]),
        ).sample
        return prediction.float()

    def decode(self, latents: Tensor) -> NDArray[np.uint8]:
        """Return the bits of latents (B, C, H, W) as something of the form of images."""
        values = np.ascontiguousarray(latents.float().cpu().numpy())
        batch_size, _, height, _ = values.shape
        bits = values.view(np.uint8).reshape(batch_size, height, -1)
        padding = -bits.shape[2] % 3
        return np.pad(bits, ((0, 0), (0, 0), (0, padding))).reshape(batch_size, height, -1, 3)

    def preview(self, latents: Tensor, size_pixels: int) -> NDArray[np.uint8]:
        """Return the bits of latents (C, H, W) likewise."""
        del size_pixels
        image: NDArray[np.uint8] = self.decode(latents[None])[0]
        return image

    def _new_scheduler(self, name: str) -> Any:
        """Return a scheduler that no other request uses."""
        options = {"skip_prk_steps": True} if name == "PNDMScheduler" else {}  # as Stable Diffusion has it
        return getattr(diffusers, name)(**_NOISE_SCHEDULE, **options)

    def _tokens_for(self, request: GenerationRequest) -> dict[str, Tensor]:
        embedding = request.conditioning.required_audio_embedding
        generator = torch.Generator().manual_seed(int(embedding.view(np.uint32).sum()))
        return self._condition(torch.randn(_TOKEN_COUNT, self._token_width, generator=generator))

    def _condition(self, tokens: Tensor) -> dict[str, Tensor]:
        return {"encoder_hidden_states": tokens.to(self.device, self.dtype)}
