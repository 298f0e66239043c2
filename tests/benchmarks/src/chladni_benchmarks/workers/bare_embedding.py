"""The embedding model without a server: the service's own code for decoding, preparing and embedding.

    python -m chladni_benchmarks.workers.bare_embedding MODEL

MODEL is a directory of a CLIP, or the name of the embedded model. Runs with as many threads as the service
takes by default.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.utils.logging import disable_progress_bar

from chladni_benchmarks.services.embedding_requests import random_images
from chladni_benchmarks.workers.commands import answer_commands
from chladni_runtime.execution.processors import available_processor_count
from chladni_similarity.embedders.catalog import load_catalog
from chladni_similarity.embedders.interface import ImageEmbedder
from chladni_similarity.models.references import parse_model_references

_IMAGE_COUNT = 64


class BareEmbedding:
    """Prepares and embeds images in a loop.

    Args:
        embedder: The model.
        images: Images that are used in turn, uint8 (N, 3, H, W).
    """

    def __init__(self, embedder: ImageEmbedder, images: NDArray[np.uint8]) -> None:
        self._embedder = embedder
        self._images = images

    def run(self, batch_size: int, seconds: float) -> dict[str, Any]:
        """Embed batches for some time; return the number of images and the times."""
        batch_seconds: list[float] = []
        started_at, cpu_started_at = time.perf_counter(), time.process_time()
        while (now := time.perf_counter()) < started_at + seconds:
            self._embed(len(batch_seconds) * batch_size, batch_size)
            batch_seconds.append(time.perf_counter() - now)
        return {
            "image_count": len(batch_seconds) * batch_size,
            "wall_seconds": time.perf_counter() - started_at,
            "cpu_seconds": time.process_time() - cpu_started_at,
            "latencies_seconds": batch_seconds,
        }

    def embed_once(self, position: int) -> dict[str, Any]:
        """Embed one image; return the time and the vector, of length 1."""
        started_at = time.perf_counter()
        (vector,) = self._embed(position, 1)
        return {"wall_seconds": time.perf_counter() - started_at, "vector": vector.tolist()}

    def vectors(self, count: int) -> list[list[float]]:
        """Return the vectors, of length 1, of the first images."""
        vectors: list[list[float]] = self._embed(0, count).tolist()
        return vectors

    def _embed(self, first: int, count: int) -> NDArray[np.float32]:
        positions = [(first + offset) % len(self._images) for offset in range(count)]
        prepared = [self._embedder.prepare(self._images[position]) for position in positions]
        features = self._embedder.embed(np.stack(prepared))
        vectors: NDArray[np.float32] = features / np.linalg.norm(features, axis=1, keepdims=True)
        return vectors


def main() -> None:
    """Load the model and answer commands."""
    disable_progress_bar()
    torch.set_num_threads(available_processor_count())
    embedder = load_catalog(parse_model_references(sys.argv[1])).default
    bare = BareEmbedding(embedder, random_images(_IMAGE_COUNT, side_pixels=224))
    answer_commands({"run": bare.run, "embed_once": bare.embed_once, "vectors": bare.vectors})


if __name__ == "__main__":
    main()
