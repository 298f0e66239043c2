"""An untrained refiner for Stable Diffusion XL: only the second of its text encoders, a UNet of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import StableDiffusionXLImg2ImgPipeline

from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion import new_scheduler
from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion_xl import (
    NUMBER_WIDTH,
    SECOND_WIDTH,
    SIZE_NUMBERS,
    XL_SCHEDULE,
    second_tokenizer,
    untrained_second_text_encoder,
    untrained_xl_autoencoder,
    untrained_xl_unet,
)

AESTHETIC_NUMBERS: Final = 5
"""Numbers of a refiner's micro-conditioning: original size, crop, aesthetic score."""


def save_untrained_stable_diffusion_xl_refiner(
    directory: Path,
    *,
    seed: int = 0,
    scheduler: str = "EulerDiscreteScheduler",
    scheduler_options: Mapping[str, Any] | None = None,
    requires_aesthetics_score: bool = True,
) -> None:
    """Build the refiner and save it as a diffusers directory.

    Args:
        directory: Destination; created if needed.
        seed: Of the weights; another than the base model's.
        scheduler: Diffusers class name of its default scheduler.
        scheduler_options: Options of the scheduler beside those of the training.
        requires_aesthetics_score: Whether its UNet takes an aesthetic score, as the published
            one's is, or the target size instead.
    """
    numbers = AESTHETIC_NUMBERS if requires_aesthetics_score else SIZE_NUMBERS
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipeline = StableDiffusionXLImg2ImgPipeline(
            vae=untrained_xl_autoencoder(),
            text_encoder=None,
            text_encoder_2=untrained_second_text_encoder(),
            tokenizer=None,
            tokenizer_2=second_tokenizer(),
            unet=untrained_xl_unet(
                block_out_channels=(8, 8, 16, 16),
                down_block_types=(
                    "DownBlock2D",
                    "CrossAttnDownBlock2D",
                    "CrossAttnDownBlock2D",
                    "DownBlock2D",
                ),
                up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
                transformer_layers_per_block=1,
                attention_head_dim=(1, 1, 2, 2),
                cross_attention_dim=SECOND_WIDTH,
                projection_class_embeddings_input_dim=numbers * NUMBER_WIDTH + SECOND_WIDTH,
            ),
            scheduler=new_scheduler(scheduler, {**XL_SCHEDULE, **(scheduler_options or {})}),
            requires_aesthetics_score=requires_aesthetics_score,
            force_zeros_for_empty_prompt=False,
            add_watermarker=False,
        )
    pipeline.save_pretrained(directory)
