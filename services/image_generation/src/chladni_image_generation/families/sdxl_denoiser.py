"""The denoisers of Stable Diffusion XL, which take a text and a few numbers about the image.

Podell et al. (2023), "SDXL: Improving latent diffusion models for high-resolution image synthesis",
https://arxiv.org/abs/2307.01952, sections 2.2 (micro-conditioning) and 2.5 (the refiner). That each denoiser
has a range of the noise levels to itself is of Balaji et al. (2022), "eDiff-I",
https://arxiv.org/abs/2211.01324.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

from chladni_image_generation.families.common.defaults import is_guided_by_input
from chladni_image_generation.models.interface import DenoisingStage
from chladni_image_generation.models.schedulers import step_options, timesteps_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from chladni_image_generation.generation import GenerationRequest
    from chladni_image_generation.models.interface import DenoiserRow
    from chladni_image_generation.models.schedulers import SchedulerCatalog

_TOP_LEFT: Final = (0, 0)
"""An image of which nothing was cropped away."""

_AESTHETIC_SCORE, _NEGATIVE_AESTHETIC_SCORE = 6.0, 2.5
"""Aesthetic scores out of 10 that a refiner takes: for the image, and for nothing; as in diffusers."""


class SdxlDenoiser:
    """One denoiser, with the text encoders and schedulers that belong to it.

    Args:
        pipeline: A ``StableDiffusionXLPipeline`` or ``StableDiffusionXLImg2ImgPipeline`` that holds them.
        schedulers: Its schedulers.
        network: Name of the denoiser in stages and rows.
        device: Where it computes.
    """

    def __init__(
        self, pipeline: Any, schedulers: SchedulerCatalog, *, network: str, device: torch.device
    ) -> None:
        self.network = network
        self.schedulers = schedulers
        self._pipeline = pipeline
        self._device = device

    @property
    def takes_guidance_scale(self) -> bool:
        """Whether the denoiser takes the guidance scale, and so needs no second row for guidance."""
        return is_guided_by_input(self._pipeline.unet)

    def stage(
        self,
        request: GenerationRequest,
        scheduler: Any,
        timesteps: Tensor,
        generator: torch.Generator,
        *,
        size_pixels: tuple[int, int],
    ) -> DenoisingStage:
        """Return the stage of a request that this denoiser takes.

        Args:
            request: The request.
            scheduler: One of `schedulers` whose timesteps are set.
            timesteps: (N,), those of the scheduler that are taken.
            generator: Draws what the scheduler needs.
            size_pixels: (height, width) of the image.
        """
        condition, null_condition = self._conditions(request, size_pixels)
        options = step_options(scheduler, generator)
        return DenoisingStage(scheduler, timesteps, condition, null_condition, options, self.network)

    def denoise(self, rows: Sequence[DenoiserRow]) -> Tensor:
        """Return the UNet's output for each row, float32 (B, C, H, W)."""
        unet = self._pipeline.unet
        condition = {name: torch.stack([row.condition[name] for row in rows]) for name in rows[0].condition}
        prediction: Tensor = unet(
            torch.stack([row.latents for row in rows]).to(self._device, unet.dtype),
            torch.stack([row.timestep for row in rows]).to(self._device),
            added_cond_kwargs={name: condition.pop(name) for name in ("text_embeds", "time_ids")},
            **condition,
        ).sample
        return prediction.float()

    def _conditions(
        self, request: GenerationRequest, size_pixels: tuple[int, int]
    ) -> tuple[Mapping[str, Tensor], Mapping[str, Tensor] | None]:
        conditioning = request.conditioning
        has_null = request.is_guided and not self.takes_guidance_scale
        # With no negative prompt the pipeline itself takes what its network learned to mean nothing: zeros or
        # the embedding of an empty text.
        tokens, null_tokens, text, null_text = self._pipeline.encode_prompt(
            conditioning.prompt,
            device=self._device,
            do_classifier_free_guidance=has_null,
            negative_prompt=conditioning.negative_prompt or None,
        )
        numbers, null_numbers = self._numbers(size_pixels)
        guidance = self._embedded_guidance_scale(request.guidance_scale)
        condition = {
            "encoder_hidden_states": tokens[0],
            "text_embeds": text[0],
            "time_ids": tokens.new_tensor(numbers),
            **guidance,
        }
        if not has_null:
            return condition, None
        return condition, {
            "encoder_hidden_states": null_tokens[0],
            "text_embeds": null_text[0],
            "time_ids": tokens.new_tensor(null_numbers),
            **guidance,
        }

    def _numbers(self, size_pixels: tuple[int, int]) -> tuple[Sequence[float], Sequence[float]]:
        """Return the micro-conditioning, and that which stands for nothing.

        The image is said to be as large as it will be, and whole.
        """
        if self._pipeline.config.get("requires_aesthetics_score", False):
            shape = (*size_pixels, *_TOP_LEFT)
            return (*shape, _AESTHETIC_SCORE), (*shape, _NEGATIVE_AESTHETIC_SCORE)
        numbers = (*size_pixels, *_TOP_LEFT, *size_pixels)
        return numbers, numbers

    def _embedded_guidance_scale(self, guidance_scale: float) -> Mapping[str, Tensor]:
        """Return the guidance scale as a denoiser takes it: w = s - 1, embedded as timesteps are.

        Luo et al. (2023), "Latent consistency models", https://arxiv.org/abs/2310.04378.
        """
        if not self.takes_guidance_scale:
            return {}
        unet = self._pipeline.unet
        embedding = self._pipeline.get_guidance_scale_embedding(
            torch.tensor([guidance_scale - 1]), unet.config.time_cond_proj_dim
        )
        return {"timestep_cond": embedding[0].to(self._device, unet.dtype)}


def timesteps_before(timesteps: Tensor, boundary: int) -> Tensor:
    """Return those of a scheduler's timesteps that come before a boundary: the noisier ones.

    Args:
        timesteps: (N,), falling.
        boundary: The first timestep that belongs to the next denoiser lies below it.
    """
    return timesteps[: int((timesteps >= boundary).sum())]


def timesteps_after(scheduler: Any, steps: int, boundary: int) -> Tensor:
    """Return those timesteps of a scheduler that lie below a boundary, and set where it begins.

    Args:
        scheduler: The scheduler, whose timesteps are set here.
        steps: Steps from pure noise on.
        boundary: As above.
    """
    timesteps = timesteps_of(scheduler, steps)
    count = int((timesteps < boundary).sum())
    if getattr(scheduler, "order", 1) == 2 and count % 2 == 0:
        # Each timestep but the first is there twice: a step and its correction, which must not be parted.
        count += 1
    first = len(timesteps) - count
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(first)
    return timesteps[first:]
