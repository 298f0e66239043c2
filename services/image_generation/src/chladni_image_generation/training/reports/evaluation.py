"""Figures about the trained model: how true its autoencoder, how like the art its samples, how fast.

The distance to the art compares simple statistics of images, so that it needs no other model: the
mean and spread of each colour channel and of its slopes at three scales.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from chladni_image_generation.families.embedded.noise_grid import grids_of_noise
from chladni_image_generation.training.autoencoder import (
    held_out_images,
    psnr_db,
    reconstruction_psnr_db,
)
from chladni_image_generation.training.data.art import render_each
from chladni_image_generation.training.data.descriptor_sampling import sample_descriptors
from chladni_image_generation.training.reports.sampling import (
    ImageModel,
    SamplingDefaults,
    initial_noise,
    sample_images,
)

_EVALUATION_SEED = 88_000_000


def evaluate(model: ImageModel, *, images: int, defaults: SamplingDefaults) -> Mapping[str, float]:
    """Measure the model on descriptors and seeds that training never saw.

    Returns:
        ``autoencoder.psnr_db``; ``samples.psnr_to_art_db``, against the art of the same descriptors and
        noise; ``samples.statistics_distance``, in standard deviations of the art's
        own statistics (two sets of art differ by about 0.1 to 0.2); ``samples.condition_correlation``,
        the correlation over images of the samples' mean colours with those of the art for the same
        descriptors; ``samples.neighbour_correlation`` of adjacent pixels (0 for noise, near 1 for
        forms); ``seconds_per_image`` on this machine.
    """
    embedding = sample_descriptors(images, seed=_EVALUATION_SEED)
    noise = initial_noise([_EVALUATION_SEED + row for row in range(images)], defaults.size_pixels)
    art = render_each(embedding, grids_of_noise(noise), size_pixels=defaults.size_pixels)
    started = time.perf_counter()
    samples = sample_images(model, embedding, noise, defaults)
    seconds = (time.perf_counter() - started) / images
    held_out = held_out_images(images, size_pixels=defaults.size_pixels)
    return {
        "autoencoder.psnr_db": round(reconstruction_psnr_db(model.autoencoder, held_out), 3),
        "samples.psnr_to_art_db": round(psnr_db(samples, art), 3),
        "samples.statistics_distance": round(statistics_distance(samples, art), 4),
        "samples.condition_correlation": round(colour_correlation(samples, art), 4),
        "samples.neighbour_correlation": round(neighbour_correlation(samples), 4),
        "seconds_per_image": round(seconds, 3),
    }


def image_statistics(images: Tensor) -> Tensor:
    """Return (B, 24) means, spreads and log slopes of the colour channels of (B, 3, H, W) images."""
    columns = [images.mean(dim=(2, 3)), images.std(dim=(2, 3))]
    level = images
    for _ in range(3):
        slopes = level.diff(dim=2).abs().mean(dim=(2, 3)), level.diff(dim=3).abs().mean(dim=(2, 3))
        columns.extend((slope + 1e-4).log() for slope in slopes)
        level = functional.avg_pool2d(level, 4)
    return torch.cat(columns, dim=1)


def statistics_distance(first: Tensor, second: Tensor) -> float:
    """Return the mean absolute difference of mean statistics, in standard deviations of the second set."""
    ours, theirs = image_statistics(first), image_statistics(second)
    spread = theirs.std(dim=0).clamp(min=1e-6)
    return float(((ours.mean(dim=0) - theirs.mean(dim=0)) / spread).abs().mean())


def colour_correlation(first: Tensor, second: Tensor) -> float:
    """Return the correlation of the mean colours of two sets of images, channel by channel, averaged."""
    ours, theirs = first.mean(dim=(2, 3)), second.mean(dim=(2, 3))
    ours, theirs = ours - ours.mean(dim=0), theirs - theirs.mean(dim=0)
    products = (ours * theirs).mean(dim=0)
    scale = (ours.square().mean(dim=0) * theirs.square().mean(dim=0)).sqrt().clamp(min=1e-9)
    return float((products / scale).mean())


def neighbour_correlation(images: Tensor) -> float:
    """Return the correlation of horizontally adjacent pixels, averaged over images and channels."""
    left, right = images[..., :-1].flatten(2), images[..., 1:].flatten(2)
    left, right = left - left.mean(dim=2, keepdim=True), right - right.mean(dim=2, keepdim=True)
    scale = (left.square().mean(dim=2) * right.square().mean(dim=2)).sqrt().clamp(min=1e-9)
    return float(((left * right).mean(dim=2) / scale).mean())
