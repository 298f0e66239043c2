"""Latents of rendered pictures, made once and kept on disk while the denoiser trains."""

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderDC
from torch import Tensor

from chladni_image_generation.jobs.art import render
from chladni_image_generation.jobs.autoencoder_training import encode_pictures
from chladni_image_generation.jobs.checkpoints import load_checkpoint, save_checkpoint
from chladni_image_generation.jobs.descriptor_sampling import sample_descriptors
from chladni_image_generation.jobs.noise_grid import draw_grids
from chladni_image_generation.jobs.progress import ProgressLog
from chladni_image_generation.jobs.replicas import Replicas

_SHARD_PICTURES = 500
_RENDER_BATCH = 4


@dataclass(frozen=True)
class LatentDataset:
    """Pictures as the denoiser sees them.

    Attributes:
        latents: bfloat16 (N, 4, h, w).
        embedding: float32 (N, 24) descriptor embeddings in [0, 1].
        grids: float32 (N, 4, 8, 8) noise that decided their compositions.
    """

    latents: Tensor
    embedding: Tensor
    grids: Tensor


def build_latent_dataset(
    autoencoder: AutoencoderDC,
    *,
    count: int,
    size_pixels: int,
    folder: Path,
    seed: int,
    replicas: Replicas,
) -> LatentDataset:
    """Render and encode pictures, shard by shard; shards already in the folder are kept."""
    log = ProgressLog(f"latents of {size_pixels} px", count, every_steps=1)
    spans = [(first, min(_SHARD_PICTURES, count - first)) for first in range(0, count, _SHARD_PICTURES)]
    paths = [folder / f"latents-{size_pixels}-{seed}-{first}-{size}.pt" for first, size in spans]
    for index in range(replicas.rank, len(spans), replicas.count):
        first, size = spans[index]
        if not paths[index].exists():
            state = _shard(autoencoder, first, size, size_pixels=size_pixels, seed=seed)
            save_checkpoint(paths[index], state)
        log.report(first + size)
    replicas.wait()
    shards = [shard for path in paths if (shard := load_checkpoint(path)) is not None]
    return LatentDataset(
        latents=torch.cat([shard["latents"] for shard in shards]),
        embedding=torch.cat([shard["embedding"] for shard in shards]),
        grids=torch.cat([shard["grids"] for shard in shards]),
    )


def _shard(
    autoencoder: AutoencoderDC, first: int, size: int, *, size_pixels: int, seed: int
) -> dict[str, Tensor]:
    start = seed * 100_000_000 + size_pixels * 100_000 + first
    embedding = sample_descriptors(size, seed=start)
    grids = draw_grids([start + row for row in range(size)])
    latents = []
    for row in range(0, size, _RENDER_BATCH):
        chosen = slice(row, row + _RENDER_BATCH)
        pictures = render(embedding[chosen], grids[chosen], size_pixels=size_pixels)
        with torch.autocast("cpu", torch.bfloat16):
            latents.append(encode_pictures(autoencoder, pictures).bfloat16())
    return {"latents": torch.cat(latents), "embedding": embedding, "grids": grids}
