"""An untrained unconditional model that computes on pixels."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import DDIMPipeline, DDIMScheduler, DDPMPipeline, DDPMScheduler, UNet2DModel


def save_untrained_ddpm(
    directory: Path, *, seed: int = 0, size_pixels: int = 28, channels: int = 1, is_ddim: bool = False
) -> None:
    """Build the model and save it as a diffusers directory.

    Args:
        directory: Destination; created if needed.
        seed: Of the weights.
        size_pixels: Sides of its images.
        channels: 1 for gray images, 3 for those with colours.
        is_ddim: Whether its index names DDIM's pipeline and scheduler, not those of DDPM.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = UNet2DModel(
            sample_size=size_pixels,
            in_channels=channels,
            out_channels=channels,
            layers_per_block=1,
            block_out_channels=(8, 16),
            down_block_types=("DownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "UpBlock2D"),
            attention_head_dim=8,
            norm_num_groups=4,
        )
    # Otherwise it hardly sees how noisy an image is, and what it tells has hardly any contrast.
    unet.conv_out.weight.data.mul_(4)
    settings = {"num_train_timesteps": 1000, "beta_schedule": "squaredcos_cap_v2"}
    pipeline: DDIMPipeline | DDPMPipeline
    if is_ddim:
        pipeline = DDIMPipeline(unet=unet, scheduler=DDIMScheduler(**settings))
    else:
        pipeline = DDPMPipeline(unet=unet, scheduler=DDPMScheduler(**settings))
    pipeline.save_pretrained(directory)
