"""Stable unCLIP: Stable Diffusion 2 that paints an embedding in CLIP's image space.

After Ramesh et al. (2022), "Hierarchical text-conditional image generation with CLIP latents": the UNet gets
the embedding as a class label, beside the text, which may be empty.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import torch
from diffusers import StableUnCLIPImg2ImgPipeline

from chladni_image_generation.families import stable_diffusion
from chladni_image_generation.families.common.clip_image_space import clip_image_space
from chladni_image_generation.families.common.conditions import with_condition
from chladni_image_generation.families.common.defaults import SamplingDefaults, sampling_defaults
from chladni_image_generation.families.common.pipelines import load_pipeline
from chladni_image_generation.models.files import ModelFilesError
from chladni_image_generation.models.references import PartKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from chladni_image_generation.families.stable_diffusion import StableDiffusionModel
    from chladni_image_generation.generation import GenerationRequest
    from chladni_image_generation.models.interface import (
        DenoiserRow,
        EmbeddingSpace,
        GenerationPlan,
        ModelDescription,
    )
    from chladni_image_generation.models.loading import LoadingOptions, ModelSource

FAMILY: Final = "stable-unclip"
_USUAL: Final = SamplingDefaults(steps=20, guidance_scale=10.0)
_NOISE_LEVEL: Final = 0
"""Timestep to which embeddings are noised, the least; the model was trained on all of them."""


class StableUnclipModel:
    """A loaded model of this family; see `LatentDiffusionModel` for what its methods promise.

    Args:
        base: Stable Diffusion around this family's pipeline, which holds no image encoder.
        description: What the model is.
    """

    def __init__(self, base: StableDiffusionModel, *, description: ModelDescription) -> None:
        self.description = description
        self.device = base.device
        self.dtype = base.dtype
        self._base = base

    def plan(self, request: GenerationRequest, generator: torch.Generator) -> GenerationPlan:
        """Return the way from noise to an image of the embedding, in the light of the prompt."""
        # The noise of the embedding is drawn before that of the latents, as in the pipeline.
        labels = self._class_labels(request.conditioning.required_audio_embedding, generator)
        return with_condition(self._base.plan(request, generator), "class_labels", labels)

    def denoise(self, rows: Sequence[DenoiserRow]) -> Tensor:
        """Return the UNet's output for each row, float32 (B, C, H, W)."""
        return self._base.denoise(rows)

    def decode(self, latents: Tensor) -> NDArray[np.uint8]:
        """Return the RGB pixels (B, height, width, 3) of latents (B, C, H, W) without noise."""
        return self._base.decode(latents)

    def preview(self, latents: Tensor, size_pixels: int) -> NDArray[np.uint8]:
        """Return RGB pixels (h, w, 3) of a small image of what latents (C, H, W) show."""
        return self._base.preview(latents, size_pixels)

    def _class_labels(self, audio_embedding: NDArray[np.float32], generator: torch.Generator) -> Tensor:
        """Return (2 D,): the embedding (D,), noised a little, and how much, as sines and cosines.

        The embedding is taken as it comes. The model's own mean and standard deviation scale it for the noise
        and back again, so its norm should be that of the embeddings that the image encoder makes.
        """
        embedding = torch.tensor(audio_embedding)[None]
        noise = torch.randn(embedding.shape, generator=generator)
        labels: Tensor = self._base.pipeline.noise_image_embeddings(
            embedding.to(self.device, self.dtype), _NOISE_LEVEL, noise=noise.to(self.device, self.dtype)
        )
        return labels[0]


def load(source: ModelSource, options: LoadingOptions) -> StableUnclipModel:
    """Load a model of this family.

    Raises:
        ModelFilesError: Files are missing, damaged or of another family, or an addition does not fit.
    """
    source.refuse_additions(PartKind.UPSCALER, PartKind.TINY_DECODER)
    space = clip_image_space(source.files, owner=source.files.id)
    pipeline: Any = load_pipeline(
        StableUnCLIPImg2ImgPipeline, source, options, image_encoder=None, feature_extractor=None
    )
    _check_sizes(pipeline, source, space)
    defaults = sampling_defaults(source.files, scheduler=pipeline.scheduler, of_family=_USUAL)
    base = stable_diffusion.assemble(pipeline, source, options)
    description = replace(
        base.description,
        family=FAMILY,
        description="Images of what an embedding in CLIP's image space means, with or without a text.",
        inputs=frozenset({"audio_embedding", "prompt", "negative_prompt", "initial_latents"}),
        required_inputs=frozenset({"audio_embedding"}),
        embedding_space=space,
        default_steps=defaults.steps,
        default_guidance_scale=defaults.guidance_scale,
    )
    return StableUnclipModel(base, description=description)


def _check_sizes(pipeline: Any, source: ModelSource, space: EmbeddingSpace) -> None:
    sizes = {
        "image_normalizer": pipeline.image_normalizer.config.embedding_dim,
        # The other half says how much the embedding was noised.
        "unet": (pipeline.unet.config.projection_class_embeddings_input_dim or 0) // 2,
    }
    for name, size in sizes.items():
        if size != space.size:
            raise ModelFilesError(
                f"Model {source.files.id!r}: {name} takes embeddings of {size} components, but image_encoder "
                f"makes {space.size}. Install the model again."
            )
