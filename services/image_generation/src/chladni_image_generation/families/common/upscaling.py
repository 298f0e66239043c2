"""A second denoiser that doubles the sides of an image, in the latents, before they are decoded.

The one of diffusers' ``StableDiffusionLatentUpscalePipeline``: it denoises latents of twice the size under
the small ones, with the preconditioning of Karras et al. (2022), "Elucidating the design space of
diffusion-based generative models", table 1. Any family can add it that has Stable Diffusion's latents.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import torch
from diffusers import StableDiffusionLatentUpscalePipeline

from chladni_image_generation.families.common.defaults import SamplingDefaults, sampling_defaults
from chladni_image_generation.families.common.pipelines import load_pipeline_files, place
from chladni_image_generation.models.files import ModelFilesError
from chladni_image_generation.models.interface import DenoisingStage
from chladni_image_generation.models.references import PartKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from chladni_image_generation.families.common.vae import Vae
    from chladni_image_generation.generation import GenerationRequest
    from chladni_image_generation.models.interface import DenoiserRow
    from chladni_image_generation.models.loading import LoadingOptions, ModelSource

NETWORK: Final = "upscaler"
"""Name of the denoiser in the rows of its steps."""

FACTOR: Final = 2
_USUAL: Final = SamplingDefaults(steps=20, guidance_scale=1.0)
_NOISE_LEVEL_SIZE: Final = 64
_SIMILAR: Final = 1e-4


class Upscaler:
    """A second denoising stage for a family's images.

    Args:
        pipeline: Holds the network, its text encoder and its scheduler.
        steps: Denoising steps, however many the image itself takes.
        device: Where it computes.
    """

    def __init__(self, pipeline: Any, *, steps: int, device: torch.device) -> None:
        self._pipeline = pipeline
        self._steps = steps
        self._device = device

    def stage(self, request: GenerationRequest, generator: torch.Generator) -> DenoisingStage:
        """Return the stage from an image's latents to those of one twice as large.

        It follows the request's texts with the request's guidance scale. Its noise is drawn when it begins.

        Args:
            request: The request.
            generator: Its generator.
        """
        conditioning = request.conditioning
        texts = self._pipeline.encode_prompt(
            conditioning.prompt,
            self._device,
            request.is_guided,
            conditioning.negative_prompt or None,
        )
        prompt, negative, pooled, negative_pooled = texts
        condition = _condition(prompt, pooled)
        null_condition = _condition(negative, negative_pooled) if request.is_guided else None
        scheduler = type(self._pipeline.scheduler).from_config(self._pipeline.scheduler.config)
        noise_levels = _NoiseLevels(scheduler, self._steps)

        def enter(latents: Tensor) -> Tensor:
            """Draw the noise, and add the small latents to the conditions, now that they are there."""
            enlarged = torch.nn.functional.interpolate(latents[None], scale_factor=FACTOR, mode="nearest")[0]
            for taken in (condition, null_condition):
                if taken is not None:
                    taken["small_latents"] = enlarged
            noise = torch.randn(enlarged.shape, generator=generator)
            begun: Tensor = noise * scheduler.init_noise_sigma
            return begun

        return DenoisingStage(
            noise_levels,
            noise_levels.timesteps,
            condition,
            null_condition,
            network=NETWORK,
            enter=enter,
            enlargement=FACTOR,
        )

    def denoise(self, rows: Sequence[DenoiserRow]) -> Tensor:
        """Return what the latents of each row would be without noise, float32 (B, C, H, W)."""
        unet = self._pipeline.unet
        levels = torch.stack([row.timestep for row in rows])[:, None, None, None]
        spread = (levels**2 + 1) ** 0.5
        latents = torch.stack([row.latents for row in rows])
        small_latents = torch.stack([row.condition["small_latents"] for row in rows])
        output = unet(
            torch.cat([latents / spread, small_latents], dim=1).to(self._device, unet.dtype),
            torch.stack([torch.log(row.timestep) * 0.25 for row in rows]).to(self._device),
            encoder_hidden_states=torch.stack([row.condition["encoder_hidden_states"] for row in rows]),
            timestep_cond=torch.stack([row.condition["timestep_cond"] for row in rows]),
        ).sample
        # The last channel is a variance that nothing uses.
        change = output[:, :-1].float().cpu()
        clean: Tensor = 1 / (levels**2 + 1) * latents + levels / spread * change
        return clean


class _NoiseLevels:
    """Euler's schedule by its noise levels, which its network takes too, in place of timesteps.

    It scales no input: the network's preconditioning needs the latents as they are.

    Args:
        scheduler: Euler's, that nothing else uses.
        steps: Steps to take.
    """

    def __init__(self, scheduler: Any, steps: int) -> None:
        scheduler.set_timesteps(steps)
        self.timesteps: Tensor = scheduler.sigmas[:-1]
        self._scheduler = scheduler
        self._steps_done = 0

    def step(self, clean: Tensor, _noise_level: Tensor, latents: Tensor) -> Any:
        """Return the scheduler's outcome of the next step, from what the network says is clean."""
        timestep = self._scheduler.timesteps[self._steps_done]
        self._steps_done += 1
        # The scheduler demands it, and finds its place in the schedule by it.
        self._scheduler.scale_model_input(latents, timestep)
        return self._scheduler.step(clean, timestep, latents)


