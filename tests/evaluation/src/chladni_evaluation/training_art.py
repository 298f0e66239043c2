"""The art that the image model is trained on, rendered for comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from chladni_benchmarks.conditions import NotMeasurableError

if TYPE_CHECKING:
    from torch import Tensor

_TRAINING_SEED: Final = 1
_TRAINING_PIXELS: Final = 512


def held_out_art(count: int, size_pixels: int) -> NDArray[np.uint8]:
    """Return art that no training step sees: (N, H, W, 3).

    Raises:
        NotMeasurableError: The art cannot be rendered here.
    """
    with _rendering():
        from chladni_image_generation.training.autoencoder import held_out_images  # noqa: PLC0415

        return _pixels(held_out_images(count, size_pixels=size_pixels))


def training_art(count: int, size_pixels: int) -> NDArray[np.uint8]:
    """Return images that the denoiser trains on: (N, H, W, 3).

    They are every other one of the first images, those of drawn descriptors; the others may be of clips.

    Args:
        count: Number of images.
        size_pixels: Height and width; the training's are 512.

    Raises:
        NotMeasurableError: The art cannot be rendered here.
    """
    with _rendering():
        from chladni_image_generation.training.data.art import render_each  # noqa: PLC0415
        from chladni_image_generation.training.data.latent_dataset import ImageSeries  # noqa: PLC0415

        series = ImageSeries(2 * count, _TRAINING_PIXELS, _TRAINING_SEED, Path())
        embeddings, grids = series.drawn()
        return _pixels(render_each(embeddings[1::2], grids[1::2], size_pixels=size_pixels))


def art_of_embeddings(
    embeddings: NDArray[np.float32], seeds: Sequence[int], size_pixels: int
) -> NDArray[np.uint8]:
    """Return the art that the model should generate for embeddings of audio: (N, H, W, 3).

    Args:
        embeddings: (N, D) embeddings of clips.
        seeds: Seed of each image's noise.
        size_pixels: Height and width.

    Raises:
        NotMeasurableError: The art cannot be rendered here.
    """
    with _rendering():
        import torch  # noqa: PLC0415

        from chladni_image_generation.families.embedded.noise_grid import grids_of_noise  # noqa: PLC0415
        from chladni_image_generation.training.data.art import render_each  # noqa: PLC0415
        from chladni_image_generation.training.reports.sampling import initial_noise  # noqa: PLC0415

        grids = grids_of_noise(initial_noise(list(seeds), size_pixels))
        return _pixels(render_each(torch.tensor(embeddings), grids, size_pixels=size_pixels))


def autoencoder_directory() -> Path:
    """Return the directory of the shipped autoencoder, in diffusers' format."""
    return Path(str(files("chladni_image_generation"))) / "models" / "embedded" / "vae"


@contextmanager
def _rendering() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise NotMeasurableError(f"the training art cannot be rendered: {error}") from error


def _pixels(images: Tensor) -> NDArray[np.uint8]:
    """Return images (N, 3, H, W) in [0, 1] as bytes (N, H, W, 3)."""
    pixels: NDArray[np.uint8] = (images * 255).round().byte().permute(0, 2, 3, 1).numpy()
    return pixels
