"""An untrained Stable Diffusion XL: two text encoders, a UNet that takes sizes, a KL autoencoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import AutoencoderKL, StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from chladni_image_generation.testing.untrained_checkpoints.preprocessors import byte_level_clip_tokenizer
from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion import (
    SAMPLE_SIZE,
    TRAINING_SCHEDULE,
    WIDTH,
    new_scheduler,
    text_encoder_config,
    untrained_autoencoder,
    untrained_unet,
)

SECOND_WIDTH: Final = 24
"""Components of a token's embedding in the second text encoder, and of a whole text's."""

NUMBER_WIDTH: Final = 8
"""Components that the UNet makes of each number of the micro-conditioning."""

SIZE_NUMBERS: Final = 6
"""Numbers of the micro-conditioning: original size, crop, target size."""

SCALING_FACTOR: Final = 0.13025
"""By which the published autoencoder's latents are multiplied to have unit variance."""

XL_SCHEDULE: Final[Mapping[str, Any]] = {**TRAINING_SCHEDULE, "timestep_spacing": "leading"}
"""The scheduler's configuration that Stable Diffusion XL is published with."""


def save_untrained_stable_diffusion_xl(
    directory: Path,
    *,
    seed: int = 0,
    scheduler: str = "EulerDiscreteScheduler",
    scheduler_options: Mapping[str, Any] | None = None,
    autoencoder_options: Mapping[str, Any] | None = None,
    sample_size: int = SAMPLE_SIZE,
    guidance_embedding_size: int | None = None,
    force_zeros_for_empty_prompt: bool = True,
) -> None:
    """Build the model and save it as a diffusers directory.

    Args:
        directory: Destination; created if needed.
        seed: Of the weights.
        scheduler: Diffusers class name of its default scheduler.
        scheduler_options: Options of the scheduler beside those of the training.
        autoencoder_options: Options of the autoencoder, such as ``latents_mean`` and ``latents_std``.
        sample_size: Sides of the latents at the native size.
        guidance_embedding_size: Size of the embedded guidance scale that the UNet takes, as those of latent
            consistency models do; `None` for a UNet that takes none.
        force_zeros_for_empty_prompt: Whether zeros stand for no negative prompt, or the embedding of an
            empty text.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipeline = StableDiffusionXLPipeline(
            vae=untrained_xl_autoencoder(**(autoencoder_options or {})),
            text_encoder=CLIPTextModel(text_encoder_config()),
            text_encoder_2=untrained_second_text_encoder(),
            tokenizer=byte_level_clip_tokenizer(),
            tokenizer_2=second_tokenizer(),
            unet=untrained_xl_unet(sample_size=sample_size, time_cond_proj_dim=guidance_embedding_size),
            scheduler=new_scheduler(scheduler, {**XL_SCHEDULE, **(scheduler_options or {})}),
            force_zeros_for_empty_prompt=force_zeros_for_empty_prompt,
            add_watermarker=False,
        )
    pipeline.save_pretrained(directory)


def untrained_xl_autoencoder(**options: Any) -> AutoencoderKL:
    """Return an autoencoder that overflows in half precision, or so its configuration says."""
    return untrained_autoencoder(**({"force_upcast": True, "scaling_factor": SCALING_FACTOR} | options))


def untrained_second_text_encoder() -> CLIPTextModelWithProjection:
    """Return a text encoder that embeds a whole text too."""
    config = text_encoder_config(hidden_size=SECOND_WIDTH, projection_dim=SECOND_WIDTH, hidden_act="gelu")
    return CLIPTextModelWithProjection(config)


def second_tokenizer() -> CLIPTokenizer:
    """Return the tokenizer of the second text encoder, which fills texts up with ``!``."""
    tokenizer = byte_level_clip_tokenizer()
    tokenizer.pad_token = "!"  # noqa: S105 - no password
    return tokenizer


def untrained_xl_unet(**options: Any) -> UNet2DConditionModel:
    """Return a UNet of three resolutions, without attention at the highest; options change it."""
    architecture = {
        "block_out_channels": (8, 16, 16),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 1, 2),
        "attention_head_dim": (1, 2, 4),
        "use_linear_projection": True,
        "cross_attention_dim": WIDTH + SECOND_WIDTH,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": NUMBER_WIDTH,
        "projection_class_embeddings_input_dim": SIZE_NUMBERS * NUMBER_WIDTH + SECOND_WIDTH,
    }
    return untrained_unet(**(architecture | options))
