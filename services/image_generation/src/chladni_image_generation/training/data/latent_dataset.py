"""Images and their latents, made once and kept on disk while the denoiser trains.

Rendering takes longer than encoding and needs no autoencoder, so the images are kept too: they can be
rendered while the autoencoder still trains, and stay when it is trained again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderDC
from torch import Tensor

from chladni_image_generation.families.embedded.noise_grid import draw_grids
from chladni_image_generation.training.autoencoder import encode_images
from chladni_image_generation.training.checkpoints import load_checkpoint, save_checkpoint
from chladni_image_generation.training.data.art import render_each
from chladni_image_generation.training.data.descriptor_sampling import sample_descriptors, vary_recorded
from chladni_image_generation.training.progress import ProgressLog
from chladni_image_generation.training.replicas import Replicas

_SHARD_IMAGES = 250
_ENCODED_AT_ONCE = 2


@dataclass(frozen=True)
class LatentDataset:
    """Images as the denoiser sees them.

    Attributes:
        latents: bfloat16 (N, 4, h, w).
        embedding: float32 (N, 152) descriptor embeddings in [0, 1].
        grids: float32 (N, 4, 8, 8) noise that decided their compositions.
    """

    latents: Tensor
    embedding: Tensor
    grids: Tensor


@dataclass(frozen=True)
class ImageSeries:
    """A series of images to train on, of which each shard follows from its place and the seed.

    Attributes:
        count: how many images.
        size_pixels: their height and width.
        seed: of their embeddings and grids.
        folder: where shards are kept.
        recorded: (N, 152) embeddings of real sounds; if given, every other image is of one of them.
    """

    count: int
    size_pixels: int
    seed: int
    folder: Path
    recorded: Tensor | None = None

    def render(self, replicas: Replicas) -> None:
        """Render the shards that the folder lacks; every replica its share."""
        log = ProgressLog(f"images of {self.size_pixels} px", self.count, every_steps=1)
        for first, size in self._spans(replicas):
            if not self._path("images", first, size).exists():
                save_checkpoint(self._path("images", first, size), self._rendered(first, size))
            log.report(first + size)
        replicas.wait()

    def encode(self, autoencoder: AutoencoderDC, replicas: Replicas) -> LatentDataset:
        """Render and encode what the folder lacks, and load it all."""
        self.render(replicas)
        log = ProgressLog(f"latents of {self.size_pixels} px", self.count, every_steps=1)
        for first, size in self._spans(replicas):
            path = self._path("latents", first, size)
            shard = load_checkpoint(self._path("images", first, size))
            if shard is not None and not path.exists():
                latents = _encoded(autoencoder, shard["images"])
                save_checkpoint(
                    path, {"latents": latents, "embedding": shard["embedding"], "grids": shard["grids"]}
                )
            log.report(first + size)
        replicas.wait()
        paths = [self._path("latents", first, size) for first, size in self._spans(Replicas())]
        shards = [shard for path in paths if (shard := load_checkpoint(path)) is not None]
        return LatentDataset(
            latents=torch.cat([shard["latents"] for shard in shards]),
            embedding=torch.cat([shard["embedding"] for shard in shards]),
            grids=torch.cat([shard["grids"] for shard in shards]),
        )

    def _spans(self, replicas: Replicas) -> Iterator[tuple[int, int]]:
        """Return the first image and length of each shard of a replica."""
        starts = range(0, self.count, _SHARD_IMAGES)[replicas.rank :: replicas.count]
        return ((first, min(_SHARD_IMAGES, self.count - first)) for first in starts)

    def _path(self, kind: str, first: int, size: int) -> Path:
        return self.folder / f"{kind}-{self.size_pixels}-{self.seed}-{first}-{size}.pt"

    def drawn(self) -> tuple[Tensor, Tensor]:
        """Return the (N, 152) embeddings and (N, 4, 8, 8) grids of all images, without rendering them."""
        spans = [self._drawn(first, size) for first, size in self._spans(Replicas())]
        return torch.cat([embedding for embedding, _ in spans]), torch.cat([grids for _, grids in spans])

    def _drawn(self, first: int, size: int) -> tuple[Tensor, Tensor]:
        start = self.seed * 100_000_000 + self.size_pixels * 100_000 + first
        embedding = sample_descriptors(size, seed=start)
        if self.recorded is not None:
            embedding[::2] = vary_recorded(self.recorded, len(embedding[::2]), seed=start)
        return embedding, draw_grids([start + row for row in range(size)])

    def _rendered(self, first: int, size: int) -> dict[str, Tensor]:
        embedding, grids = self._drawn(first, size)
        images = [
            (render_each(row, grid, size_pixels=self.size_pixels) * 255).round().byte()
            for row, grid in zip(torch.split(embedding, 1), torch.split(grids, 1), strict=True)
        ]
        return {"images": torch.cat(images), "embedding": embedding, "grids": grids}


def _encoded(autoencoder: AutoencoderDC, images: Tensor) -> Tensor:
    """Encode (N, 3, H, W) uint8 images as bfloat16 (N, 4, h, w) latents."""
    latents = []
    for chosen in torch.split(images, _ENCODED_AT_ONCE):
        with torch.autocast("cpu", torch.bfloat16):
            latents.append(encode_images(autoencoder, chosen.float() / 255).bfloat16())
    return torch.cat(latents)
