"""How often the right one is found: recall at 1 and at 5 among a hundred, in both directions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from chladni_similarity.embedders.alignment_network import AlignmentModel
from chladni_similarity.training.pairs import SOURCE_NAMES, Pairs

GALLERY_SIZE: Final = 100
_RANKS: Final = (1, 5)
_BATCH_SIZE: Final = 64


@torch.inference_mode()
def embed_pairs(model: AlignmentModel, pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Return the vectors of length 1, (N, dimension) each, of the sounds and of the images."""
    audio_vectors = model.audio_tower(pairs.audio.to(model.device))
    image_vectors = [
        model.image_tower(images.to(model.device, torch.float32, memory_format=torch.channels_last).div_(255))
        for images in torch.split(pairs.images, _BATCH_SIZE)
    ]
    return F.normalize(audio_vectors, dim=1).cpu(), F.normalize(torch.cat(image_vectors), dim=1).cpu()


def measure_retrieval(model: AlignmentModel, pairs: Pairs) -> dict[str, float]:
    """Return the recalls of a model, in inference mode, over all pairs and over those of each source.

    Keys are such as ``sound_to_image.r1`` and ``sampled.image_to_sound.r5``; ``gallery`` is the number of
    candidates among which was searched.
    """
    audio_vectors, image_vectors = embed_pairs(model, pairs)
    order = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(0))
    figures: dict[str, float] = {"gallery": min(GALLERY_SIZE, len(pairs))}
    figures |= _recalls(audio_vectors[order], image_vectors[order], pairs.clip[order])
    for number, name in enumerate(SOURCE_NAMES):
        rows = order[pairs.source[order] == number]
        if len(rows) >= GALLERY_SIZE and len(rows) < len(pairs):
            recalls = _recalls(audio_vectors[rows], image_vectors[rows], pairs.clip[rows])
            figures |= {f"{name}.{key}": value for key, value in recalls.items()}
    return figures


def _recalls(audio_vectors: Tensor, image_vectors: Tensor, clip: Tensor) -> Mapping[str, float]:
    found: dict[str, list[Tensor]] = {}
    for rows in _galleries(len(clip)):
        is_right = clip[rows][:, None] == clip[rows][None]
        cosines = audio_vectors[rows] @ image_vectors[rows].T
        for direction, table in (("sound_to_image", cosines), ("image_to_sound", cosines.T)):
            best = table.topk(min(max(_RANKS), len(table)), dim=1).indices
            hits = is_right.gather(1, best)
            for rank in _RANKS:
                found.setdefault(f"{direction}.r{rank}", []).append(hits[:, :rank].any(dim=1).float())
    return {key: round(float(torch.cat(parts).mean()), 4) for key, parts in found.items()}


def _galleries(count: int) -> Iterator[slice]:
    """Yield the rows of each full gallery; all rows if they do not fill one."""
    if count < GALLERY_SIZE:
        yield slice(0, count)
    for start in range(0, count - GALLERY_SIZE + 1, GALLERY_SIZE):
        yield slice(start, start + GALLERY_SIZE)
