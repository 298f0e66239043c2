"""Training of the detailer: from what the served model makes in one step to the art of the same scene.

It learns on the model as it is served, its mistakes included: on the denoiser's decoded estimate from pure
noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from diffusers import AutoencoderDC, UNet2DConditionModel
from torch import Tensor

from chladni_image_generation.families.embedded.conditioning import encode_condition
from chladni_image_generation.families.embedded.correspondences import parameters_from_descriptors
from chladni_image_generation.families.embedded.detail_planes import draw_detail_planes
from chladni_image_generation.families.embedded.detailer import FOLD, Detailer, DetailerConfig
from chladni_image_generation.families.embedded.noise_grid import grids_of_noise
from chladni_image_generation.training.autoencoder import (
    DOWNSAMPLING,
    LATENT_CHANNELS,
    slope_difference,
)
from chladni_image_generation.training.checkpoints import load_checkpoint, save_checkpoint
from chladni_image_generation.training.data.art import render
from chladni_image_generation.training.data.descriptor_sampling import sample_descriptors
from chladni_image_generation.training.presets import DetailerPreset
from chladni_image_generation.training.progress import ProgressLog

_SEED: Final = 500_000_000
_NOISIEST: Final = 999.0
_SLOPE_WEIGHT: Final = 2.0


@dataclass(frozen=True)
class Example:
    """One image to learn from.

    Attributes:
        decoded: float16 (3, H, W) in [-1, 1], what the model makes.
        planes: float16 (P, H, W) of the scene.
        art: uint8 (3, H, W), what it should become.
    """

    decoded: Tensor
    planes: Tensor
    art: Tensor


def train_detailer(
    preset: DetailerPreset,
    denoiser: UNet2DConditionModel,
    autoencoder: AutoencoderDC,
    *,
    checkpoint: Path,
    seed: int,
) -> Detailer:
    """Train to the preset's last step, going on from the checkpoint if there is one.

    Returns:
        The detailer in evaluation mode.
    """
    torch.manual_seed(seed)
    detailer = Detailer(DetailerConfig(hidden_channels=preset.hidden_channels))
    optimizer = torch.optim.AdamW(
        detailer.parameters(), lr=preset.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4
    )
    first_step, seconds_before = 0, 0.0
    if state := load_checkpoint(checkpoint):
        detailer.load_state_dict(state["detailer"])
        optimizer.load_state_dict(state["optimizer"])
        first_step, seconds_before = state["step"], state["seconds"]

    log = ProgressLog("detailer", preset.steps, first_step, seconds_before, every_steps=10)
    pool: list[Example] = []
    for step in range(first_step, preset.steps):
        if not pool or step % preset.steps_per_chapter == 0:
            fresh = make_examples(preset, step // preset.steps_per_chapter, denoiser, autoencoder, seed=seed)
            pool = [*pool, *fresh][-preset.pool_images :]
        generator = torch.Generator().manual_seed(seed * 7_907 + step)
        decoded, planes, art = _crops(pool, preset, generator)
        for group in optimizer.param_groups:
            group["lr"] = preset.learning_rate * _schedule(step, preset.steps)
        drawn = detailer(decoded, planes)
        # No term for the colours of broad areas: those are the denoiser's, which a few convolutions cannot
        # mend, and the noise of their gradient would drown that of the lines.
        losses = {
            "pixels": (drawn - art).abs().mean(),
            "slopes": _SLOPE_WEIGHT * slope_difference(drawn, art),
        }
        optimizer.zero_grad()
        torch.autograd.backward(torch.stack(list(losses.values())).sum())
        torch.nn.utils.clip_grad_norm_(detailer.parameters(), 1.0)
        optimizer.step()
        log.report(step + 1, **{name: float(value.detach()) for name, value in losses.items()})
        if (step + 1) % preset.steps_per_chapter == 0 or step + 1 == preset.steps:
            save_checkpoint(
                checkpoint,
                {
                    "detailer": detailer.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "step": step + 1,
                    "seconds": log.seconds,
                },
            )
    return detailer.eval()


@torch.no_grad()
def make_examples(
    preset: DetailerPreset,
    chapter: int,
    denoiser: UNet2DConditionModel,
    autoencoder: AutoencoderDC,
    *,
    seed: int,
) -> list[Example]:
    """Return the images of a chapter, of several sizes."""
    first = _SEED + (seed * 1_000 + chapter) * preset.images_per_chapter
    embeddings = sample_descriptors(preset.images_per_chapter, seed=first)
    examples = []
    for row in range(preset.images_per_chapter):
        size_pixels = preset.sizes_pixels[row % len(preset.sizes_pixels)]
        generator = torch.Generator().manual_seed(first + row)
        side = size_pixels // DOWNSAMPLING
        noise = torch.randn((1, LATENT_CHANNELS, side, side), generator=generator)
        embedding = embeddings[row : row + 1]
        grids = grids_of_noise(noise)
        condition = encode_condition(embedding, grids, height=side, width=side)
        latents = denoiser(
            torch.cat([noise, condition.guide], dim=1),
            torch.tensor([_NOISIEST]),
            encoder_hidden_states=None,
            class_labels=condition.class_labels,
        ).sample
        planes = draw_detail_planes(
            parameters_from_descriptors(embedding), grids, height=size_pixels, width=size_pixels
        )
        examples.append(
            Example(
                autoencoder.decode(latents).sample[0].clamp(-1, 1).half(),
                planes[0].half(),
                (render(embedding, grids, size_pixels=size_pixels)[0] * 255).round().byte(),
            )
        )
    return examples


def _crops(
    pool: list[Example], preset: DetailerPreset, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Return decoded images, planes and art, each (B, K, crop, crop), images in [-1, 1]."""
    crop = preset.crop_pixels
    decoded, planes, art = [], [], []
    for _ in range(preset.batch_size):
        draw = torch.rand(3, generator=generator).tolist()
        example = pool[int(draw[0] * len(pool))]
        span = (example.art.shape[-1] - crop) // FOLD + 1
        top, left = (FOLD * int(share * span) for share in draw[1:])
        rows, columns = slice(top, top + crop), slice(left, left + crop)
        decoded.append(example.decoded[:, rows, columns])
        planes.append(example.planes[:, rows, columns])
        art.append(example.art[:, rows, columns])
    return torch.stack(decoded).float(), torch.stack(planes).float(), torch.stack(art).float() / 127.5 - 1


def _schedule(step: int, steps: int) -> float:
    """Return the share of the peak learning rate: linear warm-up over 50 steps, then a cosine to 2 %."""
    return min((step + 1) / 50, 0.51 + 0.49 * math.cos(math.pi * step / steps))
