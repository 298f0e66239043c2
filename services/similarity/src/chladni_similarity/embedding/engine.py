"""From images to vectors: prepare, look up, batch, remember.

Preparing (decoding and resizing) runs on a worker pool, the models on the batcher's threads, so that one
batch is prepared while another is computed. Pixels that the model takes as they are go straight to it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chladni_contract.errors import FaultError, InvalidFieldsError, InvalidInputError, Reason
from chladni_runtime.batching.batcher import DynamicBatcher
from chladni_runtime.execution.admission import Admission
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.worker_pool import WorkerPool
from chladni_runtime.telemetry.scope import stage
from chladni_runtime.telemetry.spans import Attributes
from chladni_similarity.embedders.interface import ImageEmbedder
from chladni_similarity.embedding.cache import EmbeddingCache, Vector
from chladni_similarity.embedding.preparation import PreparedImage, pass_ready_image, prepare_image
from chladni_similarity.images.decoder import ImageDecoder
from chladni_similarity.images.sources import ImageSource
from chladni_similarity.metrics import EmbeddingMetrics

_MAX_REPORTED_FAILURES: Final = 10
"""gRPC carries an error of at most 8 KiB for sure, and ends the connection over some that are larger."""


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingJob:
    """An image that waits for the model.

    Attributes:
        embedder: The model.
        inputs: What it takes.
        batch_key: Only images of equal keys share a batch. All requests have the same key, except those that
            ask for a batch of their own.
    """

    embedder: ImageEmbedder
    inputs: NDArray[Any]
    batch_key: Hashable = None

    @property
    def group(self) -> Hashable:
        """What the images of a batch have in common."""
        return self.embedder.card.digest, self.inputs.shape, self.batch_key


@dataclass(frozen=True, slots=True, eq=False)
class ComputedVector:
    """What the model made of an image.

    Attributes:
        vector: (D,) of length 1.
        seconds: The image's share of its batch's time.
    """

    vector: Vector
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """The vectors of a request.

    Attributes:
        vectors: (N, D), each of length 1, in the order of the images.
        cached_count: How many came from the cache.
        processing_seconds: Time spent on them, without waiting.
    """

    vectors: NDArray[np.float32]
    cached_count: int
    processing_seconds: float


EmbeddingBatcher: TypeAlias = DynamicBatcher[EmbeddingJob, ComputedVector]


def compute_batch(jobs: list[EmbeddingJob]) -> list[ComputedVector | Exception]:
    """Return the normalised vectors of images of one group; a bad one fails alone.

    Raises:
        MemoryError: There is too little memory for so many at once.
    """
    started_at = time.perf_counter()
    features = jobs[0].embedder.embed(np.stack([job.inputs for job in jobs]))
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    is_usable = np.isfinite(lengths) & (lengths > 0)
    vectors = np.divide(features, lengths, out=features, where=is_usable)
    seconds = (time.perf_counter() - started_at) / len(jobs)
    return [
        ComputedVector(vector, seconds)
        if usable
        else FaultError(Reason.NON_FINITE_OUTPUT, "The model found no finite embedding of an image.")
        for vector, usable in zip(vectors, is_usable, strict=True)
    ]


class EmbeddingEngine:
    """Embeds the images of requests. Lives on one event loop.

    Args:
        workers: Prepare images.
        decoder: Decodes their files.
        batcher: Runs `compute_batch` on groups of jobs.
        cache: Remembers the vectors of encoded images.
        admission: Bounds the images of all requests together; the queues of `workers` and `batcher` hold as
            many, so that an admitted request never finds them full.
        metrics: Counts hits and misses.
    """

    def __init__(
        self,
        *,
        workers: WorkerPool,
        decoder: ImageDecoder,
        batcher: EmbeddingBatcher,
        cache: EmbeddingCache,
        admission: Admission,
        metrics: EmbeddingMetrics,
    ) -> None:
        self._workers = workers
        self._decoder = decoder
        self._batcher = batcher
        self._cache = cache
        self._admission = admission
        self._metrics = metrics

    async def embed(
        self,
        embedder: ImageEmbedder,
        sources: Sequence[ImageSource],
        token: CancellationToken,
        *,
        own_batch: bool = False,
    ) -> Embeddings:
        """Return the vectors of images. Equal encoded images get one and the same vector.

        Args:
            embedder: The model.
            sources: The images, at least one.
            token: Cancelled when the result is no longer needed.
            own_batch: Whether they share batches with no other request's images, nor their vectors through
                the cache. Then the same images again give the same bits.

        Raises:
            InvalidInputError: An image is no usable one.
            InvalidFieldsError: Several are not.
            QueueFullError: Too many images are being worked on already.
            DeadlineExceededError: The deadline passed.
            FaultError: The model made no usable vector, or had too little memory.
        """
        cache = EmbeddingCache(0) if own_batch else self._cache
        batch_key = object() if own_batch else None
        with self._admission.admit(len(sources)):
            with stage("prepare"):
                images = await self._prepare(embedder, sources, cache, token)
            waiting = {image.identity: image.inputs for image in images if image.inputs is not None}
            attributes: Attributes = {
                "gen_ai.operation.name": "embeddings",
                "gen_ai.request.model": embedder.card.model_id,
                "chladni.images": len(waiting),
            }
            with stage("embed", attributes=attributes):
                results = await self._batcher.submit(
                    [EmbeddingJob(embedder, inputs, batch_key) for inputs in waiting.values()], token
                )
        computed = dict(zip(waiting, results, strict=True))
        vectors = [
            computed[image.identity].vector if image.vector is None else image.vector for image in images
        ]
        for image, vector in zip(images, vectors, strict=True):
            if image.key is not None:
                cache.keep_vector(image.key, vector)
        cached_count = sum(image.vector is not None for image in images)
        self._metrics.count_images(embedder.card.model_id, cached=cached_count, computed=len(computed))
        return Embeddings(
            vectors=np.array(vectors),
            cached_count=cached_count,
            processing_seconds=sum(image.seconds for image in images)
            + sum(result.seconds for result in results),
        )

    async def _prepare(
        self,
        embedder: ImageEmbedder,
        sources: Sequence[ImageSource],
        cache: EmbeddingCache,
        token: CancellationToken,
    ) -> Sequence[PreparedImage]:
        """Prepare all images, even after one that fails: the error reports all bad ones."""
        ready = [image for source in sources if (image := pass_ready_image(embedder, source))]
        if len(ready) == len(sources):
            return ready
        decode = partial(self._decoder.decode, token)
        results = await asyncio.gather(
            *(self._workers.run(token, prepare_image, embedder, source, cache, decode) for source in sources),
            return_exceptions=True,
        )
        failures = [result for result in results if isinstance(result, BaseException)]
        if len(failures) > 1 and all(isinstance(failure, InvalidInputError) for failure in failures):
            raise _together([failure for failure in failures if isinstance(failure, InvalidInputError)])
        if failures:
            raise failures[0]
        return [result for result in results if not isinstance(result, BaseException)]


def _together(failures: Sequence[InvalidInputError]) -> InvalidFieldsError:
    """Return one error for several; its message names each field before its problem."""
    reported = failures[:_MAX_REPORTED_FAILURES]
    violations = [violation for failure in reported for violation in failure.violations]
    return InvalidFieldsError(
        failures[0].reason,
        [replace(item, description=item.description.removeprefix(f"{item.field} ")) for item in violations],
        metadata=failures[0].metadata,
    )
