"""Changes of images and audio that leave what they mean: what a model must not learn to look at.

Hues and sides carry meaning in Chladni's images, so neither is changed: no turning of the colour circle, no
mirror images. All randomness is torch's own, so that `torch.manual_seed` decides it.
"""

from __future__ import annotations

import math
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

_CHUNKS: Final = 4
"""Parts of a batch that share a crop and a resolution; one of them is compressed."""

_SMALLEST_CROP: Final = 0.86
_LOWEST_RESOLUTION: Final = 0.5
_CONTRAST: Final = 0.1
_BRIGHTNESS: Final = 0.05
_PIXEL_NOISE: Final = 0.02
_BLOCK: Final = 8
_QUALITIES: Final = (35, 90)
_QUANTISATION: Final = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""JPEG's table for luminance (ITU-T T.81, annex K), in 255ths."""


def augment_images(images: Tensor) -> Tensor:
    """Return images as they may come back from the world: cropped a little, resized, compressed, noisy.

    Args:
        images: uint8 (N, 3, side, side).

    Returns:
        float32 (N, 3, side, side) in [0, 1].
    """
    chunks = [
        _recapture(chunk.float().div(255), is_compressed=position == 0)
        for position, chunk in enumerate(images.chunk(_CHUNKS))
    ]
    batch = torch.cat(chunks)
    each = (len(batch), 1, 1, 1)
    contrast = 1 + _CONTRAST * _symmetric(each)
    offset = 0.5 - 0.5 * contrast + _BRIGHTNESS * _symmetric(each)
    noise = torch.randn_like(batch).mul_(_PIXEL_NOISE * torch.rand(each))
    # In place: a batch is 25 MB, and fresh memory for each of five results takes longer than the arithmetic.
    return batch.mul_(contrast).add_(offset).add_(noise).clamp_(0, 1)


def augment_audio(audio: Tensor, noise: float) -> Tensor:
    """Return embeddings of audio that sounds almost the same: with Gaussian noise, in [0, 1].

    Args:
        audio: (N, 152) in [0, 1].
        noise: Standard deviation.
    """
    return (audio + noise * torch.randn_like(audio)).clamp(0, 1)


def compress(images: Tensor, quality: int) -> Tensor:
    """Return images as a JPEG file would keep them, with each colour channel quantised as luminance is.

    Args:
        images: (N, 3, side, side) in [0, 1]; the side is a multiple of 8.
        quality: 1 to 100, as the reference implementation of JPEG counts.
    """
    count, channels, side, _ = images.shape
    scale = 50 / quality if quality < 50 else 2 - quality / 50
    steps = (torch.tensor(_QUANTISATION, dtype=images.dtype) * scale).clamp(min=1) / 255
    blocks = images.reshape(count, channels, side // _BLOCK, _BLOCK, side // _BLOCK, _BLOCK).transpose(3, 4)
    basis = _cosine_basis().to(images.dtype)
    coefficients = basis @ blocks @ basis.T
    quantised = (coefficients / steps).round() * steps
    restored = (basis.T @ quantised @ basis).transpose(3, 4)
    return restored.reshape(images.shape).clamp(0, 1)


def _recapture(images: Tensor, *, is_compressed: bool) -> Tensor:
    """Return images cropped, taken to a lower resolution and back, and perhaps compressed."""
    side = images.shape[-1]
    height, width = (_between(round(_SMALLEST_CROP * side), side) for _ in range(2))
    top, left = _between(0, side - height), _between(0, side - width)
    cropped = images[:, :, top : top + height, left : left + width]
    if torch.rand(()) < 0.5:
        resolution = _between(round(_LOWEST_RESOLUTION * side), side)
        cropped = F.interpolate(cropped, (resolution, resolution), mode="bilinear", antialias=True)
    resized = F.interpolate(cropped, (side, side), mode="bilinear", antialias=True).clamp(0, 1)
    return compress(resized, _between(*_QUALITIES)) if is_compressed else resized


def _between(lowest: int, highest: int) -> int:
    return int(torch.randint(lowest, highest + 1, ()))


def _symmetric(shape: tuple[int, ...]) -> Tensor:
    return 2 * torch.rand(shape) - 1


def _cosine_basis() -> Tensor:
    """Return the orthonormal discrete cosine transform of type II of 8 values, (frequency, position)."""
    position = torch.arange(_BLOCK) + 0.5
    frequency = torch.arange(_BLOCK)[:, None]
    basis = torch.cos(math.pi / _BLOCK * frequency * position) * math.sqrt(2 / _BLOCK)
    basis[0] /= math.sqrt(2)
    return basis
