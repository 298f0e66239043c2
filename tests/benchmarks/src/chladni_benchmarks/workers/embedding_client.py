"""A client that keeps some requests for embeddings in flight, at the lowest possible cost.

    python -m chladni_benchmarks.workers.embedding_client TARGET

Requests are serialised beforehand and answers are only parsed in `vectors`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import grpc
import numpy as np

from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni_benchmarks.services.embedding_requests import embedding_request, random_images
from chladni_benchmarks.services.measured_service import CHANNEL_OPTIONS
from chladni_benchmarks.workers.commands import answer_commands
from chladni_contract.tensors import to_array

_METHOD = "/chladni.similarity.v1.SimilarityService/EmbedImages"
_IMAGE_COUNT = 64


class EmbeddingClient:
    """Sends images in turn, one in each request.

    Args:
        target: Address of the service.
    """

    def __init__(self, target: str) -> None:
        self._runner = asyncio.Runner()
        self._channel = self._runner.run(_open(target))
        self._embed = self._channel.unary_unary(  # bytes there, bytes back
            _METHOD, request_serializer=None, response_deserializer=None
        )
        images = random_images(_IMAGE_COUNT, side_pixels=224)
        self._requests = [embedding_request(images[index : index + 1]) for index in range(len(images))]

    def run(self, concurrency: int, seconds: float) -> dict[str, Any]:
        """Keep `concurrency` requests in flight for some time; a failed one ends it.

        Returns how many images were answered in that time, the processor time of this process, and
        the time of each.
        """
        return self._runner.run(self._run(concurrency, seconds))

    def vectors(self, count: int) -> list[list[float]]:
        """Return the vectors of the first images."""

        async def collect() -> list[list[float]]:
            answers = [await self._embed(request) for request in self._requests[:count]]
            return [_vector(answer) for answer in answers]

        return self._runner.run(collect())

    async def _run(self, concurrency: int, seconds: float) -> dict[str, Any]:
        latencies_seconds: list[float] = []
        started_at, cpu_started_at = time.perf_counter(), time.process_time()
        end_at = started_at + seconds

        async def call_repeatedly(first: int) -> None:
            position = first
            while (now := time.perf_counter()) < end_at:
                answer = await self._embed(self._requests[position % len(self._requests)])
                if not answer:
                    raise ValueError("the service returned an empty answer")
                latencies_seconds.append(time.perf_counter() - now)
                position += concurrency

        async with asyncio.TaskGroup() as group:
            for index in range(concurrency):
                group.create_task(call_repeatedly(index))
        return {
            "image_count": len(latencies_seconds),
            "wall_seconds": time.perf_counter() - started_at,
            "cpu_seconds": time.process_time() - cpu_started_at,
            "latencies_seconds": latencies_seconds,
        }


async def _open(target: str) -> grpc.aio.Channel:
    channel = grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS)
    await channel.channel_ready()
    return channel


def _vector(answer: bytes) -> list[float]:
    response = similarity_pb2.EmbedImagesResponse.FromString(answer)
    if response.cached_count:
        raise ValueError("an embedding came from a cache, so that the model was not measured")
    vector = to_array(response.embeddings.values, field="values", dtype=np.float32, shape=(1, None))[0]
    values: list[float] = vector.tolist()
    return values


def main() -> None:
    """Connect and answer commands."""
    client = EmbeddingClient(sys.argv[1])
    answer_commands({"run": client.run, "vectors": client.vectors})


if __name__ == "__main__":
    main()
