"""A cache of embeddings."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

ValueT = TypeVar("ValueT")

Vector: TypeAlias = NDArray[np.float32]
CacheKey: TypeAlias = tuple[str, bytes]
"""A model's digest, and the SHA-256 of what was embedded."""


class LeastRecentlyUsed(Generic[ValueT]):
    """A mapping of bounded size that forgets what was not used for longest. Safe to use from any thread.

    Args:
        capacity: Entries kept at most; 0 keeps none.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[CacheKey, ValueT] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: CacheKey) -> ValueT | None:
        """Return the value of a key; `None` if it is not known."""
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key]

    def put(self, key: CacheKey, value: ValueT) -> None:
        """Keep a value, and drop the one not used for longest if there are too many."""
        with self._lock:
            self._entries[key] = value
            self._entries.move_to_end(key)
            while len(self._entries) > self._capacity:
                self._entries.popitem(last=False)


class EmbeddingCache:
    """Remembers vectors by what the model saw, and what the model saw by the file that it came from.

    Two files of equal pixels (a PNG and a lossless WebP, say) so share one vector, and a file that comes
    again need not be decoded. Safe to use from any thread.

    Args:
        capacity: Vectors kept at most, and as many files; 0 keeps none.
    """

    def __init__(self, capacity: int) -> None:
        self._vectors: LeastRecentlyUsed[Vector] = LeastRecentlyUsed(capacity)
        self._inputs_of_files: LeastRecentlyUsed[CacheKey] = LeastRecentlyUsed(capacity)

    def __len__(self) -> int:
        return len(self._vectors)

    def vector_of(self, inputs: CacheKey) -> Vector | None:
        """Return the vector of prepared inputs; `None` if it is not known."""
        return self._vectors.get(inputs)

    def inputs_of(self, file: CacheKey) -> CacheKey | None:
        """Return the inputs that were prepared from a file; `None` if that is not known."""
        return self._inputs_of_files.get(file)

    def keep_vector(self, inputs: CacheKey, vector: Vector) -> None:
        """Remember the vector of prepared inputs."""
        self._vectors.put(inputs, vector)

    def keep_inputs(self, file: CacheKey, inputs: CacheKey) -> None:
        """Remember which inputs were prepared from a file."""
        self._inputs_of_files.put(file, inputs)
