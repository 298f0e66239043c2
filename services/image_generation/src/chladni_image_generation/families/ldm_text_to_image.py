"""The first text-to-image latent diffusion models of CompVis.

Rombach et al. (2022), "High-resolution image synthesis with latent diffusion models", section 4.3.1: a
transformer over BERT's tokens conditions the UNet, and a KL or a vector-quantised autoencoder decodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from diffusers import AutoencoderKL, LDMTextToImagePipeline

from chladni_image_generation.families.common.latents import initial_noise, shrunk_latents
from chladni_image_generation.families.common.pipelines import (
    licence_of,
    load_pipeline,
    save_decoding_memory,
    text_reader,
)
from chladni_image_generation.models.interface import (
    DenoisingStage,
    GenerationPlan,
    ImageSizes,
    ModelDescription,
)
from chladni_image_generation.models.schedulers import SchedulerCatalog, step_options, timesteps_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from chladni_image_generation.generation import GenerationRequest
    from chladni_image_generation.models.interface import DenoiserRow
    from chladni_image_generation.models.loading import LoadingOptions, ModelSource

FAMILY: Final = "ldm-text-to-image"
_DEFAULT_STEPS, _DEFAULT_GUIDANCE_SCALE = 50, 6.0
_MAX_TOKENS: Final = 77


class LdmTextToImageModel:
    """A loaded model of this family; see `LatentDiffusionModel` for what its methods promise.

    Args:
        description: What the model is.
        pipeline: Holds its networks and its tokenizer.
        schedulers: Its schedulers.
        device: Where it computes.
    """

    def __init__(
        self,
        *,
        description: ModelDescription,
        pipeline: LDMTextToImagePipeline,
        schedulers: SchedulerCatalog,
        device: torch.device,
    ) -> None:
        self.description = description
        self.device = device
        self.dtype: torch.dtype = pipeline.unet.dtype
        self._pipeline = pipeline
        self._schedulers = schedulers

    def plan(self, request: GenerationRequest, generator: torch.Generator) -> GenerationPlan:
        """Return the way from noise, or from given latents, to what the prompt says."""
        conditioning = request.conditioning
        scheduler = self._schedulers.new(request.scheduler)
        timesteps = timesteps_of(scheduler, request.steps)
        shape = self.description.latent_shape_of(request.width_pixels, request.height_pixels)
        noise = initial_noise(conditioning, shape, generator)
        stage = DenoisingStage(
            scheduler,
            timesteps,
            self._condition(conditioning.prompt),
            self._condition(conditioning.negative_prompt) if request.is_guided else None,
            step_options(scheduler, generator),
        )
        return GenerationPlan(noise * scheduler.init_noise_sigma, (stage,))

    def denoise(self, rows: Sequence[DenoiserRow]) -> Tensor:
        """Return the UNet's output for each row, float32 (B, C, H, W)."""
        texts = torch.stack([row.condition["encoder_hidden_states"] for row in rows])
        prediction: Tensor = self._pipeline.unet(
            torch.stack([row.latents for row in rows]).to(self.device, self.dtype),
            torch.stack([row.timestep for row in rows]).to(self.device),
            encoder_hidden_states=texts,
        ).sample
        return prediction.float()

    def decode(self, latents: Tensor) -> NDArray[np.uint8]:
        """Return the RGB pixels (B, height, width, 3) of latents (B, C, H, W) without noise."""
        autoencoder = self._pipeline.vqvae
        # Multiplied, not divided, as the pipeline does: a vector-quantised autoencoder looks up the nearest
        # entry of its code book, so that the last bit of a latent can decide which.
        scaled = 1 / autoencoder.config.scaling_factor * latents.to(self.device, self.dtype)
        decoded = autoencoder.decode(scaled).sample.float()
        brightness = (decoded / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy()
        pixels: NDArray[np.uint8] = (brightness * 255).round().astype(np.uint8)
        return pixels

    def preview(self, latents: Tensor, size_pixels: int) -> NDArray[np.uint8]:
        """Return RGB pixels (h, w, 3) of a small image of what latents (C, H, W) show."""
        full_size_pixels = max(latents.shape[1:]) * self._pipeline.vae_scale_factor
        shrunk = shrunk_latents(latents, size_pixels, full_size_pixels=full_size_pixels)
        image: NDArray[np.uint8] = self.decode(shrunk[None])[0]
        return image

    def _condition(self, text: str) -> Mapping[str, Tensor]:
        tokens = self._pipeline.tokenizer(
            text, padding="max_length", max_length=_MAX_TOKENS, truncation=True, return_tensors="pt"
        )
        # LDMBertModel asks its configuration for a default that transformers 5 gave another name.
        encoded = self._pipeline.bert(tokens.input_ids.to(self.device), return_dict=True)
        return {"encoder_hidden_states": encoded.last_hidden_state[0]}


def load(source: ModelSource, options: LoadingOptions) -> LdmTextToImageModel:
    """Load a model of this family.

    Raises:
        ModelFilesError: Files are missing, damaged or of another family.
    """
    source.refuse_additions()
    pipeline: Any = load_pipeline(LDMTextToImagePipeline, source, options)
    if isinstance(pipeline.vqvae, AutoencoderKL):  # The vector-quantised one cannot do it.
        save_decoding_memory(pipeline.vqvae, options)
    schedulers = SchedulerCatalog(pipeline.scheduler)
    return LdmTextToImageModel(
        description=_describe(pipeline, source, schedulers),
        pipeline=pipeline,
        schedulers=schedulers,
        device=options.device,
    )


def _describe(pipeline: Any, source: ModelSource, schedulers: SchedulerCatalog) -> ModelDescription:
    unet = pipeline.unet.config
    pixels_per_latent = pipeline.vae_scale_factor
    native_pixels = unet.sample_size * pixels_per_latent
    return ModelDescription(
        id=source.files.id,
        family=FAMILY,
        digest=source.files.digest,
        description="Images of what a text says, or of none, from noise or from given latents.",
        license=licence_of(source.files),
        inputs=frozenset({"prompt", "negative_prompt", "initial_latents"}),
        required_inputs=frozenset(),
        embedding_space=None,
        latent_shape=(unet.in_channels, unet.sample_size, unet.sample_size),
        image_size_pixels=(native_pixels, native_pixels),
        sizes=ImageSizes(
            minimum_pixels=native_pixels // 2,
            maximum_pixels=native_pixels * 2,
            multiple_pixels=pixels_per_latent * 2 ** (len(unet.block_out_channels) - 1),
        ),
        default_steps=_DEFAULT_STEPS,
        default_guidance_scale=_DEFAULT_GUIDANCE_SCALE,
        scheduler_names=schedulers.names,
        text_reader=text_reader(pipeline.tokenizer, max_tokens=_MAX_TOKENS),
    )
