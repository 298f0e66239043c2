"""On a GPU: what batching gains for a denoiser of Stable Diffusion's size, and whether it changes a bit.

The engine runs on a UNet of Stable Diffusion 1.5's shape with random weights at 512x512, in bfloat16. Eight
guided requests in flight are computed with all their rows in one call, and request by request as diffusers'
pipelines do (the two rows of guidance in one call); `gpu.batched_speedup_8` is the ratio of the throughputs.
Then requests of random steps and schedulers are rendered alone and concurrently, and compared to the bit.

Nothing here is specific to GPUs, so everything can be tested on a CPU with a small shape.
"""

from __future__ import annotations

import asyncio
import io
import random
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

import torch
from PIL import Image
from prometheus_client import CollectorRegistry

from chladni_benchmarks.conditions import Conditions, NotMeasurableError
from chladni_benchmarks.figures import Figures, MeasurementError, median
from chladni_benchmarks.models.stable_diffusion import STABLE_DIFFUSION_1_5, UntrainedStableDiffusion
from chladni_benchmarks.reports.charts import BarChart, Chart
from chladni_benchmarks.reports.targets import TARGETS
from chladni_benchmarks.services.image_requests import random_embedding
from chladni_image_generation.engine.engine import Engine, EngineLimits
from chladni_image_generation.engine.executor import new_compute_thread
from chladni_image_generation.engine.scheduler import FairScheduler
from chladni_image_generation.generation import Completed, Conditioning, GenerationRequest
from chladni_image_generation.metrics import GenerationMetrics
from chladni_runtime.execution.cancellation import CancellationToken

IN_FLIGHT: Final = 8
_GUIDANCE_SCALE: Final = 7.5
_MIN_STEPS: Final = 4  # Not every scheduler supports fewer.


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure.

    Attributes:
        rounds: Rounds of both ways.
        steps: Denoising steps of a request.
        compared_images: Images rendered alone and concurrently.
        max_steps: Most denoising steps of one of these.
    """

    rounds: int
    steps: int
    compared_images: int
    max_steps: int


def measure(conditions: Conditions) -> Figures:
    """Return the speed-up by batching, and how many images differ.

    Raises:
        NotMeasurableError: There is no CUDA device.
    """
    if not torch.cuda.is_available():
        raise NotMeasurableError("no CUDA device")
    conditions.report("building a UNet of Stable Diffusion's size")
    model = UntrainedStableDiffusion(STABLE_DIFFUSION_1_5, device=torch.device("cuda"), dtype=torch.bfloat16)
    return measure_model(model, conditions.choose(Effort(3, 20, 32, 12), Effort(1, 4, 4, 5)), conditions)


def measure_model(model: UntrainedStableDiffusion, effort: Effort, conditions: Conditions) -> Figures:
    """Return the figures for a model on any device."""
    return asyncio.run(_measure(model, effort, conditions))


async def _measure(model: UntrainedStableDiffusion, effort: Effort, conditions: Conditions) -> Figures:
    with new_compute_thread(torch.get_num_threads()) as compute_thread:
        return await _measure_engines(model, effort, conditions, compute_thread)


async def _measure_engines(
    model: UntrainedStableDiffusion,
    effort: Effort,
    conditions: Conditions,
    compute_thread: ThreadPoolExecutor,
) -> Figures:
    requests = [
        replace(_request(model, seed), steps=effort.steps, guidance_scale=_GUIDANCE_SCALE)
        for seed in range(IN_FLIGHT)
    ]
    at_once = [0.0] * IN_FLIGHT
    async with (
        _engine(model, IN_FLIGHT, compute_thread) as batched,
        _engine(model, 1, compute_thread) as unbatched,
    ):
        ways = {"batched": batched, "unbatched": unbatched}
        images_per_second: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(1 + effort.rounds):
            conditions.report(f"{IN_FLIGHT} in flight, round {number}")
            for way, engine in ways.items():
                started_at = time.perf_counter()
                await _render(engine, requests, at_once)
                if number:  # the first round chooses kernels and finds out whether rows may share calls
                    images_per_second[way].append(IN_FLIGHT / (time.perf_counter() - started_at))
        conditions.report(f"{effort.compared_images} images alone and concurrently")
        differing = await _differing_images(batched, model, effort)
    throughput = {way: median(images_per_second[way]) for way in ways}
    return {
        "gpu.batched_speedup_8": throughput["batched"] / throughput["unbatched"],
        "gpu.batched_images_per_second": throughput["batched"],
        "gpu.unbatched_images_per_second": throughput["unbatched"],
        "gpu.steps": effort.steps,
        "gpu.images": effort.compared_images,
        "gpu.differing_images": differing,
    }


def charts(figures: Mapping[str, float]) -> list[Chart]:
    """Return both throughputs."""
    return [
        BarChart(
            "gpu",
            f"Stable Diffusion's UNet at 512x512, {IN_FLIGHT} in flight: "
            f"{figures['gpu.batched_speedup_8']:.2f} times the throughput "
            f"(target {TARGETS['gpu.batched_speedup_8'].bound:g})",
            "images a second",
            {
                "throughput": {
                    way: figures[f"gpu.{way}_images_per_second"] for way in ("unbatched", "batched")
                }
            },
        )
    ]


async def _differing_images(engine: Engine, model: UntrainedStableDiffusion, effort: Effort) -> int:
    rng = random.Random(0)
    requests = [
        replace(
            _request(model, 100 + seed),
            steps=rng.randint(_MIN_STEPS, effort.max_steps),
            guidance_scale=rng.choice((1.0, _GUIDANCE_SCALE)),
            scheduler=rng.choice(model.description.scheduler_names),
        )
        for seed in range(effort.compared_images)
    ]
    started_at = time.perf_counter()
    alone = [(await _render(engine, [request], [0.0]))[0] for request in requests]
    span_seconds = (time.perf_counter() - started_at) / 3
    moments = [rng.uniform(0, span_seconds) for _ in requests]
    together = await _render(engine, requests, moments)
    return sum(one != other for one, other in zip(alone, together, strict=True))


def _request(model: UntrainedStableDiffusion, seed: int) -> GenerationRequest:
    width_pixels, height_pixels = model.description.image_size_pixels
    return GenerationRequest(
        conditioning=Conditioning(audio_embedding=random_embedding(seed)),
        seed=seed,
        steps=1,
        guidance_scale=1.0,
        scheduler=model.description.scheduler_names[0],
        width_pixels=width_pixels,
        height_pixels=height_pixels,
    )


def _engine(model: UntrainedStableDiffusion, batch_size: int, compute_thread: ThreadPoolExecutor) -> Engine:
    return Engine(
        model,
        limits=EngineLimits(batch_size=batch_size),
        scheduler=FairScheduler(),
        metrics=GenerationMetrics(CollectorRegistry()),
        compute_thread=compute_thread,
        clock=time.monotonic,
    )


async def _render(
    engine: Engine, requests: Sequence[GenerationRequest], moments: Sequence[float]
) -> list[bytes]:
    """Return the pixels of requests that are sent to an engine at these moments, in seconds."""

    async def render(request: GenerationRequest, moment: float) -> bytes:
        await asyncio.sleep(moment)
        async with aclosing(engine.generate(request, CancellationToken(), use_cache=False)) as events:
            async for event in events:
                if isinstance(event, Completed):
                    return Image.open(io.BytesIO(event.content)).tobytes()
        raise MeasurementError("a generation ended without an image")

    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(render(request, moment))
            for request, moment in zip(requests, moments, strict=True)
        ]
    return [task.result() for task in tasks]
