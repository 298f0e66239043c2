"""How many rows a call of the model has, and the calls themselves, padded if images must be reproducible.

A size is configured in requests, so that the two rows of a guided request share a call, which is cheaper than
two calls, and one without guidance need not be padded for its sake.

A kernel may round differently for another number of rows, so every call for reproducible requests has the
same number, short ones being padded. Whether it also rounds differently for another place in the batch is
for `batch_invariance` to find out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from chladni_image_generation.models.interface import DenoiserRow, LatentDiffusionModel


@dataclass(frozen=True, slots=True)
class BatchGroup:
    """Requests whose rows can share a call.

    Attributes:
        latent_shape: (C, H, W) of their latents.
        rows_per_request: Rows of a step of one request: 2 with guidance, else 1.
        reproducible: Whether their calls are padded.
        network: The denoiser that they call; empty for the first one of the model.
    """

    latent_shape: tuple[int, int, int]
    rows_per_request: int
    reproducible: bool
    network: str = ""

    @property
    def images(self) -> BatchGroup:
        """The group in which the same requests are decoded: one row each."""
        return replace(self, rows_per_request=1, network="")


class BatchSizes:
    """The rows of a group's calls: as configured for the native size, fewer for larger images.

    Args:
        batch_size: Requests of the native size in a call.
        native_shape: (C, H, W) of the native size's latents.
    """

    def __init__(self, batch_size: int, native_shape: tuple[int, int, int]) -> None:
        self._batch_size = batch_size
        self._native_shape = native_shape
        self._halved: dict[BatchGroup, int] = {}
        self._alone: set[BatchGroup] = set()
        self._safe: set[tuple[BatchGroup, int]] = set()

    def rows_per_call(self, group: BatchGroup) -> int:
        """Return the rows of a call: at most, or exactly if calls are padded."""
        rows = self._halved.get(_any_network(group), self._configured(group))
        return min(rows, group.rows_per_request) if group in self._alone else rows

    def is_halved(self, group: BatchGroup) -> bool:
        """Return whether memory was too short for as many rows as configured."""
        return _any_network(group) in self._halved

    def halve(self, group: BatchGroup) -> None:
        """Make calls smaller from now on, until `restore`: those of all networks.

        So an image that several networks make has calls of one size, which its provenance can name.
        """
        self._halved[_any_network(group)] = self._whole_requests(group, self.rows_per_call(group) // 2)

    def restore(self) -> None:
        """Make calls as large as configured again."""
        self._halved.clear()

    def largest_call(self, group: BatchGroup, row_count: int) -> int:
        """Return the rows of the largest call that so many rows together take, padding included."""
        rows_per_call = self.rows_per_call(group)
        return rows_per_call if group.reproducible else min(row_count, rows_per_call)

    def is_safe(self, group: BatchGroup) -> bool:
        """Return whether rows in calls of the present size are known not to change each other."""
        return (group, self.rows_per_call(group)) in self._safe

    def note_safe(self, group: BatchGroup) -> None:
        """Record that rows in calls of the present size do not change each other."""
        self._safe.add((group, self.rows_per_call(group)))

    def leave_alone(self, group: BatchGroup) -> None:
        """Give each request of a group calls of its own from now on."""
        self._alone.add(group)

    def work_of_row(self, group: BatchGroup) -> float:
        """Return the work of a row, in rows of the native size: the ratio of their areas."""
        _, height, width = group.latent_shape
        _, native_height, native_width = self._native_shape
        return height * width / (native_height * native_width)

    def work_of(self, group: BatchGroup, row_count: int) -> float:
        """Return the work of so many rows together, padding included."""
        rows_per_call = self.rows_per_call(group)
        computed = ceil(row_count / rows_per_call) * rows_per_call if group.reproducible else row_count
        return computed * self.work_of_row(group)

    def _configured(self, group: BatchGroup) -> int:
        # Activations grow with the area: larger images share a call with fewer, in the same memory.
        rows = self._batch_size * group.rows_per_request
        return self._whole_requests(group, int(rows / max(1.0, self.work_of_row(group))))

    def _whole_requests(self, group: BatchGroup, rows: int) -> int:
        """Return at most so many rows: those of whole requests, or one if not even one request fits."""
        return rows - rows % group.rows_per_request if rows >= group.rows_per_request else 1


def _any_network(group: BatchGroup) -> BatchGroup:
    return replace(group, network="")


def denoise_rows(
    model: LatentDiffusionModel, rows: Sequence[DenoiserRow], *, rows_per_call: int, padded: bool
) -> list[Tensor]:
    """Return the denoiser's output (C, H, W) for each row, in as many calls as it takes.

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
    """Return the RGB pixels (H, W, 3) of each latents (C, h, w), in as many calls as it takes.

    Arguments are those of `denoise_rows`.
    """
    images: list[NDArray[np.uint8]] = []
    for start, padding in _calls(len(latents), rows_per_call, padded=padded):
        batch = latents[start : start + rows_per_call]
        images.extend(model.decode(torch.stack([*batch, *[batch[0]] * padding]))[: len(batch)])
    return images


def _calls(row_count: int, rows_per_call: int, *, padded: bool) -> Iterator[tuple[int, int]]:
    """Yield the first row of each call and how many rows it must be padded with."""
    for start in range(0, row_count, rows_per_call):
        yield start, max(0, start + rows_per_call - row_count) if padded else 0
