"""The art that the image model learns from: all that is known of it here."""

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
    """Returns art that no training step ever sees: (N, H, W, 3).

    Raises:
        NotMeasurableError: The art cannot be rendered here.
    """
    with _rendering():
        from chladni_image_generation.training.autoencoder import held_out_images  # noqa: PLC0415

        return _pixels(held_out_images(count, size_pixels=size_pixels))


def training_art(count: int, size_pixels: int) -> NDArray[np.uint8]:
    """Returns images that the denoiser trains on: (N, H, W, 3).

    They are every other one of its first, those whose descriptors are drawn; the others may be of recordings.

    Args:
        count: How many.
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


def art_of_sounds(
    embeddings: NDArray[np.float32], seeds: Sequence[int], size_pixels: int
) -> NDArray[np.uint8]:
    """Returns the art that the model should paint for sounds: (N, H, W, 3).

    Args:
        embeddings: (N, D) embeddings of sounds.
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
    """Returns the directory of the shipped autoencoder, in diffusers' format."""
    return Path(str(files("chladni_image_generation"))) / "models" / "embedded" / "vae"


@contextmanager
def _rendering() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise NotMeasurableError(f"the training art cannot be rendered: {error}") from error


def _pixels(images: Tensor) -> NDArray[np.uint8]:
    """(N, 3, H, W) in [0, 1] to bytes."""
    pixels: NDArray[np.uint8] = (images * 255).round().byte().permute(0, 2, 3, 1).numpy()
    return pixels
