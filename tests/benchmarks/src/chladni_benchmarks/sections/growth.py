"""How costs grow: with the length of a clip, the number of images, and the length of the queue.

Sizes take turns, and medians are compared. The exponent of a cost is that of the power law that fits it best:
1 if twice the size costs twice as much, near 0 if the size hardly matters.

The queue is that of image generation, with a tiny model, so that steps are short and the overhead is visible:
the time until a request is accepted, or refused because it would miss its deadline; and the time between two
ticks of the engine in which the model is idle.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import grpc

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni.media.v1 import media_pb2
from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.similarity.v1 import similarity_service_pb2_grpc as similarity_grpc
from chladni_benchmarks.conditions import Conditions
from chladni_benchmarks.figures import Figures, MeasurementError, growth_exponent, median
from chladni_benchmarks.models.saved_models import save_tiny_model
from chladni_benchmarks.reports.charts import Chart, LineChart
from chladni_benchmarks.services.embedding_requests import embedding_request, random_images
from chladni_benchmarks.services.image_requests import generation_request
from chladni_benchmarks.services.measured_service import MeasuredService, measured_service
from chladni_fixtures.audio import encoded, melody

CLIP_SECONDS: Final = (1, 2, 5, 10, 20, 30)
IMAGE_COUNTS: Final = (1, 4, 16, 64)
WAITING_COUNTS: Final = (16, 64, 256)
_QUEUE_COSTS: Final = ("accept_ms", "refuse_ms", "tick_overhead_ms")
_QUEUE_LIMIT: Final = 300
_LONG_STEPS: Final = 1000
_DEADLINE_FACTOR: Final = 5  # Multiple of the time of one request; the shortest queue is three times as long.
_TICKS: Final = "chladni_denoising_step_seconds"


def measure(conditions: Conditions) -> Figures:
    """Return the cost at each size, and the exponents."""
    return _measure_clips(conditions) | _measure_images(conditions) | _measure_queue(conditions)


def charts(figures: Mapping[str, float]) -> list[Chart]:
    """Return one chart for each cost."""
    costs = {
        name.removesuffix("_ms").replace("_", " "): {
            float(count): figures[f"growth.queue.{count}_{name}"] for count in WAITING_COUNTS
        }
        for name in _QUEUE_COSTS
    }
    return [
        LineChart(
            "growth_extract",
            f"Features of a clip: exponent {figures['growth.extract.exponent']:.2f}",
            "seconds of audio",
            "milliseconds",
            {"ExtractFeatures": {s: figures[f"growth.extract.{s}s_ms"] for s in CLIP_SECONDS}},
        ),
        LineChart(
            "growth_embed",
            f"Embeddings of images: exponent {figures['growth.embed.exponent']:.2f}",
            "images in a request",
            "milliseconds",
            {"EmbedImages": {n: figures[f"growth.embed.{n}_ms"] for n in IMAGE_COUNTS}},
        ),
        LineChart("growth_queue", "The cost of queued requests", "queued requests", "milliseconds", costs),
    ]


def _measure_clips(conditions: Conditions) -> Figures:
    clips = {
        seconds: media_pb2.AudioClip(content=encoded(melody(float(seconds)))) for seconds in CLIP_SECONDS
    }
    with measured_service("audio-features", conditions.folder) as served:
        stub = audio_grpc.AudioFeatureServiceStub(served.channel)

        def extract(seconds: int) -> None:
            response = stub.ExtractFeatures(audio_pb2.ExtractFeaturesRequest(audio=clips[seconds]))
            if abs(response.audio.duration.ToTimedelta().total_seconds() - seconds) > 0.01:
                raise MeasurementError(f"a clip of {seconds} s was reported with another length")

        conditions.report("clips of 1 to 30 s")
        costs = _median_ms(extract, CLIP_SECONDS, runs=conditions.choose(7, 1))
    figures = {f"growth.extract.{seconds}s_ms": cost for seconds, cost in costs.items()}
    return figures | {"growth.extract.exponent": growth_exponent(costs)}


def _measure_images(conditions: Conditions) -> Figures:
    images = random_images(max(IMAGE_COUNTS), side_pixels=224)
    requests = {
        count: similarity_pb2.EmbedImagesRequest.FromString(embedding_request(images[:count]))
        for count in IMAGE_COUNTS
    }
    with measured_service("similarity", conditions.folder, {"cache_capacity": 0}) as served:
        stub = similarity_grpc.SimilarityServiceStub(served.channel)

        def embed(count: int) -> None:
            response = stub.EmbedImages(requests[count])
            if response.embeddings.values.shape[0] != count or response.cached_count:
                raise MeasurementError(f"{count} images were not computed")

        conditions.report("1 to 64 images")
        costs = _median_ms(embed, IMAGE_COUNTS, runs=conditions.choose(5, 1))
    figures = {f"growth.embed.{count}_ms": cost for count, cost in costs.items()}
    return figures | {"growth.embed.exponent": growth_exponent(costs)}


def _median_ms(run: Callable[[int], None], sizes: tuple[int, ...], *, runs: int) -> dict[float, float]:
    """Time every size in turn, several times after a first run; return the medians."""
    seconds: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(1 + runs):
        for size in sizes:
            started_at = time.perf_counter()
            run(size)
            seconds[size].append(time.perf_counter() - started_at)
    return {size: median(values[1:]) * 1e3 for size, values in seconds.items()}


def _measure_queue(conditions: Conditions) -> Figures:
    directory = conditions.folder / "tiny"
    save_tiny_model(directory)
    settings: dict[str, str | int] = {
        "model": str(directory),
        "max_steps": _LONG_STEPS,
        "max_queued_requests": _QUEUE_LIMIT,
        "max_concurrent_requests": 2 * _QUEUE_LIMIT,
    }
    figures: Figures = {}
    with measured_service("image-generation", conditions.folder, settings) as served:
        queue = _QueuedRequests(served)
        queue.grow_to(0)
        conditions.report("an empty queue")
        _, overhead_seconds = _tick_seconds(served, seconds=conditions.choose(1.0, 0.3))
        figures["growth.queue.0_tick_overhead_ms"] = overhead_seconds * 1e3
        for count in WAITING_COUNTS:
            conditions.report(f"{count} requests in the queue")
            queue.grow_to(count)
            tick_seconds, overhead_seconds = _tick_seconds(served, seconds=conditions.choose(1.0, 0.3))
            queue.grow_to(count)  # one of them may have ended
            runs = conditions.choose(12, 2)
            accepted = [queue.time_to_accept(seed) for seed in range(runs)]
            refused = [queue.time_to_refuse(seed, tick_seconds) for seed in range(runs)]
            prefix = f"growth.queue.{count}"
            figures |= {
                f"{prefix}_accept_ms": median(accepted) * 1e3,
                f"{prefix}_refuse_ms": median(refused) * 1e3,
                f"{prefix}_tick_overhead_ms": overhead_seconds * 1e3,
            }
        queue.leave()
    for cost in ("accept_ms", "refuse_ms"):
        costs = {float(count): figures[f"growth.queue.{count}_{cost}"] for count in WAITING_COUNTS}
        figures[f"growth.queue.{cost.removesuffix('_ms')}_exponent"] = growth_exponent(costs)
    return figures


def _tick_seconds(served: MeasuredService, *, seconds: float) -> tuple[float, float]:
    """Return the mean time of a tick, and the mean time between two in which the model is idle."""
    before, started_at = served.metrics(), time.perf_counter()
    time.sleep(seconds)
    after, elapsed_seconds = served.metrics(), time.perf_counter() - started_at
    ticks = after[f"{_TICKS}_count"] - before[f"{_TICKS}_count"]
    if ticks < 5:
        raise MeasurementError(f"only {ticks:.0f} ticks in {elapsed_seconds:.1f} s: the engine does not run")
    busy_seconds = after[f"{_TICKS}_sum"] - before[f"{_TICKS}_sum"]
    return busy_seconds / ticks, max(0.0, (elapsed_seconds - busy_seconds) / ticks)


class _QueuedRequests:
    """Long requests that fill the queue.

    Args:
        served: The service.
    """

    def __init__(self, served: MeasuredService) -> None:
        self._served = served
        self._stub = image_grpc.ImageGenerationServiceStub(served.channel)
        self._calls: list[Any] = []

    def grow_to(self, waiting_count: int) -> None:
        """Add requests until one is computed and `waiting_count` are queued."""
        while True:
            missing = waiting_count - round(self._served.metric("chladni_generations_queued"))
            if missing <= 0 and self._served.metric("chladni_generations_active") >= 1:
                return
            fresh = [self._start(len(self._calls) + index) for index in range(max(1, missing))]
            for call in fresh:
                next(call)  # the first event: accepted
            self._calls += fresh

    def time_to_accept(self, seed: int) -> float:
        """Return the time until one more request is accepted."""
        started_at = time.perf_counter()
        call = self._start(10_000 + seed)
        next(call)
        seconds = time.perf_counter() - started_at
        call.cancel()
        return seconds

    def time_to_refuse(self, seed: int, tick_seconds: float) -> float:
        """Return the time until one more request is refused because it would miss its deadline.

        Alone it could meet its deadline, so the refusal is due to the queue.
        """
        timeout_seconds = _DEADLINE_FACTOR * _LONG_STEPS * tick_seconds
        started_at = time.perf_counter()
        call: Any = self._stub.GenerateImage(
            generation_request(20_000 + seed, steps=_LONG_STEPS, guidance_scale=1.0), timeout=timeout_seconds
        )
        try:
            next(call)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise MeasurementError(
                    f"a request that would be late got {error.code().name}: {error.details()}"
                ) from error
            return time.perf_counter() - started_at
        raise MeasurementError("a request that would miss its deadline was accepted")

    def leave(self) -> None:
        """Cancel all requests."""
        for call in self._calls:
            call.cancel()

    def _start(self, seed: int) -> Any:
        return self._stub.GenerateImage(generation_request(seed, steps=_LONG_STEPS, guidance_scale=1.0))
