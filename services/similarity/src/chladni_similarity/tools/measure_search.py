"""Measure how well and how fast collections of images are searched.

    python -m chladni_similarity.tools.measure_search
    python -m chladni_similarity.tools.measure_search --collections https://qdrant.example.com:6333

Random unit vectors are added as requests would add them. Queries are some of them with noise, so that each
has one near neighbour and the others far away. Recall is the share of the true nearest, found by multiplying
with every vector, that a search finds. Where vectors stay in this process it is 1; a server with an index of
its own trades some of it for speed. The key of a server is read from CHLADNI_SIMILARITY_QDRANT_API_KEY.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chladni_runtime.execution.cancellation import CancellationToken
from chladni_similarity.collections.interface import (
    CollectionLimits,
    CollectionStore,
    ServerAccess,
    StoredImage,
    VectorKind,
    VectorSpace,
)
from chladni_similarity.collections.opening import open_store

_COLLECTION: Final = "measurement"
_IMAGES_PER_REQUEST: Final = 64
_NOISE_LENGTH: Final = 0.7
"""Length of the noise on a query; the cosine to the vector that it comes from is then about 0.82."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured.

    Attributes:
        recall: Share of the true nearest neighbours that were found, 0 to 1.
        first_recall: Share of the queries whose nearest neighbour was found first, 0 to 1.
        images_per_second: Images added in a second.
        median_milliseconds: Median time of a search.
        p95_milliseconds: 95th percentile of it.
        cpu_milliseconds: Processor time of this process for a search, which a busy machine distorts less.
    """

    recall: float
    first_recall: float
    images_per_second: float
    median_milliseconds: float
    p95_milliseconds: float
    cpu_milliseconds: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the job."""
    description, _, rest = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=description, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=10_000, help="images in the collection (10000)")
    parser.add_argument("--queries", type=int, default=200, help="searches, one after the other (200)")
    parser.add_argument("--dimension", type=int, default=1280, help="length of a vector (1280)")
    parser.add_argument("--neighbours", type=int, default=10, help="neighbours to find (10)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the vectors (0)")
    parser.add_argument(
        "--collections",
        default="memory",
        help="where they are kept: memory, an empty folder, or the URL of a Qdrant server, whose collection "
        f"{_COLLECTION!r} is emptied (memory)",
    )
    options = parser.parse_args(arguments)
    if not 1 <= options.neighbours <= options.images or options.queries < 1 or options.dimension < 1:
        parser.error(
            "--queries, --dimension and --neighbours must be 1 or more, --images at least --neighbours"
        )

    result = asyncio.run(
        measure(
            _location(options.collections),
            image_count=options.images,
            query_count=options.queries,
            dimension=options.dimension,
            match_count=options.neighbours,
            seed=options.seed,
        )
    )
    print(f"{options.images} vectors of {options.dimension} components, {options.queries} queries")
    print(f"recall@{options.neighbours:<4} {result.recall:10.4f}")
    print(f"recall@1    {result.first_recall:10.4f}")
    print(f"added       {result.images_per_second:10.0f} images/s")
    print(f"search p50  {result.median_milliseconds:10.2f} ms")
    print(f"search p95  {result.p95_milliseconds:10.2f} ms")
    print(f"search CPU  {result.cpu_milliseconds:10.2f} ms")


async def measure(
    location: Path | ServerAccess | None,
    *,
    image_count: int,
    query_count: int,
    dimension: int,
    match_count: int,
    seed: int,
) -> Measurement:
    """Fill a collection, search it, and empty it again.

    Args:
        location: Where it is kept; see `open_store`.
        image_count: Images in the collection.
        query_count: Searches, one after the other.
        dimension: Length of a vector.
        match_count: Neighbours to find, at most `image_count`.
        seed: Seed of the vectors.
    """
    rng = np.random.default_rng(seed)
    vectors = _unit_rows(rng.standard_normal((image_count, dimension), np.float32))
    chosen = vectors[rng.integers(0, image_count, query_count)]
    noise = _unit_rows(rng.standard_normal(chosen.shape, np.float32))
    queries = _unit_rows(chosen + _NOISE_LENGTH * noise)
    truth = np.argsort(-(queries @ vectors.T), axis=1)[:, :match_count]
    space = VectorSpace(VectorKind.IMAGE, "random", f"{seed:016x}", dimension)
    limits = CollectionLimits(max_collections=10_000, max_images=image_count)
    token = CancellationToken()
    async with open_store(location, spaces=[space], limits=limits, max_waiting=1) as store:
        await _empty(store, image_count)
        started_at = time.perf_counter()
        for start in range(0, image_count, _IMAGES_PER_REQUEST):
            rows = vectors[start : start + _IMAGES_PER_REQUEST]
            images = [
                StoredImage(str(start + index), {VectorKind.IMAGE: row}) for index, row in enumerate(rows)
            ]
            await store.add(_COLLECTION, images, token)
        images_per_second = image_count / (time.perf_counter() - started_at)
        found, seconds = [], []
        cpu_started_at = time.process_time()
        for query in queries:
            started_at = time.perf_counter()
            neighbours = await store.search(_COLLECTION, VectorKind.IMAGE, query, match_count, token)
            seconds.append(time.perf_counter() - started_at)
            found.append([int(neighbour.image_id) for neighbour in neighbours])
        cpu_seconds = time.process_time() - cpu_started_at
        await _empty(store, image_count)
    hits = [len(set(row) & set(true)) for row, true in zip(found, truth.tolist(), strict=True)]
    return Measurement(
        recall=sum(hits) / truth.size,
        first_recall=float(np.mean([row[:1] == [true[0]] for row, true in zip(found, truth, strict=True)])),
        images_per_second=images_per_second,
        median_milliseconds=1000 * float(np.median(seconds)),
        p95_milliseconds=1000 * float(np.percentile(seconds, 95)),
        cpu_milliseconds=1000 * cpu_seconds / query_count,
    )


async def _empty(store: CollectionStore, image_count: int) -> None:
    for start in range(0, image_count, 1000):
        ids = [str(index) for index in range(start, min(start + 1000, image_count))]
        await store.delete(_COLLECTION, ids, CancellationToken())


def _unit_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _location(text: str) -> Path | ServerAccess | None:
    if text == "memory":
        return None
    if re.match("https?://", text):
        return ServerAccess(text, api_key=os.environ.get("CHLADNI_SIMILARITY_QDRANT_API_KEY"))
    return Path(text)


if __name__ == "__main__":
    main()
