"""An untrained Stable Diffusion: CLIP's text encoder, a UNet with cross-attention, a KL autoencoder."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import diffusers
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from transformers import CLIPConfig, CLIPTextConfig, CLIPTextModel

from chladni_image_generation.testing.untrained_checkpoints.preprocessors import (
    BEGIN_TOKEN_ID,
    END_TOKEN_ID,
    MAX_TOKENS,
    VOCABULARY_SIZE,
    byte_level_clip_tokenizer,
    clip_image_processor,
)

WIDTH: Final = 16
"""Components of a token's embedding."""

LATENT_CHANNELS: Final = 4
SAMPLE_SIZE: Final = 8
"""Sides of the latents; a latent stands for 2 x 2 pixels."""

TRAINING_SCHEDULE: Final[Mapping[str, Any]] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "steps_offset": 1,
    "clip_sample": False,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
}
"""The scheduler's configuration that Stable Diffusion is published with."""

_IMAGE_SIZE_PIXELS: Final = 8


def save_untrained_stable_diffusion(
    directory: Path,
    *,
    seed: int = 0,
    scheduler: str = "DDIMScheduler",
    scheduler_options: Mapping[str, Any] | None = None,
    prediction_type: str = "epsilon",
    guidance_embedding_size: int | None = None,
    flagged_share: float | None = None,
) -> None:
    """Build the model and save it as a diffusers directory.

    Args:
        directory: Destination; created if needed.
        seed: Of the weights.
        scheduler: Diffusers class name of its default scheduler.
        scheduler_options: Options of the scheduler beside those of the training.
        prediction_type: What the UNet predicts: ``epsilon``, ``v_prediction`` or ``sample``.
        guidance_embedding_size: Size of the embedded guidance scale that the UNet takes, as those of latent
            consistency models do; `None` for a UNet that takes none.
        flagged_share: 1 for a safety checker that objects to every image, 0 for one that objects to none;
            `None` for no safety checker.
    """
    options = {**TRAINING_SCHEDULE, "prediction_type": prediction_type, **(scheduler_options or {})}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        checker = None if flagged_share is None else untrained_safety_checker(flags=flagged_share > 0)
        pipeline = StableDiffusionPipeline(
            vae=untrained_autoencoder(),
            text_encoder=CLIPTextModel(text_encoder_config()),
            tokenizer=byte_level_clip_tokenizer(),
            unet=untrained_unet(time_cond_proj_dim=guidance_embedding_size),
            scheduler=new_scheduler(scheduler, options),
            safety_checker=checker,
            feature_extractor=clip_image_processor(_IMAGE_SIZE_PIXELS) if checker else None,
            requires_safety_checker=checker is not None,
        )
    pipeline.save_pretrained(directory)


def new_scheduler(name: str, options: Mapping[str, Any]) -> Any:
    """Return a scheduler with those of the options that it takes.

    Args:
        name: Diffusers class name.
        options: Options by name.
    """
    scheduler_class = getattr(diffusers, name)
    taken = inspect.signature(scheduler_class).parameters
    return scheduler_class(**{option: value for option, value in options.items() if option in taken})


def text_encoder_config(**options: Any) -> CLIPTextConfig:
    """Return the configuration of a text encoder of two layers for `byte_level_clip_tokenizer`."""
    sizes = {"hidden_size": WIDTH, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 2}
    tokens = {
        "vocab_size": VOCABULARY_SIZE,
        "bos_token_id": BEGIN_TOKEN_ID,
        "eos_token_id": END_TOKEN_ID,
        "max_position_embeddings": MAX_TOKENS,
    }
    return CLIPTextConfig(**{**sizes, **tokens, "projection_dim": WIDTH, **options})


def untrained_unet(**options: Any) -> UNet2DConditionModel:
    """Return a UNet of two resolutions, attending to the text at the lower one; options change it."""
    architecture = {
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "sample_size": SAMPLE_SIZE,
        "in_channels": LATENT_CHANNELS,
        "out_channels": LATENT_CHANNELS,
        "norm_num_groups": 4,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": WIDTH,
        "attention_head_dim": 4,
    }
    return UNet2DConditionModel(**(architecture | options))


def untrained_autoencoder(**options: Any) -> AutoencoderKL:
    """Return an autoencoder whose latents stand for 2 x 2 pixels; options change it."""
    architecture = {
        "block_out_channels": (8, 16),
        "in_channels": 3,
        "out_channels": 3,
        "norm_num_groups": 4,
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "latent_channels": LATENT_CHANNELS,
        "sample_size": 2 * SAMPLE_SIZE,
    }
    return AutoencoderKL(**(architecture | options))


def untrained_safety_checker(*, flags: bool) -> StableDiffusionSafetyChecker:
    """Return a safety checker that objects to every image or to none.

    It compares an image's embedding with those of concepts: more similar than a threshold is too similar.
    """
    vision = {"hidden_size": WIDTH, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = CLIPConfig(
        vision_config={**vision, "image_size": _IMAGE_SIZE_PIXELS, "patch_size": 4}, projection_dim=WIDTH
    )
    checker = StableDiffusionSafetyChecker(config)
    # A cosine is between -1 and 1.
    checker.concept_embeds_weights.data.fill_(-2.0 if flags else 2.0)
    checker.special_care_embeds_weights.data.fill_(2.0)
    return checker
