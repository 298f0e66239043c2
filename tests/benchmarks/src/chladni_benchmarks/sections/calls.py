"""The overhead of a call: ExtractFeatures and EmbedImages against the same work done in process.

One call at a time, each followed or preceded by the same work in another process; ``overhead_ms`` is the
median of the differences of these pairs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.media.v1 import media_pb2
from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.similarity.v1 import similarity_service_pb2_grpc as similarity_grpc
from chladni.tensor.v1 import tensor_pb2
from chladni_benchmarks.conditions import Conditions
from chladni_benchmarks.figures import Figures, MeasurementError, median
from chladni_benchmarks.reports.charts import BarChart, Chart
from chladni_benchmarks.services.embedding_requests import embedding_request, random_images
from chladni_benchmarks.services.measured_service import measured_service
from chladni_benchmarks.workers.worker import Worker
from chladni_contract.tensors import to_array
from chladni_fixtures.audio import encoded, melody

_IMAGE_COUNT: Final = 64
_TOLERANCE: Final = 1e-4

_Timed = tuple[float, Sequence[float]]
"""Seconds, and the resulting vector."""


def measure(conditions: Conditions) -> Figures:
    """Return the times of both ways and the overhead of the call, for both RPCs."""
    conditions.report("features of a 10 s clip")
    figures = _measure_extraction(conditions)
    conditions.report("embedding of an image")
    return figures | _measure_embedding(conditions)


def charts(figures: Mapping[str, float]) -> list[Chart]:
    """Return both ways side by side."""
    names = {"ExtractFeatures, 10 s": "calls.extract_features", "EmbedImages, 1": "calls.embed_images"}
    return [
        BarChart(
            "calls",
            "A call against the same work in process",
            "milliseconds",
            {
                way: {label: figures[f"{name}.{key}_ms"] for label, name in names.items()}
                for way, key in (("call", "rpc"), ("in process", "inprocess"))
            },
        )
    ]


def _measure_extraction(conditions: Conditions) -> Figures:
    clip = media_pb2.AudioClip(content=encoded(melody(10.0)))
    with (
        Worker("bare_extraction") as bare,
        measured_service("audio-features", conditions.folder) as served,
    ):
        stub = audio_grpc.AudioFeatureServiceStub(served.channel)

        def call(_: int) -> _Timed:
            started_at = time.perf_counter()
            response = stub.ExtractFeatures(audio_pb2.ExtractFeaturesRequest(audio=clip))
            return time.perf_counter() - started_at, _vector(response.embedding.values, (None,))

        def work(_: int) -> _Timed:
            answer = bare.ask("extract")
            return answer["wall_seconds"], answer["embedding"]

        return _compare("calls.extract_features", call, work, pair_count=conditions.choose(30, 2))


def _measure_embedding(conditions: Conditions) -> Figures:
    images = random_images(_IMAGE_COUNT, side_pixels=224)  # the same as the bare process has
    requests = [
        similarity_pb2.EmbedImagesRequest.FromString(embedding_request(image[None])) for image in images
    ]
    with (
        Worker("bare_embedding", "efficientnet-lite0") as bare,
        measured_service("similarity", conditions.folder, {"cache_capacity": 0}) as served,
    ):
        stub = similarity_grpc.SimilarityServiceStub(served.channel)

        def call(position: int) -> _Timed:
            started_at = time.perf_counter()
            response = stub.EmbedImages(requests[position % _IMAGE_COUNT])
            return time.perf_counter() - started_at, _vector(response.embeddings.values, (1, None))

        def work(position: int) -> _Timed:
            answer = bare.ask("embed_once", position=position)
            return answer["wall_seconds"], answer["vector"]

        return _compare("calls.embed_images", call, work, pair_count=conditions.choose(60, 2))


def _compare(
    prefix: str, call: Callable[[int], _Timed], work: Callable[[int], _Timed], *, pair_count: int
) -> Figures:
    """Time pairs, each way first in turn; check that both give the same vectors."""
    warm_up_count = max(1, pair_count // 10)
    called, worked = [], []
    for position in range(warm_up_count + pair_count):
        if position % 2:
            (rpc, answered), (inprocess, expected) = call(position), work(position)
        else:
            (inprocess, expected), (rpc, answered) = work(position), call(position)
        if not np.allclose(answered, expected, rtol=0, atol=_TOLERANCE):
            raise MeasurementError(f"{prefix}: the service's vector is not the one computed in process")
        if position >= warm_up_count:
            called.append(rpc)
            worked.append(inprocess)
    differences = [rpc - inprocess for rpc, inprocess in zip(called, worked, strict=True)]
    return {
        f"{prefix}.rpc_ms": median(called) * 1e3,
        f"{prefix}.inprocess_ms": median(worked) * 1e3,
        f"{prefix}.overhead_ms": median(differences) * 1e3,
    }


def _vector(tensor: tensor_pb2.Tensor, shape: tuple[int | None, ...]) -> list[float]:
    values: list[float] = to_array(tensor, field="values", dtype=np.float32, shape=shape).ravel().tolist()
    return values
