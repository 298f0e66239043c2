"""Training of the autoencoder: images to latents an eighth of their size, and back.

The architecture is DC-AE's (Chen et al. 2024, "Deep compression autoencoder for efficient
high-resolution diffusion models"), whose space-to-channel shortcuts make a small network learn
quickly. Two things make its latents good to denoise: they are kept near zero mean and at unit
variance in each channel, and the decoder sees them with noise added, so that
it forgives the small errors of a denoiser.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from diffusers import AutoencoderDC
from torch import Tensor
from torch.nn import functional

from chladni_image_generation.families.embedded.noise_grid import draw_grids
from chladni_image_generation.training.checkpoints import load_checkpoint, save_checkpoint
from chladni_image_generation.training.data.art import render, render_each
from chladni_image_generation.training.data.descriptor_sampling import sample_descriptors
from chladni_image_generation.training.presets import AutoencoderPreset
from chladni_image_generation.training.progress import ProgressLog

LATENT_CHANNELS = 4
DOWNSAMPLING = 8
_ART_SEED = 1_000_000
_HELD_OUT_SEED = 900_000_000


def build_autoencoder(preset: AutoencoderPreset) -> AutoencoderDC:
    """Return a fresh autoencoder; without shortcuts at the latent, so that its scale can be folded in."""
    no_attention = ((),) * len(preset.channels)
    autoencoder: AutoencoderDC = AutoencoderDC(
        in_channels=3,
        latent_channels=LATENT_CHANNELS,
        encoder_block_types="ResBlock",
        decoder_block_types="ResBlock",
        encoder_block_out_channels=preset.channels,
        decoder_block_out_channels=preset.channels,
        encoder_layers_per_block=preset.layers,
        decoder_layers_per_block=preset.layers,
        encoder_qkv_multiscales=no_attention,
        decoder_qkv_multiscales=no_attention,
        upsample_block_type="pixel_shuffle",
        downsample_block_type="pixel_unshuffle",
        decoder_norm_types="rms_norm",
        decoder_act_fns="silu",
        encoder_out_shortcut=False,
        decoder_in_shortcut=False,
        scaling_factor=1.0,
    )
    return autoencoder


def train_autoencoder(
    preset: AutoencoderPreset, *, checkpoint: Path, seed: int, checkpoint_every_steps: int
) -> AutoencoderDC:
    """Train to the preset's last step, going on from the checkpoint if there is one.

    Returns:
        The autoencoder in evaluation mode, its latents normalised.
    """
    torch.manual_seed(seed)
    autoencoder = build_autoencoder(preset).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(
        autoencoder.parameters(), lr=preset.learning_rate, betas=(0.9, 0.99), weight_decay=1e-3
    )
    first_step, seconds_before = 0, 0.0
    if state := load_checkpoint(checkpoint):
        autoencoder.load_state_dict(state["autoencoder"])
        first_step, seconds_before = state["step"], state["seconds"]
        if first_step < preset.steps:
            optimizer.load_state_dict(state["optimizer"])

    log = ProgressLog("autoencoder", preset.steps, first_step, seconds_before)
    images: list[Tensor] = []
    for step in range(first_step, preset.steps):
        if not images or step % preset.steps_per_chapter == 0:
            images = _chapter(preset, step // preset.steps_per_chapter, seed=seed)
        generator = torch.Generator().manual_seed(seed * 7_919 + step)
        crops = _crops(images, preset, generator)
        for group in optimizer.param_groups:
            group["lr"] = preset.learning_rate * _schedule(step, preset.steps)
        losses = _step(autoencoder, crops, preset.latent_noise, generator)
        optimizer.zero_grad()
        torch.autograd.backward(torch.stack(list(losses.values())).sum())
        torch.nn.utils.clip_grad_norm_(autoencoder.parameters(), 1.0)
        optimizer.step()
        log.report(step + 1, **{name: float(value.detach()) for name, value in losses.items()})
        if (step + 1) % checkpoint_every_steps == 0 and step + 1 < preset.steps:
            _save(checkpoint, autoencoder, optimizer, step + 1, log.seconds)

    autoencoder.eval()
    if first_step < preset.steps:
        normalise_latents(autoencoder, held_out_images(16, size_pixels=4 * preset.crop_pixels))
        _save(checkpoint, autoencoder, optimizer, preset.steps, log.seconds)
    return autoencoder


def held_out_images(count: int, *, size_pixels: int) -> Tensor:
    """Return (count, 3, H, W) images in [0, 1] whose descriptors and seeds no training step ever sees."""
    embedding = sample_descriptors(count, seed=_HELD_OUT_SEED)
    grids = draw_grids([_HELD_OUT_SEED + row for row in range(count)])
    return render_each(embedding, grids, size_pixels=size_pixels)


@torch.no_grad()
def encode_images(autoencoder: AutoencoderDC, images: Tensor) -> Tensor:
    """Return the (B, 4, H / 8, W / 8) latents of (B, 3, H, W) images in [0, 1]."""
    latents: Tensor = autoencoder.encode(images * 2 - 1).latent.float()
    return latents


@torch.no_grad()
def decode_latents(autoencoder: AutoencoderDC, latents: Tensor) -> Tensor:
    """Return the (B, 3, 8 h, 8 w) images in [0, 1] of (B, 4, h, w) latents."""
    decoded: Tensor = autoencoder.decode(latents).sample
    return (decoded.float() / 2 + 0.5).clamp(0, 1)


def reconstruction_psnr_db(autoencoder: AutoencoderDC, images: Tensor) -> float:
    """Return the mean over images of the peak signal-to-noise ratio, in dB, of encoding and decoding."""
    decoded = [
        decode_latents(autoencoder, encode_images(autoencoder, image)) for image in torch.split(images, 1)
    ]
    return psnr_db(torch.cat(decoded), images)


def psnr_db(first: Tensor, second: Tensor) -> float:
    """Return the mean over images in [0, 1] of their peak signal-to-noise ratio in dB."""
    errors = (first - second).square().mean(dim=(1, 2, 3))
    return float((-10 * errors.log10()).mean())


@torch.no_grad()
def normalise_latents(autoencoder: AutoencoderDC, images: Tensor) -> None:
    """Fold the latents' deviation into the convolutions on both sides of them.

    Afterwards each latent channel has unit variance over these images and decodes as before, so
    no scale need be kept beside the model. The mean stays where the loss has pulled it, near zero:
    to fold it too would change what the decoder's zero padding means at the border.
    """
    latents = torch.cat([encode_images(autoencoder, image) for image in torch.split(images, 1)])
    deviation = latents.std(dim=(0, 2, 3))
    outlet, inlet = autoencoder.encoder.conv_out, autoencoder.decoder.conv_in
    outlet.weight.div_(deviation[:, None, None, None])
    outlet.bias.div_(deviation)
    inlet.weight.mul_(deviation[None, :, None, None])


def _step(
    autoencoder: AutoencoderDC, crops: Tensor, latent_noise: float, generator: torch.Generator
) -> dict[str, Tensor]:
    """Return the terms of the loss by name, of one forward pass."""
    crops = crops.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        latents = autoencoder.encode(crops).latent
        amount = latent_noise * torch.rand(crops.shape[0], 1, 1, 1, generator=generator)
        noise = torch.randn(latents.shape, generator=generator)
        decoded = autoencoder.decode(latents + amount * noise).sample.float()
    latents = latents.float()
    spread = latents.std(dim=(0, 2, 3)) - 1
    likeness = likeness_losses(decoded, crops)
    return likeness | {"latents": 0.1 * (latents.mean(dim=(0, 2, 3)) ** 2 + spread**2).mean()}


def likeness_losses(decoded: Tensor, images: Tensor) -> dict[str, Tensor]:
    """Return how far images in [-1, 1] are from what they should be, by name."""
    return {
        "pixels": (decoded - images).abs().mean(),
        "slopes": 0.5 * slope_difference(decoded, images),
        "colours": _colour_difference(decoded, images),
    }


def slope_difference(first: Tensor, second: Tensor) -> Tensor:
    """Return the mean absolute difference of the slopes at three scales: blur and ringing both cost."""
    total = torch.zeros(())
    difference = first - second
    for _ in range(3):
        total = total + difference.diff(dim=2).abs().mean() + difference.diff(dim=3).abs().mean()
        difference = functional.avg_pool2d(difference, 2)
    return total / 3


def _colour_difference(first: Tensor, second: Tensor) -> Tensor:
    """Return the mean absolute difference of broad areas on the opponent axes red-green and blue-yellow.

    Without it the four channels go to form alone for the first thousands of steps, and hues that
    differ at equal lightness are decoded alike.
    """
    red, green, blue = functional.avg_pool2d(first - second, 8).unbind(dim=1)
    return (red - green).abs().mean() + (blue - (red + green) / 2).abs().mean()


def _chapter(preset: AutoencoderPreset, chapter: int, *, seed: int) -> list[Tensor]:
    """Return fresh images for the next steps, at full and at half size, as uint8 (3, H, W)."""
    first = _ART_SEED + (seed * 1_000 + chapter) * preset.images_per_chapter
    embedding = sample_descriptors(preset.images_per_chapter, seed=first)
    grids = draw_grids([first + row for row in range(preset.images_per_chapter)])
    images = []
    for row in range(preset.images_per_chapter):
        size_pixels = preset.crop_pixels * (2 if row % 4 == 0 else 4)
        image = render(embedding[row : row + 1], grids[row : row + 1], size_pixels=size_pixels)
        images.append((image[0] * 255).round().byte())
    return images


def _crops(images: list[Tensor], preset: AutoencoderPreset, generator: torch.Generator) -> Tensor:
    """Return (B, 3, crop, crop) random crops in [-1, 1]."""
    crop = preset.crop_pixels
    crops = []
    for _ in range(preset.batch_size):
        draw = torch.rand(3, generator=generator).tolist()
        image = images[int(draw[0] * len(images))]
        top, left = (int(share * (image.shape[-1] - crop + 1)) for share in draw[1:])
        crops.append(image[:, top : top + crop, left : left + crop])
    return torch.stack(crops).float() / 127.5 - 1


def _schedule(step: int, steps: int) -> float:
    """Return the share of the peak learning rate: linear warm-up over 100 steps, then a cosine to 2 %."""
    return min((step + 1) / 100, 0.51 + 0.49 * math.cos(math.pi * step / steps))


def _save(
    path: Path,
    autoencoder: AutoencoderDC,
    optimizer: torch.optim.Optimizer,
    step: int,
    seconds: float,
) -> None:
    save_checkpoint(
        path,
        {
            "autoencoder": autoencoder.state_dict(),
            "optimizer": optimizer.state_dict(),
            "step": step,
            "seconds": seconds,
        },
    )
