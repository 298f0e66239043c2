"""An untrained IP-Adapter, to be added to an untrained Stable Diffusion."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file
from torch import Tensor

from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion import WIDTH, untrained_unet
from chladni_image_generation.testing.untrained_checkpoints.stable_unclip import vision_tower

_IMAGE_TOKENS: Final = 4
"""Tokens into which an image embedding is projected, as in every IP-Adapter of the first kind."""


def save_untrained_ip_adapter(directory: Path, *, seed: int = 0, clip_directory: Path | None = None) -> None:
    """Build the adapter and save it as real ones are published: one file of weights, and the image encoder.

    Args:
        directory: Destination; created if needed.
        seed: Of the weights.
        clip_directory: A CLIP whose vision tower becomes the image encoder; `None` for an untrained one.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        image_encoder = vision_tower(clip_directory)
        weights = _projection(image_encoder.config.projection_dim) | _attention()
    directory.mkdir(parents=True, exist_ok=True)
    save_file(weights, directory / "ip-adapter_sd15.safetensors")
    image_encoder.save_pretrained(directory / "image_encoder")


def _projection(embedding_size: int) -> dict[str, Tensor]:
    return {
        "image_proj.proj.weight": torch.randn(_IMAGE_TOKENS * WIDTH, embedding_size),
        "image_proj.proj.bias": torch.randn(_IMAGE_TOKENS * WIDTH),
        "image_proj.norm.weight": torch.ones(WIDTH),
        "image_proj.norm.bias": torch.zeros(WIDTH),
    }


def _attention() -> dict[str, Tensor]:
    """Return a second key and value projection for each cross-attention, named by its place among all."""
    unet = untrained_unet()
    weights = {}
    for index, name in enumerate(unet.attn_processors):
        attention = unet.get_submodule(name.removesuffix(".processor"))
        if attention.is_cross_attention:
            for projection in ("to_k", "to_v"):
                shape = attention.get_submodule(projection).weight.shape
                weights[f"ip_adapter.{index}.{projection}_ip.weight"] = torch.randn(shape)
    return weights
