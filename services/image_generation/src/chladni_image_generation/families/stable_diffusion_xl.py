"""Stable Diffusion XL and its distilled variants (Turbo, LCM), with or without a refiner.

Podell et al. (2023), "SDXL: Improving latent diffusion models for high-resolution image synthesis".

What is random is drawn from one generator in the order in which the pipelines of diffusers draw when the base
model's and then the refiner's are called with the same generator: what stands for the initial image, the
noise, then whatever each step of the base model's scheduler needs, then each of the refiner's. The refiner
itself begins with latents as they are and draws nothing for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from diffusers import StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline

from chladni_image_generation.families.common.defaults import (
    SamplingDefaults,
    is_guided_by_input,
    sampling_defaults,
)
from chladni_image_generation.families.common.latents import last_timesteps, prepare_latents
from chladni_image_generation.families.common.pipelines import (
    licence_of,
    load_pipeline,
    load_pipeline_files,
    place,
    text_reader,
)
from chladni_image_generation.families.common.vae import load_vae
from chladni_image_generation.families.sdxl_denoiser import (
    SdxlDenoiser,
    timesteps_after,
    timesteps_before,
)
from chladni_image_generation.models.files import ModelFilesError
from chladni_image_generation.models.interface import GenerationPlan, ImageSizes, ModelDescription
from chladni_image_generation.models.references import PartKind
from chladni_image_generation.models.schedulers import SchedulerCatalog, timesteps_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from chladni_image_generation.families.common.vae import Vae
    from chladni_image_generation.generation import GenerationRequest
    from chladni_image_generation.models.interface import DenoiserRow
    from chladni_image_generation.models.loading import LoadingOptions, ModelSource

FAMILY: Final = "stable-diffusion-xl"
REFINER: Final = "refiner"
"""The refiner's network; the base model's is the first one, without a name."""

_USUAL: Final = SamplingDefaults(steps=50, guidance_scale=5.0)
_DEFAULT_REFINER_START: Final = 0.8


class StableDiffusionXLModel:
    """A loaded model of this family; see `LatentDiffusionModel` for what its methods promise.

    Args:
        description: What the model is.
        base: The denoiser for all noise levels.
        refiner: The denoiser for low noise levels; `None` for none.
        vae: Between pixels and latents.
        device: Where it computes.
        dtype: In which numeric type its denoisers compute.
    """

    def __init__(
        self,
        *,
        description: ModelDescription,
        base: SdxlDenoiser,
        refiner: SdxlDenoiser | None,
        vae: Vae,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.description = description
        self.device = device
        self.dtype = dtype
        self._base = base
        self._refiner = refiner
        self._denoisers = {denoiser.network: denoiser for denoiser in (base, refiner) if denoiser}
        self._vae = vae

    def plan(self, request: GenerationRequest, generator: torch.Generator) -> GenerationPlan:
        """Return the way from noise, or from the initial image, to what the prompt says.

        With a refiner, the base model takes the timesteps up to `refiner_start` and the refiner the others:
        an ensemble of denoisers. Where the way is so short that all its timesteps are the refiner's, such as
        from an image with little noise, the refiner goes it alone.
        """
        start = request.refiner_start
        if self._refiner is None or start is None or start >= 1:
            return self._plan_alone(self._base, request, generator)
        training_timesteps = self._base.schedulers.training_timesteps
        boundary = round(training_timesteps - start * training_timesteps)
        if not len(timesteps_before(self._timesteps(request), boundary)):
            return self._plan_alone(self._refiner, request, generator)
        return self._plan_together(self._refiner, request, generator, boundary=boundary)

    def denoise(self, rows: Sequence[DenoiserRow]) -> Tensor:
        """Return the output of the rows' denoiser for each row, float32 (B, C, H, W)."""
        return self._denoisers[rows[0].network].denoise(rows)

    def decode(self, latents: Tensor) -> NDArray[np.uint8]:
        """Return the RGB pixels (B, height, width, 3) of latents (B, C, H, W) without noise."""
        return self._vae.decode(latents)

    def preview(self, latents: Tensor, size_pixels: int) -> NDArray[np.uint8]:
        """Return RGB pixels (h, w, 3) of a small image of what latents (C, H, W) show."""
        return self._vae.preview(latents, size_pixels)

    def _plan_alone(
        self, denoiser: SdxlDenoiser, request: GenerationRequest, generator: torch.Generator
    ) -> GenerationPlan:
        scheduler = denoiser.schedulers.new(request.scheduler)
        latents, timesteps = self._begin(request, scheduler, generator)
        size_pixels = self._size_pixels(latents)
        stage = denoiser.stage(request, scheduler, timesteps, generator, size_pixels=size_pixels)
        return GenerationPlan(latents, (stage,))

    def _plan_together(
        self,
        refiner: SdxlDenoiser,
        request: GenerationRequest,
        generator: torch.Generator,
        *,
        boundary: int,
    ) -> GenerationPlan:
        scheduler = self._base.schedulers.new(request.scheduler)
        latents, all_timesteps = self._begin(request, scheduler, generator)
        refining_scheduler = refiner.schedulers.new(request.scheduler)
        last = timesteps_after(refining_scheduler, request.steps, boundary)
        parts = (
            (self._base, scheduler, timesteps_before(all_timesteps, boundary)),
            (refiner, refining_scheduler, last),
        )
        size_pixels = self._size_pixels(latents)
        stages = tuple(
            denoiser.stage(request, its_scheduler, timesteps, generator, size_pixels=size_pixels)
            for denoiser, its_scheduler, timesteps in parts
            if len(timesteps)
        )
        return GenerationPlan(latents, stages)

    def _begin(
        self, request: GenerationRequest, scheduler: Any, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        latents, timesteps = prepare_latents(
            request, scheduler, generator, description=self.description, vae=self._vae
        )
        if request.conditioning.initial_image is None:
            timesteps = last_timesteps(scheduler, timesteps, request.steps, 1.0)
        return latents, timesteps

    def _timesteps(self, request: GenerationRequest) -> Tensor:
        """Return the timesteps (N,) that the base model would take alone; nothing is drawn for that."""
        scheduler = self._base.schedulers.new(request.scheduler)
        timesteps = timesteps_of(scheduler, request.steps)
        conditioning = request.conditioning
        share = 1.0 if conditioning.initial_image is None else conditioning.strength
        return last_timesteps(scheduler, timesteps, request.steps, share)

    def _size_pixels(self, latents: Tensor) -> tuple[int, int]:
        """Return (height, width) of the image that latents (C, H, W) stand for."""
        _, height, width = latents.shape
        return height * self._vae.pixels_per_latent, width * self._vae.pixels_per_latent


def load(source: ModelSource, options: LoadingOptions) -> StableDiffusionXLModel:
    """Load a model of this family.

    Raises:
        ModelFilesError: Files are missing, damaged or of another family, or an addition does not fit.
    """
    source.refuse_additions(PartKind.REFINER, PartKind.TINY_DECODER)
    pipeline: Any = load_pipeline(StableDiffusionXLPipeline, source, options, add_watermarker=False)
    refining_pipeline = _load_refiner(pipeline, source, options)
    base = SdxlDenoiser(pipeline, SchedulerCatalog(pipeline.scheduler), network="", device=options.device)
    refiner = None
    if refining_pipeline is not None:
        catalog = SchedulerCatalog(refining_pipeline.scheduler)
        refiner = SdxlDenoiser(refining_pipeline, catalog, network=REFINER, device=options.device)
    vae = load_vae(pipeline.vae, source, options)
    return StableDiffusionXLModel(
        description=_describe(source, pipeline, refining_pipeline, vae),
        base=base,
        refiner=refiner,
        vae=vae,
        device=options.device,
        dtype=pipeline.unet.dtype,
    )


def _load_refiner(base: Any, source: ModelSource, options: LoadingOptions) -> Any:
    """Return the pipeline of the refiner that is added to a base model's, `None` if none is.

    Raises:
        ModelFilesError: It is missing files, or made for other latents or schedulers.
    """
    files = source.additions.get(PartKind.REFINER)
    if files is None:
        return None
    refiner: Any = load_pipeline_files(
        StableDiffusionXLImg2ImgPipeline, files, source, vae=base.vae, add_watermarker=False
    )
    # It refines the base model's latents, and so shares the autoencoder, which the base's pipeline keeps.
    refiner.register_modules(vae=None)
    channels, base_channels = refiner.unet.config.in_channels, base.unet.config.in_channels
    if channels != base_channels:
        raise ModelFilesError(
            f"Refiner {files.id!r} is made for latents of {channels} channels, the base model's have "
            f"{base_channels}."
        )
    if not _shared_schedulers(base, refiner):
        raise ModelFilesError(
            f"Refiner {files.id!r} cannot take the base model's scheduler, {type(base.scheduler).__name__}."
        )
    if not options.cpu_offload and _are_equal(refiner.text_encoder_2, base.text_encoder_2):
        # Those of the published models are, and large.
        refiner.register_modules(text_encoder_2=base.text_encoder_2)
    place(refiner, options)
    return refiner


def _shared_schedulers(pipeline: Any, refining_pipeline: Any) -> tuple[str, ...]:
    """Return the schedulers that fit both, the base model's own first; none if that is not among them."""
    names = SchedulerCatalog(pipeline.scheduler).names
    refining_names = SchedulerCatalog(refining_pipeline.scheduler).names
    return tuple(name for name in names if name in refining_names) if names[0] in refining_names else ()


def _are_equal(network: torch.nn.Module, other: torch.nn.Module) -> bool:
    weights, others = network.state_dict(), other.state_dict()
    return weights.keys() == others.keys() and all(
        torch.equal(weights[name].cpu(), others[name].cpu()) for name in weights
    )


def _describe(source: ModelSource, pipeline: Any, refining_pipeline: Any, vae: Vae) -> ModelDescription:
    unet = pipeline.unet.config
    native_pixels = unet.sample_size * vae.pixels_per_latent
    resolutions = len(unet.block_out_channels)
    has_refiner = refining_pipeline is not None
    if has_refiner:
        resolutions = max(resolutions, len(refining_pipeline.unet.config.block_out_channels))
    # Each resolution of a UNet has half the sides of the one above.
    multiple_pixels = vae.pixels_per_latent * 2 ** (resolutions - 1)
    defaults = sampling_defaults(
        source.files, scheduler=pipeline.scheduler, of_family=_USUAL, unet=pipeline.unet
    )
    return ModelDescription(
        id=source.files.id,
        family=FAMILY,
        digest=source.files.digest,
        description="Large images of what a text says, from noise or from another image"
        + (", refined by a second denoiser." if has_refiner else "."),
        license=licence_of(source.files),
        inputs=frozenset({"prompt", "negative_prompt", "initial_image", "initial_latents"}),
        required_inputs=frozenset({"prompt"}),
        embedding_space=None,
        latent_shape=(unet.in_channels, unet.sample_size, unet.sample_size),
        image_size_pixels=(native_pixels, native_pixels),
        sizes=ImageSizes(
            minimum_pixels=max(multiple_pixels, native_pixels // 2 // multiple_pixels * multiple_pixels),
            maximum_pixels=native_pixels * 2,
            multiple_pixels=multiple_pixels,
        ),
        default_steps=defaults.steps,
        default_guidance_scale=defaults.guidance_scale,
        scheduler_names=_shared_schedulers(pipeline, refining_pipeline or pipeline),
        guidance_rows=1 if is_guided_by_input(pipeline.unet) else 2,
        default_refiner_start=_DEFAULT_REFINER_START if has_refiner else None,
        text_reader=text_reader(pipeline.tokenizer, pipeline.tokenizer_2),
    )
