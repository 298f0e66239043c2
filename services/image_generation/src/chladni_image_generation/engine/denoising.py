"""Calls of the model's two networks, padded so that companions do not matter.

A kernel may round differently for another number of rows, so every call for exact requests has the same
number, short ones being padded. Whether it also rounds differently for another place in the batch is for
`slot_check` to find out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from chladni_image_generation.models.interface import DenoiserRow, LatentDiffusionModel


def denoise_rows(
    model: LatentDiffusionModel, rows: Sequence[DenoiserRow], *, rows_per_call: int, padded: bool
) -> list[Tensor]:
    """Returns the denoiser's output (C, H, W) for each row, in as many calls as it takes.

    Args:
        model: The model.
        rows: Rows of one group.
        rows_per_call: Rows of a call at most.
        padded: Whether each call has exactly that many.
    """
    outputs: list[Tensor] = []
    for start, padding in _calls(len(rows), rows_per_call, padded=padded):
        batch = rows[start : start + rows_per_call]
        outputs.extend(model.denoise([*batch, *[batch[0]] * padding])[: len(batch)])
    return outputs


def decode_latents(
    model: LatentDiffusionModel, latents: Sequence[Tensor], *, rows_per_call: int, padded: bool
) -> list[NDArray[np.uint8]]:
    """Returns the RGB pixels (H, W, 3) of each latents (C, h, w), in as many calls as it takes.

    Arguments are those of `denoise_rows`.
    """
    images: list[NDArray[np.uint8]] = []
    for start, padding in _calls(len(latents), rows_per_call, padded=padded):
        batch = latents[start : start + rows_per_call]
        images.extend(model.decode(torch.stack([*batch, *[batch[0]] * padding]))[: len(batch)])
    return images


def _calls(row_count: int, rows_per_call: int, *, padded: bool) -> Iterator[tuple[int, int]]:
    """Gives the first row of each call and how many rows it must be padded with."""
    for start in range(0, row_count, rows_per_call):
        yield start, max(0, start + rows_per_call - row_count) if padded else 0
