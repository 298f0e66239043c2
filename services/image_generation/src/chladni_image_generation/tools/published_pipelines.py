"""The image that a model's own diffusers pipeline makes of a request, for comparison."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from diffusers import DiffusionPipeline

from chladni_image_generation.families.common.pipelines import quiet_libraries

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from chladni_image_generation.generation import GenerationRequest
    from chladni_image_generation.models.files import ModelFiles

COMPARABLE_FAMILIES: Final = frozenset(
    {"stable-diffusion", "stable-diffusion-xl", "ldm-text-to-image", "stable-unclip", "ddpm"}
)
"""Families whose pipelines turn a request into an image by themselves."""


@torch.inference_mode()
def published_image(
    files: ModelFiles, request: GenerationRequest, *, device: torch.device, dtype: torch.dtype
) -> NDArray[np.uint8]:
    """Return the RGB pixels (height, width, 3) that the pipeline makes which a model's index names.

    Args:
        files: The model, of one of `COMPARABLE_FAMILIES` and without additions.
        request: A request without initial image.
        device: Where to compute.
        dtype: In which numeric type.
    """
    quiet_libraries()
    loader: Any = DiffusionPipeline
    pipeline = loader.from_pretrained(
        files.directory, dtype=dtype, use_safetensors=True, local_files_only=True, low_cpu_mem_usage=False
    )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(device)
    if getattr(pipeline, "safety_checker", None) is not None:
        pipeline.safety_checker = None
    conditioning = request.conditioning
    embedding = conditioning.audio_embedding
    arguments = {
        "prompt": conditioning.prompt,
        "image_embeds": None if embedding is None else torch.from_numpy(embedding)[None].to(device, dtype),
        "num_inference_steps": request.steps,
        "guidance_scale": request.guidance_scale,
        "width": request.width_pixels,
        "height": request.height_pixels,
        "generator": torch.Generator("cpu").manual_seed(request.seed),
    }
    taken = inspect.signature(pipeline.__call__).parameters
    outcome = pipeline(**{name: value for name, value in arguments.items() if name in taken})
    return np.asarray(outcome.images[0].convert("RGB"))
