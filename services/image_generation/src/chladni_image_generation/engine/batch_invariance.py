"""Whether the result of a row depends on its place among the rows of a call, or on the other rows.

Kernels promise nothing of the kind. torch on a CPU splits a tensor among its threads where it likes, and the
numbers at the end of a split are rounded by other instructions than the rest; a split inside of a row then
depends on the row's place. So it is tried out, for each shape before it is first used, and where it fails,
requests that must be reproducible do not share calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import torch

from chladni_image_generation.models.interface import ImagesWithheldError

if TYPE_CHECKING:
    from chladni_image_generation.models.interface import DenoiserRow, LatentDiffusionModel

_TRIALS: Final = 2
RowT = TypeVar("RowT")


def is_denoiser_batch_invariant(model: LatentDiffusionModel, example: DenoiserRow, row_count: int) -> bool:
    """Return whether a row like this one has one result, whatever its place in a call and the other rows.

    Args:
        model: The model.
        example: A row of the shape in question.
        row_count: Rows of a call.
    """

    def denoised(rows: Sequence[DenoiserRow], place: int) -> bytes:
        return model.denoise(rows)[place].cpu().numpy().tobytes()

    return all(
        _has_one_result(denoised, [replace(example, latents=latents) for latents in noise])
        for noise in _noise(example.latents.shape, row_count)
    )


def is_decoder_batch_invariant(model: LatentDiffusionModel, shape: Sequence[int], image_count: int) -> bool:
    """Return whether latents of a shape (C, H, W) have one image, wherever they are in a call."""

    def decoded(latents: Sequence[torch.Tensor], place: int) -> bytes:
        try:
            images = model.decode(torch.stack(list(latents)))
        except ImagesWithheldError as error:
            # The images are noise, so a safety checker's objection means nothing.
            images = error.images
        return np.ascontiguousarray(images[place]).tobytes()

    return all(_has_one_result(decoded, noise) for noise in _noise(shape, image_count))


def _noise(shape: Sequence[int], row_count: int) -> list[list[torch.Tensor]]:
    """Return for each trial one row more than a call has: the one in question, and the others."""
    generator = torch.Generator().manual_seed(0)
    return [
        [torch.randn(tuple(shape), generator=generator) for _ in range(row_count + 1)] for _ in range(_TRIALS)
    ]


def _has_one_result(compute: Callable[[Sequence[RowT], int], bytes], rows: Sequence[RowT]) -> bool:
    one, *others = rows
    expected = compute([one] * len(others), 0)
    return all(
        compute([*others[:place], one, *others[place + 1 :]], place) == expected
        for place in range(len(others))
    )
