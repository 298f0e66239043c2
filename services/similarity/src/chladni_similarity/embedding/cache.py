"""A cache of embeddings."""

from __future__ import annotations

import threading
from typing import TypeAlias

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

Vector: TypeAlias = NDArray[np.float32]
CacheKey: TypeAlias = tuple[str, bytes]
"""A model's digest, and the SHA-256 of what was embedded."""


class EmbeddingCache:
    """Remembers vectors by what the model saw, and what the model saw by the file that it came from.

    Two files of equal pixels (a PNG and a lossless WebP, say) so share one vector, and a file that comes
    again need not be decoded. Safe to use from any thread.

    Args:
        capacity: Vectors kept at most, and as many files; 0 keeps none.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._vectors: LRUCache[CacheKey, Vector] = LRUCache(capacity)
        self._inputs_of_files: LRUCache[CacheKey, CacheKey] = LRUCache(capacity)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._vectors)

    def vector_of(self, inputs: CacheKey) -> Vector | None:
        """Return the vector of prepared inputs, `None` if it is not known."""
        with self._lock:
            return self._vectors.get(inputs)

    def inputs_of(self, file: CacheKey) -> CacheKey | None:
        """Return the inputs that were prepared from a file, `None` if they are not known."""
        with self._lock:
            return self._inputs_of_files.get(file)

    def keep_vector(self, inputs: CacheKey, vector: Vector) -> None:
        """Keep the vector of prepared inputs."""
        if self._capacity:
            with self._lock:
                self._vectors[inputs] = vector

    def keep_inputs(self, file: CacheKey, inputs: CacheKey) -> None:
        """Keep which inputs were prepared from a file."""
        if self._capacity:
            with self._lock:
                self._inputs_of_files[file] = inputs
