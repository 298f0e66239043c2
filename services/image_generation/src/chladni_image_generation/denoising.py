"""Calls of the denoiser, always with the same number of rows.

A kernel of torch may round differently for another batch size, but not for another position in the
batch or for other companions. So every call has exactly `batch_size` rows, short ones being padded, and
a request's result does not depend on who else was in flight.
"""

from collections.abc import Sequence

from torch import Tensor

from chladni_image_generation.model import DenoiserRow, LatentDiffusionModel


def denoise_padded(
    model: LatentDiffusionModel, rows: Sequence[DenoiserRow], *, batch_size: int
) -> list[Tensor]:
    """Returns the denoiser's output (C, H, W) for each row, in as many calls as it takes."""
    outputs: list[Tensor] = []
    for start in range(0, len(rows), batch_size):
        batch = list(rows[start : start + batch_size])
        padding = [batch[0]] * (batch_size - len(batch))
        outputs.extend(model.denoise([*batch, *padding])[: len(batch)])
    return outputs
