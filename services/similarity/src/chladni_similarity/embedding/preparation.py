"""From an image as it came to what a model takes, by way of what is known of it already."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from chladni_similarity.embedders.interface import ImageEmbedder
from chladni_similarity.embedding.cache import CacheKey, EmbeddingCache, Vector
from chladni_similarity.images.decoder import Decode
from chladni_similarity.images.decoding import decode_image
from chladni_similarity.images.sources import ImageSource, RawImage


@dataclass(frozen=True, slots=True, eq=False)
class PreparedImage:
    """An image whose vector is known, or else what the model takes.

    Attributes:
        key: Identifies an encoded image; `None` for raw ones, which are not cached: the digest of
            150 KB takes 0.25 ms, a tenth of what a small model takes for all of the image.
        vector: Its vector, if it is known.
        inputs: What the model takes, if it is not.
        seconds: How long the preparation took.
    """

    key: CacheKey | None = None
    vector: Vector | None = None
    inputs: NDArray[Any] | None = None
    seconds: float = 0.0

    @property
    def identity(self) -> Hashable:
        """Equal for images that get one and the same vector."""
        return self.key or id(self)


def pass_ready_image(embedder: ImageEmbedder, source: ImageSource) -> PreparedImage | None:
    """Return an image that needs no preparation, without a copy; `None` for one that does."""
    if isinstance(source, RawImage) and embedder.takes_as_is(source.values):
        return PreparedImage(inputs=source.values)
    return None


def prepare_image(
    embedder: ImageEmbedder, source: ImageSource, cache: EmbeddingCache, decode: Decode = decode_image
) -> PreparedImage:
    """Look an image up; decode and resize it if it is not known. Safe on any thread.

    Raises:
        InvalidInputError: It is no usable image.
    """
    started_at = time.perf_counter()
    model = embedder.card.digest
    file_digest = source.file_digest()
    if file_digest is None:
        inputs = embedder.prepare(source.pixels())
        return PreparedImage(inputs=inputs, seconds=time.perf_counter() - started_at)
    file = (model, file_digest)
    key = cache.inputs_of(file)
    vector = None if key is None else cache.vector_of(key)
    prepared: NDArray[Any] | None = None
    if key is None or vector is None:
        prepared = embedder.prepare(source.pixels(decode))
        key = (model, hashlib.sha256(prepared.data).digest())
        vector = cache.vector_of(key)
        cache.keep_inputs(file, key)
    seconds = time.perf_counter() - started_at
    return PreparedImage(key, vector, prepared if vector is None else None, seconds)
