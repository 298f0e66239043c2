"""The way of pictures to vectors: prepare, look up, batch, remember.

Preparing (decoding and resizing) runs on a worker pool, the models on the batcher's thread, so that one
batch is prepared while another is computed.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from chladni_runtime.admission import Admission
from chladni_runtime.batching import DynamicBatcher
from chladni_runtime.cancellation import CancellationToken
from chladni_runtime.errors import FaultError, InvalidFieldsError, InvalidInputError, Reason
from chladni_runtime.execution import WorkerPool
from chladni_similarity.embedders.interface import ImageEmbedder
from chladni_similarity.embedding_cache import CacheKey, EmbeddingCache, Vector
from chladni_similarity.image_sources import ImageSource
from chladni_similarity.metrics import EmbeddingMetrics

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingJob:
    """A picture that waits for the model.

    Attributes:
        embedder: The model.
        inputs: What it takes.
    """

    embedder: ImageEmbedder
    inputs: NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class ComputedVector:
    """What the model made of a picture.

    Attributes:
        vector: (D,) of length 1.
        seconds: The picture's share of its batch's time.
    """

    vector: Vector
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """The vectors of a request.

    Attributes:
        vectors: (N, D), each of length 1, in the order of the pictures.
        cached_count: How many came from the cache.
        processing_seconds: Time spent on them, without waiting.
    """

    vectors: NDArray[np.float32]
    cached_count: int
    processing_seconds: float


EmbeddingBatcher: TypeAlias = DynamicBatcher[EmbeddingJob, ComputedVector]


def compute_batch(jobs: list[EmbeddingJob]) -> list[ComputedVector | Exception]:
    """Returns the normalised vectors of pictures of one model and shape; a bad one fails alone."""
    started_at = time.perf_counter()
    features = jobs[0].embedder.embed(np.stack([job.inputs for job in jobs]))
    seconds = (time.perf_counter() - started_at) / len(jobs)
    lengths = np.linalg.norm(features, axis=1)
    return [
        ComputedVector(vector / length, seconds)
        if np.isfinite(length) and length > 0
        else FaultError(Reason.NON_FINITE_OUTPUT, "The model found no finite embedding of a picture.")
        for vector, length in zip(features, lengths, strict=True)
    ]


class EmbeddingEngine:
    """Embeds the pictures of requests. Lives on one event loop.

    Args:
        workers: Prepare pictures.
        batcher: Runs `compute_batch`.
        cache: Remembers vectors.
        admission: Bounds the pictures of all requests together; the queues of `workers` and `batcher` hold as
            many, so that an admitted request never finds them full.
        metrics: Told of hits and misses.
    """

    def __init__(
        self,
        *,
        workers: WorkerPool,
        batcher: EmbeddingBatcher,
        cache: EmbeddingCache,
        admission: Admission,
        metrics: EmbeddingMetrics,
    ) -> None:
        self._workers = workers
        self._batcher = batcher
        self._cache = cache
        self._admission = admission
        self._metrics = metrics

    async def embed(
        self, embedder: ImageEmbedder, sources: Sequence[ImageSource], token: CancellationToken
    ) -> Embeddings:
        """Returns the vectors of pictures. Equal pictures get one and the same vector.

        Args:
            embedder: The model.
            sources: The pictures, at least one.
            token: Says when nobody waits for the result any more.

        Raises:
            InvalidInputError: A picture is no usable one.
            InvalidFieldsError: Several are not.
            QueueFullError: Too many pictures are being worked on already.
            DeadlineExceededError: The deadline passed.
            FaultError: The model made no usable vector.
        """
        with ExitStack() as places:
            for _ in sources:
                places.enter_context(self._admission.admit())
            prepared = await self._prepare(embedder, sources, token)
            computed = await self._compute(embedder, prepared, token)
        known = {image.key: image.vector for image in prepared if image.vector is not None}
        vectors = {**known, **{key: result.vector for key, result in computed.items()}}
        for key, result in computed.items():
            self._cache.keep_vector(key, result.vector)
        cached_count = sum(image.vector is not None for image in prepared)
        self._metrics.cache_hits.labels(embedder.card.model_id).inc(cached_count)
        self._metrics.cache_misses.labels(embedder.card.model_id).inc(len(computed))
        return Embeddings(
            vectors=np.stack([vectors[image.key] for image in prepared]),
            cached_count=cached_count,
            processing_seconds=sum(image.seconds for image in prepared)
            + sum(result.seconds for result in computed.values()),
        )

    async def _prepare(
        self, embedder: ImageEmbedder, sources: Sequence[ImageSource], token: CancellationToken
    ) -> list[_PreparedImage]:
        """Prepares all pictures, even after one that fails: the caller wants to hear of all bad ones."""
        results = await asyncio.gather(
            *(self._workers.run(token, _prepare_image, embedder, source, self._cache) for source in sources),
            return_exceptions=True,
        )
        failures = [result for result in results if isinstance(result, BaseException)]
        if len(failures) > 1 and all(isinstance(failure, InvalidInputError) for failure in failures):
            raise _together([failure for failure in failures if isinstance(failure, InvalidInputError)])
        if failures:
            raise failures[0]
        return [result for result in results if not isinstance(result, BaseException)]

    async def _compute(
        self, embedder: ImageEmbedder, prepared: Sequence[_PreparedImage], token: CancellationToken
    ) -> dict[CacheKey, ComputedVector]:
        """Computes what is not known, of equal pictures only one."""
        waiting = {image.key: image.inputs for image in prepared if image.inputs is not None}
        results = await _all_of(
            [
                self._batcher.submit(
                    (embedder.card.digest, inputs.shape), EmbeddingJob(embedder, inputs), token
                )
                for inputs in waiting.values()
            ]
        )
        return dict(zip(waiting, results, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class _PreparedImage:
    """A picture whose vector is known, or else what the model takes."""

    key: CacheKey
    vector: Vector | None
    inputs: NDArray[Any] | None
    seconds: float


def _prepare_image(embedder: ImageEmbedder, source: ImageSource, cache: EmbeddingCache) -> _PreparedImage:
    """Looks a picture up, and decodes and resizes it where that was in vain. Runs on any thread."""
    started_at = time.perf_counter()
    model = embedder.card.digest
    file_digest = source.file_digest()
    file = None if file_digest is None else (model, file_digest)
    key = None if file is None else cache.inputs_of(file)
    vector = None if key is None else cache.vector_of(key)
    inputs: NDArray[Any] | None = None
    if key is None or vector is None:
        inputs = embedder.prepare(source.pixels())
        key = (model, hashlib.sha256(inputs.data).digest())
        vector = cache.vector_of(key)
        if file is not None:
            cache.keep_inputs(file, key)
    seconds = time.perf_counter() - started_at
    return _PreparedImage(key, vector, inputs if vector is None else None, seconds)


def _together(failures: Sequence[InvalidInputError]) -> InvalidFieldsError:
    """Returns one error of several; its message names each field before what is wrong with it."""
    violations = [violation for failure in failures for violation in failure.violations]
    return InvalidFieldsError(
        failures[0].reason,
        [replace(item, description=item.description.removeprefix(f"{item.field} ")) for item in violations],
    )


async def _all_of(work: Sequence[Coroutine[Any, Any, ResultT]]) -> list[ResultT]:
    """Returns all results; the first failure cancels the rest and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(item) for item in work]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
