"""Unconditional diffusion models that compute on pixels.

Ho et al. (2020), "Denoising diffusion probabilistic models", and Song et al. (2021), "Denoising diffusion
implicit models": a UNet without any condition takes noise of the size of an image to an image. There is no
autoencoder, so a latent is a pixel; gray images come out with three equal channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from diffusers import DDIMPipeline, DDPMPipeline

from chladni_image_generation.families.common.defaults import SamplingDefaults, sampling_defaults
from chladni_image_generation.families.common.latents import initial_noise, shrunk_latents
from chladni_image_generation.families.common.pipelines import licence_of, load_pipeline
from chladni_image_generation.models.files import ModelFilesError
from chladni_image_generation.models.interface import (
    DenoisingStage,
    GenerationPlan,
    ImageSizes,
    ModelDescription,
)
from chladni_image_generation.models.references import class_name_of
from chladni_image_generation.models.schedulers import SchedulerCatalog, step_options, timesteps_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from chladni_image_generation.generation import GenerationRequest
    from chladni_image_generation.models.interface import DenoiserRow
    from chladni_image_generation.models.loading import LoadingOptions, ModelSource

FAMILY: Final = "ddpm"
_DEFAULTS: Final = SamplingDefaults(steps=50, guidance_scale=1.0)


class DdpmModel:
    """A loaded model of this family; see `LatentDiffusionModel` for what its methods promise.

    Args:
        description: What the model is.
        pipeline: Holds its network.
        schedulers: Its schedulers.
        device: Where it computes.
    """

    def __init__(
        self,
        *,
        description: ModelDescription,
        pipeline: DDPMPipeline | DDIMPipeline,
        schedulers: SchedulerCatalog,
        device: torch.device,
    ) -> None:
        self.description = description
        self.device = device
        self.dtype: torch.dtype = pipeline.unet.dtype
        self._unet = pipeline.unet
        self._schedulers = schedulers

    def plan(self, request: GenerationRequest, generator: torch.Generator) -> GenerationPlan:
        """Return the way from noise, or from given latents, to an image; there is nothing to guide."""
        scheduler = self._schedulers.new(request.scheduler)
        timesteps = timesteps_of(scheduler, request.steps)
        noise = initial_noise(request.conditioning, self.description.latent_shape, generator)
        stage = DenoisingStage(scheduler, timesteps, {}, None, step_options(scheduler, generator))
        return GenerationPlan(noise * scheduler.init_noise_sigma, (stage,))

    def denoise(self, rows: Sequence[DenoiserRow]) -> Tensor:
        """Return the UNet's output for each row, float32 (B, C, H, W)."""
        prediction: Tensor = self._unet(
            torch.stack([row.latents for row in rows]).to(self.device, self.dtype),
            torch.stack([row.timestep for row in rows]).to(self.device),
        ).sample
        return prediction.float()

    def decode(self, latents: Tensor) -> NDArray[np.uint8]:
        """Return the RGB pixels (B, height, width, 3) of images (B, C, H, W) in [-1, 1]."""
        brightness = (latents.float() / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy()
        pixels: NDArray[np.uint8] = (brightness * 255).round().astype(np.uint8)
        return pixels if pixels.shape[3] == 3 else pixels.repeat(3, axis=3)

    def preview(self, latents: Tensor, size_pixels: int) -> NDArray[np.uint8]:
        """Return RGB pixels (h, w, 3) of an image (C, H, W), smaller if it is larger than was asked for."""
        shrunk = shrunk_latents(latents, size_pixels, full_size_pixels=max(latents.shape[1:]))
        image: NDArray[np.uint8] = self.decode(shrunk[None])[0]
        return image


def load(source: ModelSource, options: LoadingOptions) -> DdpmModel:
    """Load a model of this family.

    Raises:
        ModelFilesError: Files are missing, damaged or of another family.
    """
    source.refuse_additions()
    pipeline_class = DDIMPipeline if class_name_of(source.files) == DDIMPipeline.__name__ else DDPMPipeline
    pipeline: Any = load_pipeline(pipeline_class, source, options)
    if pipeline.unet.config.in_channels not in (1, 3):
        raise ModelFilesError(
            f"Model {source.files.id!r} has {pipeline.unet.config.in_channels} channels; images have 1 or 3."
        )
    if not isinstance(pipeline.unet.config.sample_size, int):
        raise ModelFilesError(f"Model {source.files.id!r} makes no square images; only those are served.")
    schedulers = SchedulerCatalog(pipeline.scheduler)
    return DdpmModel(
        description=_describe(pipeline, source, schedulers),
        pipeline=pipeline,
        schedulers=schedulers,
        device=options.device,
    )


def _describe(pipeline: Any, source: ModelSource, schedulers: SchedulerCatalog) -> ModelDescription:
    side = pipeline.unet.config.sample_size
    defaults = sampling_defaults(source.files, scheduler=pipeline.scheduler, of_family=_DEFAULTS)
    return ModelDescription(
        id=source.files.id,
        family=FAMILY,
        digest=source.files.digest,
        description="Images like those that it learned from, from nothing but a seed, or from given latents.",
        license=licence_of(source.files),
        inputs=frozenset({"initial_latents"}),
        required_inputs=frozenset(),
        embedding_space=None,
        latent_shape=(pipeline.unet.config.in_channels, side, side),
        image_size_pixels=(side, side),
        sizes=ImageSizes(minimum_pixels=side, maximum_pixels=side, multiple_pixels=side),
        default_steps=defaults.steps,
        default_guidance_scale=defaults.guidance_scale,
        scheduler_names=schedulers.names,
        guidance_rows=1,
    )