def load_upscaler(source: ModelSource, options: LoadingOptions, *, vae: Vae) -> Upscaler | None:
    """Return the upscaler that is added to a model; `None` if there is none.

    The model's own autoencoder decodes what it makes; its steps are those of section ``defaults`` of its
    manifest, or 20.

    Args:
        source: The model's files.
        options: Where and how it computes.
        vae: The model's, whose latents must be those that the upscaler takes.

    Raises:
        ModelFilesError: Its files are damaged, or it is made for other latents.
    """
    files = source.additions.get(PartKind.UPSCALER)
    if files is None:
        return None
    _check_latents(files.directory, vae, name=files.id)
    pipeline: Any = load_pipeline_files(StableDiffusionLatentUpscalePipeline, files, source, vae=None)
    place(pipeline, options)
    channels = 2 * vae.latent_channels
    unet = pipeline.unet.config
    condition_size = 2 * _NOISE_LEVEL_SIZE + pipeline.text_encoder.config.hidden_size
    if unet.in_channels != channels or unet.time_cond_proj_dim != condition_size:
        raise ModelFilesError(
            f"Upscaler {files.id!r} takes {unet.in_channels} channels and a condition of "
            f"{unet.time_cond_proj_dim} components, must be {channels} and {condition_size}."
        )
    if not hasattr(pipeline.scheduler, "sigmas"):
        raise ModelFilesError(f"Upscaler {files.id!r} has no scheduler with noise levels, such as Euler's.")
    defaults = sampling_defaults(files, scheduler=pipeline.scheduler, of_family=_USUAL)
    return Upscaler(pipeline, steps=defaults.steps, device=options.device)


def _check_latents(directory: Path, vae: Vae, *, name: str) -> None:
    """Require that an upscaler was trained on such latents as a model's, by its own autoencoder."""
    try:
        config = json.loads((directory / "vae" / "config.json").read_text())
        channels, scaling_factor = config["latent_channels"], config.get("scaling_factor", 0.18215)
    except (OSError, ValueError, KeyError) as error:
        raise ModelFilesError(f"Upscaler {name!r} has no usable vae/config.json.") from error
    is_same = channels == vae.latent_channels and abs(scaling_factor - vae.scaling_factor) < _SIMILAR
    if not is_same:
        raise ModelFilesError(
            f"Upscaler {name!r} is made for latents of {channels} channels scaled by {scaling_factor:g}; the "
            f"model's have {vae.latent_channels}, scaled by {vae.scaling_factor:g}."
        )


def _condition(text: Tensor, pooled: Tensor) -> dict[str, Tensor]:
    """Return what the network takes beside latents: a text, and that the small latents got no noise."""
    no_noise = [torch.ones(_NOISE_LEVEL_SIZE), torch.zeros(_NOISE_LEVEL_SIZE)]
    return {
        "encoder_hidden_states": text[0],
        "timestep_cond": torch.cat([part.to(pooled) for part in no_noise] + [pooled[0]]),
    }
