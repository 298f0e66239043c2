"""An untrained tiny decoder, to be added to an untrained model with the same latents."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderTiny

from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion import LATENT_CHANNELS


def save_untrained_tiny_decoder(
    directory: Path, *, seed: int = 0, latent_channels: int = LATENT_CHANNELS, resolutions: int = 2
) -> None:
    """Build the decoder and save it as a diffusers directory.

    Args:
        directory: Destination; created if needed.
        seed: Of the weights.
        latent_channels: Of the latents that it decodes.
        resolutions: A latent stands for ``2 ** (resolutions - 1)`` pixels a side.
    """
    widths, blocks = (8,) * resolutions, (1,) * resolutions
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        decoder = AutoencoderTiny(
            encoder_block_out_channels=widths,
            decoder_block_out_channels=widths,
            num_encoder_blocks=blocks,
            num_decoder_blocks=blocks,
            latent_channels=latent_channels,
        )
    decoder.save_pretrained(directory)
