"""Stable Diffusion 1 and 2, their distilled variants (Turbo, LCM), with text and from images.

Rombach et al. (2022), "High-resolution image synthesis with latent diffusion models". Which steps and which
guidance a distilled checkpoint gets by default, and how it is recognised, is in `defaults`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from diffusers import StableDiffusionPipeline

from chladni_image_generation.families.common.defaults import (
    SamplingDefaults,
    is_guided_by_input,
    sampling_defaults,
)
from chladni_image_generation.families.common.latents import prepare_latents
from chladni_image_generation.families.common.pipelines import licence_of, load_pipeline, text_reader
from chladni_image_generation.families.common.safety import load_safety_checker
from chladni_image_generation.families.common.upscaling import FACTOR, NETWORK, load_upscaler
from chladni_image_generation.families.common.vae import load_vae
from chladni_image_generation.models.interface import (
    DenoisingStage,
    GenerationPlan,
    ImageSizes,
    ModelDescription,
)
from chladni_image_generation.models.references import PartKind
from chladni_image_generation.models.schedulers import SchedulerCatalog, step_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from chladni_image_generation.families.common.safety import SafetyChecker
    from chladni_image_generation.families.common.upscaling import Upscaler
    from chladni_image_generation.families.common.vae import Vae
    from chladni_image_generation.generation import GenerationRequest
    from chladni_image_generation.models.interface import DenoiserRow
    from chladni_image_generation.models.loading import LoadingOptions, ModelSource

FAMILY: Final = "stable-diffusion"
_USUAL: Final = SamplingDefaults(steps=50, guidance_scale=7.5)


class StableDiffusionModel:
    """A loaded model of this family; see `LatentDiffusionModel` for what its methods promise.

    Args:
        description: What the model is.
        pipeline: Holds its networks and encodes text.
        vae: Between pixels and latents.
        schedulers: Its schedulers.
        device: Where it computes.
        upscaler: Enlarges its images; `None` for none.
        safety_checker: Objects to images; `None` for none.
    """

    def __init__(
        self,
        *,
        description: ModelDescription,
        pipeline: StableDiffusionPipeline,
        vae: Vae,
        schedulers: SchedulerCatalog,
        device: torch.device,
        upscaler: Upscaler | None = None,
        safety_checker: SafetyChecker | None = None,
    ) -> None:
        self.description = description
        self.device = device
        self.dtype: torch.dtype = pipeline.unet.dtype
        self.pipeline = pipeline
        self._vae = vae
        self._schedulers = schedulers
        self._upscaler = upscaler
        self._safety_checker = safety_checker

    def plan(self, request: GenerationRequest, generator: torch.Generator) -> GenerationPlan:
        """Return the way from noise, or from the initial image, to what the prompt says."""
        scheduler = self._schedulers.new(request.scheduler)
        condition, null_condition = self._conditions(request)
        latents, timesteps = prepare_latents(
            request,
            scheduler,
            generator,
            description=self.description,
            vae=self._vae,
        )
        stage = DenoisingStage(
            scheduler, timesteps, condition, null_condition, step_options(scheduler, generator)
        )
        if request.upscale == 1:
            return GenerationPlan(latents, (stage,))
        if self._upscaler is None:
            raise ValueError("this model has no upscaler")
        return GenerationPlan(latents, (stage, self._upscaler.stage(request, generator)))

    def denoise(self, rows: Sequence[DenoiserRow]) -> Tensor:
        """Return the UNet's output for each row, float32 (B, C, H, W); the upscaler's for its rows."""
        if rows[0].network == NETWORK and self._upscaler is not None:
            return self._upscaler.denoise(rows)
        condition = {name: torch.stack([row.condition[name] for row in rows]) for name in rows[0].condition}
        prediction: Tensor = self.pipeline.unet(
            torch.stack([row.latents for row in rows]).to(self.device, self.dtype),
            torch.stack([row.timestep for row in rows]).to(self.device),
            **condition,
        ).sample
        return prediction.float()

    def decode(self, latents: Tensor) -> NDArray[np.uint8]:
        """Return the RGB pixels (B, height, width, 3) of latents (B, C, H, W) without noise.

        Raises:
            ImagesWithheldError: The safety checker objects to one of the images.
        """
        return self._checked(self._vae.decode(latents))

    def preview(self, latents: Tensor, size_pixels: int) -> NDArray[np.uint8]:
        """Return RGB pixels (h, w, 3) of a small image of what latents (C, H, W) show.

        Raises:
            ImagesWithheldError: The safety checker objects to it.
        """
        image = self._vae.preview(latents, size_pixels)
        self._checked(image[None])
        return image

    def _checked(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._safety_checker is not None:
            self._safety_checker.check(images)
        return images

    def _conditions(
        self, request: GenerationRequest
    ) -> tuple[Mapping[str, Tensor], Mapping[str, Tensor] | None]:
        unet = self.pipeline.unet
        conditioning = request.conditioning
        has_two_rows = request.is_guided and not is_guided_by_input(unet)
        prompt, negative = self.pipeline.encode_prompt(
            conditioning.prompt,
            self.device,
            1,
            has_two_rows,
            negative_prompt=conditioning.negative_prompt or None,
        )
        condition = {"encoder_hidden_states": prompt[0]}
        if is_guided_by_input(unet):
            # Luo et al. (2023), "Latent consistency models": w = s - 1 is embedded as timesteps are.
            scale = torch.tensor([request.guidance_scale - 1])
            embedded = self.pipeline.get_guidance_scale_embedding(scale, unet.config.time_cond_proj_dim)
            condition["timestep_cond"] = embedded[0].to(prompt)
        return condition, {"encoder_hidden_states": negative[0]} if has_two_rows else None


def load(source: ModelSource, options: LoadingOptions) -> StableDiffusionModel:
    """Load a model of this family.

    Raises:
        ModelFilesError: Files are missing, damaged or of another family, or an addition does not fit.
    """
    source.refuse_additions(PartKind.UPSCALER, PartKind.TINY_DECODER)
    pipeline: Any = load_pipeline(
        StableDiffusionPipeline,
        source,
        options,
        safety_checker=None,
        feature_extractor=None,
        image_encoder=None,
        requires_safety_checker=False,
    )
    return assemble(pipeline, source, options)


def assemble(pipeline: Any, source: ModelSource, options: LoadingOptions) -> StableDiffusionModel:
    """Return a model around a pipeline, of this family or of one that builds on it.

    Args:
        pipeline: In place; with the text encoder, UNet, autoencoder and scheduler of this family.
        source: The model's files.
        options: Where and how it computes.

    Raises:
        ModelFilesError: An addition is damaged or does not fit.
    """
    vae = load_vae(pipeline.vae, source, options)
    schedulers = SchedulerCatalog(pipeline.scheduler)
    upscaler = load_upscaler(source, options, vae=vae)
    return StableDiffusionModel(
        description=describe(pipeline, source, vae, schedulers, upscales=(1, FACTOR) if upscaler else (1,)),
        pipeline=pipeline,
        vae=vae,
        schedulers=schedulers,
        device=options.device,
        upscaler=upscaler,
        safety_checker=load_safety_checker(source, options),
    )


def describe(
    pipeline: Any,
    source: ModelSource,
    vae: Vae,
    schedulers: SchedulerCatalog,
    *,
    upscales: tuple[int, ...] = (1,),
) -> ModelDescription:
    """Return what a pipeline of this family is.

    Args:
        pipeline: The pipeline.
        source: The model's files.
        vae: Between pixels and latents.
        schedulers: Its schedulers.
        upscales: Factors by which an upscaler enlarges its images.
    """
    unet = pipeline.unet.config
    side = unet.sample_size
    native_pixels = side * vae.pixels_per_latent
    defaults = sampling_defaults(
        source.files, scheduler=pipeline.scheduler, of_family=_USUAL, unet=pipeline.unet
    )
    return ModelDescription(
        id=source.files.id,
        family=FAMILY,
        digest=source.files.digest,
        description="Images of what a text says, from noise or from another image.",
        license=licence_of(source.files),
        inputs=frozenset({"prompt", "negative_prompt", "initial_image", "initial_latents"}),
        required_inputs=frozenset({"prompt"}),
        embedding_space=None,
        latent_shape=(unet.in_channels, side, side),
        image_size_pixels=(native_pixels, native_pixels),
        sizes=ImageSizes(
            minimum_pixels=native_pixels // 2,
            maximum_pixels=native_pixels * 2,
            # Each resolution of the UNet has half the sides of the one above.
            multiple_pixels=vae.pixels_per_latent * 2 ** (len(unet.block_out_channels) - 1),
        ),
        default_steps=defaults.steps,
        default_guidance_scale=defaults.guidance_scale,
        scheduler_names=schedulers.names,
        guidance_rows=1 if is_guided_by_input(pipeline.unet) else 2,
        upscales=upscales,
        has_upscaler=len(upscales) > 1,
        text_reader=text_reader(pipeline.tokenizer),
    )
