"""An untrained, tiny model of the embedded one's architecture, for tests and measurements.

Whatever depends on the order of requests and not on what they cost can be tried with it many times over.
"""

from __future__ import annotations

from pathlib import Path

import diffusers
import torch

from chladni_image_generation.training.autoencoder import build_autoencoder
from chladni_image_generation.training.denoiser import build_denoiser
from chladni_image_generation.training.export import export_model
from chladni_image_generation.training.presets import TINY
from chladni_image_generation.training.reports.sampling import ImageModel, SamplingDefaults


def save_untrained_model(directory: Path, *, size_pixels: int = 64) -> None:
    """Build the model and save it as a diffusers directory; always with the same weights.

    Args:
        directory: Destination; created if needed.
        size_pixels: Native length of an image's sides.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = ImageModel(
            build_denoiser(TINY.denoiser),
            build_autoencoder(TINY.autoencoder),
            diffusers.FlowMatchEulerDiscreteScheduler(),
        )
    export_model(
        model,
        directory,
        defaults=SamplingDefaults(steps=4, guidance_scale=1.0, size_pixels=size_pixels),
        training={},
        metrics={},
        model_card="An untrained model for tests and measurements.\n",
    )
