"""Requests that try out what a model offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chladni_image_generation.generation import Conditioning, GenerationRequest
from chladni_image_generation.models.interface import EmbeddingSpace, ModelDescription

FIRST: Final = "first"
"""Name of the request with the model's defaults and nothing that it does not require, but a prompt."""

_PROMPT: Final = "a lighthouse on a cliff at dusk, oil painting"
_STRENGTH: Final = 0.7


def trial_requests(
    description: ModelDescription, *, seed: int, steps: int | None = None
) -> Mapping[str, GenerationRequest]:
    """Return a request for each kind of image that a model makes, `FIRST` first.

    Args:
        description: The model.
        seed: Of the noise, and of the embedding if it takes one.
        steps: Denoising steps; `None` for the model's default.
    """
    space = description.embedding_space
    width_pixels, height_pixels = description.image_size_pixels
    first = GenerationRequest(
        conditioning=Conditioning(
            audio_embedding=None if space is None else _embedding(space, seed),
            prompt=_PROMPT if "prompt" in description.inputs else "",
        ),
        seed=seed,
        steps=steps or description.default_steps,
        guidance_scale=description.default_guidance_scale,
        scheduler=description.scheduler_names[0],
        width_pixels=width_pixels,
        height_pixels=height_pixels,
        refiner_start=description.default_refiner_start,
    )
    requests = {FIRST: first}
    if "initial_image" in description.inputs:
        from_image = replace(
            first.conditioning,
            initial_image=_sunset(width_pixels, height_pixels),
            # Of few steps a part may be none.
            strength=max(_STRENGTH, 1 / first.steps),
        )
        requests["from-image"] = replace(first, conditioning=from_image)
    for factor in description.upscales:
        if factor > 1:
            requests[f"enlarged-{factor}x"] = replace(first, upscale=factor)
    return requests


def _embedding(space: EmbeddingSpace, seed: int) -> NDArray[np.float32]:
    """Return one of unit norm, as CLAP's are, or within the limits of the space."""
    generator = np.random.default_rng(seed)
    if space.limits is not None:
        return generator.uniform(*space.limits, space.size).astype(np.float32)
    values = generator.standard_normal(space.size)
    embedding: NDArray[np.float32] = (values / np.linalg.norm(values)).astype(np.float32)
    return embedding


def _sunset(width_pixels: int, height_pixels: int) -> NDArray[np.uint8]:
    """Return RGB pixels (height, width, 3): a sky that turns from blue to orange, and a dark sea."""
    height = np.linspace(0, 1, height_pixels)[:, None, None]
    sky = (1 - height) * np.array([40.0, 60.0, 120.0]) + height * np.array([250.0, 150.0, 60.0])
    colours = np.where(height < 2 / 3, sky, np.array([20.0, 30.0, 50.0]))
    return np.broadcast_to(colours, (height_pixels, width_pixels, 3)).round().astype(np.uint8)
