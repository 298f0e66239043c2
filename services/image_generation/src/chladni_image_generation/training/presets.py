"""The sizes and step counts of a training run: one for what ships, one for a test."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AutoencoderPreset:
    """Autoencoder and its training; f = 8, so 512x512 pixels become (4, 64, 64) latents."""

    channels: tuple[int, ...]
    layers: tuple[int, ...]
    steps: int
    batch_size: int
    crop_pixels: int
    images_per_chapter: int
    steps_per_chapter: int
    learning_rate: float
    latent_noise: float


@dataclass(frozen=True)
class DenoiserPhase:
    """A phase of denoiser training on latents of one image size."""

    size_pixels: int
    images: int
    steps: int
    batch_size: int
    learning_rate: float


@dataclass(frozen=True)
class DenoiserPreset:
    """Denoiser and its training, phase by phase, small images first."""

    channels: tuple[int, ...]
    layers_per_block: int
    norm_groups: int
    phases: tuple[DenoiserPhase, ...]
    noise_shift: float
    condition_dropout: float
    average_decay: float


@dataclass(frozen=True)
class DetailerPreset:
    """Detailer and its training, on images of several sizes."""

    hidden_channels: int
    steps: int
    steps_per_chapter: int
    images_per_chapter: int
    pool_images: int
    sizes_pixels: tuple[int, ...]
    batch_size: int
    crop_pixels: int
    learning_rate: float


@dataclass(frozen=True)
class TrainingPreset:
    """Everything about a run that is not the seed."""

    name: str
    autoencoder: AutoencoderPreset
    denoiser: DenoiserPreset
    detailer: DetailerPreset
    held_out_images: int
    sampling_shift: float
    checkpoint_every_steps: int


FULL = TrainingPreset(
    name="full",
    autoencoder=AutoencoderPreset(
        channels=(16, 32, 64, 128),
        layers=(1, 1, 1, 2),
        steps=3_000,
        batch_size=8,
        crop_pixels=128,
        images_per_chapter=300,
        steps_per_chapter=1000,
        learning_rate=1.5e-3,
        latent_noise=0.2,
    ),
    denoiser=DenoiserPreset(
        channels=(80,),
        layers_per_block=2,
        norm_groups=16,
        phases=(
            DenoiserPhase(size_pixels=512, images=4_000, steps=14_500, batch_size=8, learning_rate=1.5e-3),
        ),
        noise_shift=10.0,
        condition_dropout=0.05,
        average_decay=0.999,
    ),
    detailer=DetailerPreset(
        hidden_channels=40,
        steps=1_200,
        steps_per_chapter=120,
        images_per_chapter=8,
        pool_images=40,
        sizes_pixels=(512, 512, 768, 256, 512, 512, 512, 512),
        batch_size=6,
        crop_pixels=96,
        learning_rate=2e-3,
    ),
    held_out_images=32,
    sampling_shift=10.0,
    checkpoint_every_steps=250,
)

TINY = TrainingPreset(
    name="tiny",
    autoencoder=AutoencoderPreset(
        channels=(8, 8, 16, 16),
        layers=(1, 1, 1, 1),
        steps=4,
        batch_size=2,
        crop_pixels=32,
        images_per_chapter=4,
        steps_per_chapter=2,
        learning_rate=1e-3,
        latent_noise=0.1,
    ),
    denoiser=DenoiserPreset(
        channels=(16,),
        layers_per_block=1,
        norm_groups=8,
        phases=(
            DenoiserPhase(size_pixels=128, images=4, steps=2, batch_size=2, learning_rate=1e-3),
            DenoiserPhase(size_pixels=256, images=4, steps=2, batch_size=2, learning_rate=1e-3),
        ),
        noise_shift=10.0,
        condition_dropout=0.1,
        average_decay=0.5,
    ),
    detailer=DetailerPreset(
        hidden_channels=8,
        steps=4,
        steps_per_chapter=2,
        images_per_chapter=2,
        pool_images=2,
        sizes_pixels=(128, 64),
        batch_size=2,
        crop_pixels=32,
        learning_rate=1e-3,
    ),
    held_out_images=2,
    sampling_shift=10.0,
    checkpoint_every_steps=2,
)
