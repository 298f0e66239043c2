"""An untrained latent upscaler, to be added to an untrained Stable Diffusion."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionLatentUpscalePipeline, UNet2DConditionModel
from transformers import CLIPTextModel

from chladni_image_generation.testing.untrained_checkpoints.preprocessors import byte_level_clip_tokenizer
from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion import (
    LATENT_CHANNELS,
    SAMPLE_SIZE,
    WIDTH,
    text_encoder_config,
    untrained_autoencoder,
)

_NOISE_LEVEL_SIZE: Final = 128
_WIDTH: Final = 32
"""Channels of a group, in UNets of this kind."""


def save_untrained_upscaler(
    directory: Path, *, seed: int = 0, latent_channels: int = LATENT_CHANNELS, scaling_factor: float = 0.18215
) -> None:
    """Build the upscaler and save it as a diffusers directory.

    Args:
        directory: Destination; created if needed.
        seed: Of the weights.
        latent_channels: Of the latents that it enlarges.
        scaling_factor: Of the same.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipeline = StableDiffusionLatentUpscalePipeline(
            vae=untrained_autoencoder(latent_channels=latent_channels, scaling_factor=scaling_factor),
            text_encoder=CLIPTextModel(text_encoder_config()),
            tokenizer=byte_level_clip_tokenizer(),
            unet=_unet(latent_channels),
            scheduler=EulerDiscreteScheduler(prediction_type="sample"),
        )
    pipeline.save_pretrained(directory)


def _unet(latent_channels: int) -> UNet2DConditionModel:
    """Return a UNet of two resolutions of Katherine Crowson's kind, as the published upscaler is."""
    return UNet2DConditionModel(
        sample_size=2 * SAMPLE_SIZE,
        in_channels=2 * latent_channels,
        out_channels=latent_channels + 1,
        block_out_channels=(_WIDTH,) * 2,
        time_embedding_dim=_WIDTH,
        layers_per_block=2,
        down_block_types=("KDownBlock2D", "KCrossAttnDownBlock2D"),
        up_block_types=("KCrossAttnUpBlock2D", "KUpBlock2D"),
        mid_block_type=None,
        norm_num_groups=None,
        act_fn="gelu",
        attention_head_dim=8,
        cross_attention_dim=WIDTH,
        only_cross_attention=False,
        resnet_time_scale_shift="scale_shift",
        time_embedding_type="fourier",
        timestep_post_act="gelu",
        time_cond_proj_dim=_NOISE_LEVEL_SIZE + WIDTH,
        conv_in_kernel=1,
        conv_out_kernel=1,
    )
