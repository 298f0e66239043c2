"""Pairs of an image and the audio that it was made for: what the alignment model learns from.

A file of pairs is a safetensors file of three tensors with one row a pair:

    images     uint8 (N, 3, 128, 128), RGB
    sounds     float32 (N, 152), embeddings in chladni-descriptors-v2, each component in [0, 1]
    source     uint8 (N,), 0 for art rendered from the sound, 1 for a sample of the image model
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from chladni_contract.descriptor_space import COMPONENT_COUNT

IMAGE_SIDE_PIXELS: Final = 128
SOURCE_NAMES: Final = ("rendered", "sampled")

NEAR: Final = 0.45
"""Euclidean distance of embeddings below which two clips count as variants of one: a clip with noise of 0.02
on every component lies 0.35 from another such variant, and different clips some times as far."""

_ROWS_AT_A_TIME: Final = 1024

_LAYOUT: Final = {
    "images": (torch.uint8, (3, IMAGE_SIDE_PIXELS, IMAGE_SIDE_PIXELS)),
    "sounds": (torch.float32, (COMPONENT_COUNT,)),
    "source": (torch.uint8, ()),
}


class PairsError(ValueError):
    """A file holds no pairs; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Rows of images and audio.

    Attributes:
        images: uint8 (N, 3, 128, 128), RGB.
        audio: float32 (N, 152), embeddings.
        source: uint8 (N,), an index into `SOURCE_NAMES`.
        clip: int64 (N,), equal for rows whose audio is equal or nearly so: see `NEAR`.
    """

    images: Tensor
    audio: Tensor
    source: Tensor
    clip: Tensor

    def __len__(self) -> int:
        return len(self.audio)

    def rows(self, index: Tensor) -> Pairs:
        """Return some of the rows."""
        return Pairs(self.images[index], self.audio[index], self.source[index], self.clip[index])


def read_pairs(paths: Sequence[Path]) -> Pairs:
    """Return the rows of files, one file after the other.

    Raises:
        PairsError: A file does not hold pairs.
        OSError: A file cannot be read.
    """
    files = [_read_file(path) for path in paths]
    joined = {
        name: files[0][name] if len(files) == 1 else torch.cat([file[name] for file in files])
        for name in _LAYOUT
    }
    return Pairs(
        images=joined["images"],
        audio=joined["sounds"],
        source=joined["source"],
        clip=group_clips(joined["sounds"]),
    )


def group_clips(audio: Tensor) -> Tensor:
    """Return numbers, (N,) from 0 on, that are equal for embeddings joined by steps shorter than `NEAR`.

    So variants of one clip stay on one side of the split, and are never wrong for each other.

    Args:
        audio: (N, 152), embeddings.
    """
    near = [
        (torch.cdist(chunk, audio) < NEAR).nonzero() + torch.tensor([start * _ROWS_AT_A_TIME, 0])
        for start, chunk in enumerate(torch.split(audio, _ROWS_AT_A_TIME))
    ]
    one, other = torch.cat(near).T
    clip, last = torch.arange(len(audio)), None
    while last is None or not torch.equal(clip, last):
        last = clip
        clip = clip.scatter_reduce(0, one, clip[other], "amin")
    numbers: Tensor = torch.unique(clip, return_inverse=True)[1]
    return numbers


def split_pairs(pairs: Pairs, *, share: float, seed: int) -> tuple[Pairs, Pairs]:
    """Return the rows to train on, and those to judge by; rows of one clip stay together.

    Args:
        pairs: All rows.
        share: Share of the clips that is held out, above 0 and below 1; at least two clips are.
        seed: Of the choice.
    """
    clip_count = int(pairs.clip.max()) + 1
    order = torch.randperm(clip_count, generator=torch.Generator().manual_seed(seed))
    held_out_clips = order[: max(2, round(share * clip_count))]
    is_held_out = torch.isin(pairs.clip, held_out_clips)
    return pairs.rows((~is_held_out).nonzero().flatten()), pairs.rows(is_held_out.nonzero().flatten())


def _read_file(path: Path) -> dict[str, Tensor]:
    try:
        content: dict[str, Tensor] = load_file(path)
    except SafetensorError as error:
        raise PairsError(f"{path} is no safetensors file: {error}") from None
    for name, (dtype, shape) in _LAYOUT.items():
        if name not in content:
            raise PairsError(f"{path} lacks the tensor {name!r}")
        tensor = content[name]
        if tensor.dtype != dtype or tuple(tensor.shape[1:]) != shape:
            found = f"{tensor.dtype} of shape {tuple(tensor.shape)}"
            raise PairsError(f"{path}: {name} is {found}, must be {dtype} of shape (N, *{shape})")
    counts = {len(content[name]) for name in _LAYOUT}
    if len(counts) != 1 or 0 in counts:
        raise PairsError(f"{path}: its tensors have {sorted(counts)} rows, must have equally many")
    audio, source = content["sounds"], content["source"]
    if not ((audio >= 0) & (audio <= 1)).all():  # which NaN is not either
        raise PairsError(f"{path}: sounds holds components outside 0 to 1")
    if int(source.max()) >= len(SOURCE_NAMES):
        raise PairsError(f"{path}: source holds {int(source.max())}, must be 0 or 1")
    return {name: content[name] for name in _LAYOUT}
