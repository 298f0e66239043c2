"""Initial latents of a latent diffusion model, made from a log-mel spectrogram.

A latent diffusion model starts from latents x_T, which are white noise as a rule. Here they are made of a
sound instead::

    log-mel spectrogram --mel_image--> square image --basis--> values --z-score--> latents (C, H, W)

The image has as many cells as the latents have values: (4, 32, 32) takes 64 x 64, (4, 64, 64) takes 128 x
128. Its rows are frequencies, **the lowest first**, as in the spectrogram itself and unlike a drawn one; its
columns are time. Flattened row by row, the first channel of the latents gets the lowest frequencies.

Neighbouring cells of a mel image are alike, so z-scored cells are far from white noise. The coefficients of
the image's cosine transform hardly depend on each other, which is what the transform is used for (Ahmed,
Natarajan and Rao 1974, "Discrete cosine transform").
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt
import scipy.fft
from PIL import Image

LatentShape = tuple[int, int, int]
"""Channels, height and width of latents."""

DEFAULT_LATENT_SHAPE: Final[LatentShape] = (4, 32, 32)
MAX_IMAGE_SIDE: Final = 512


class LatentBasis(StrEnum):
    """In which numbers a mel image becomes latents."""

    MEL = "mel"
    DCT = "dct"


def is_latent_shape(shape: tuple[int, ...]) -> bool:
    """Return whether latents can have a shape: three sizes with a square number as product, not too large."""
    if len(shape) != 3 or min(shape) < 1:
        return False
    count = math.prod(shape)
    return math.isqrt(count) ** 2 == count and count <= MAX_IMAGE_SIDE**2


def describe_latent_shapes() -> str:
    """Return, for people, which shapes latents can have."""
    return (
        f"(C, H, W) with C x H x W a square number of at most {MAX_IMAGE_SIDE**2}, "
        "such as (4, 32, 32) or (4, 64, 64)"
    )


def latent_values(
    scaled: npt.NDArray[np.float32], *, side: int, basis: LatentBasis
) -> npt.NDArray[np.float32]:
    """Return what becomes latents, before any scaling: what calibrations are computed from.

    Args:
        scaled: (mel bins, frames) log-mel spectrogram in [0, 1].
        side: Rows and columns of the mel image.
        basis: In which numbers.

    Returns:
        (side * side,) float32: cells in [0, 1], or coefficients in [-side, side].
    """
    image = mel_image(scaled, side=side)
    if basis is LatentBasis.DCT:
        image = scipy.fft.dctn(image.astype(np.float64), type=2, norm="ortho").astype(np.float32)
    return image.reshape(-1)


def mel_image(scaled: npt.NDArray[np.float32], *, side: int) -> npt.NDArray[np.float32]:
    """Return a spectrogram resized to a square.

    Pillow's bilinear filter widens as it shrinks, so that fine detail does not alias; nothing overshoots.

    Args:
        scaled: (mel bins, frames) log-mel spectrogram in [0, 1].
        side: Rows and columns of the image.

    Returns:
        (side, side) float32 in [0, 1]; row 0 is the lowest frequency, column 0 the beginning.
    """
    cells = np.ascontiguousarray(scaled, dtype=np.float32)
    resized = Image.fromarray(cells).resize((side, side), Image.Resampling.BILINEAR)
    return np.clip(np.asarray(resized, dtype=np.float32), 0.0, 1.0)
