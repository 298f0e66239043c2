"""Image generation through the service against a bare diffusers loop with the same model.

Both make the same images, with the model's default steps and guidance, in turn; each waits in its own
process while the other computes. ``generation.serving_overhead`` is the median over the pairs of the
service's time, from the call to the last byte of the PNG, over the loop's, less 1.

The overhead's parts add up to about it: the difference in each stage, by the service's metrics and the loop's
clock, the wait in the queue, and the rest, which is that of gRPC and the event loop. All are shares of the
loop's time.

The loop computes the two rows of guidance in the faster of two ways: in one call of the UNet, as diffusers'
pipelines do, or in two.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni_benchmarks.conditions import Conditions
from chladni_benchmarks.figures import Figures, MeasurementError, median
from chladni_benchmarks.reports.charts import BarChart, Chart
from chladni_benchmarks.services.image_requests import FinishedGeneration, generation_request, pixels_of
from chladni_benchmarks.services.measured_service import MeasuredService, measured_service
from chladni_benchmarks.workers.worker import Worker

# Of 255. Rows that share a call are rounded differently from rows that do not, and half precision shows it.
_MAX_MEAN_DIFFERENCE: Final = 1.5
_MAX_SIZE_DIFFERENCE: Final = 0.05


@dataclass(frozen=True, slots=True)
class MadeImage:
    """An image, its wall and processor time in seconds, and that of each stage, if it is known."""

    png: bytes
    seconds: float
    cpu_seconds: float
    stage_seconds: Mapping[str, float] = field(default_factory=dict)


def measure(conditions: Conditions) -> Figures:
    """Return the overhead, and the times of both."""
    conditions.report("starting the service")
    with measured_service("image-generation", conditions.folder) as served:
        stub = image_grpc.ImageGenerationServiceStub(served.channel)
        provenance = FinishedGeneration.of(stub.GenerateImage(generation_request(0))).completed.provenance
        conditions.report("loading the bare loop")
        with Worker(
            "bare_generation", provenance.dtype, str(provenance.thread_count), provenance.device
        ) as bare:

            def serve(seed: int) -> MadeImage:
                return _served_image(stub, served, seed)

            def loop(seed: int, *, is_batched: bool) -> MadeImage:
                answer = bare.ask(
                    "generate",
                    seed=seed,
                    steps=provenance.steps,
                    guidance_scale=provenance.guidance_scale,
                    is_batched=is_batched,
                )
                png = base64.b64decode(answer["png"])
                return MadeImage(png, answer["wall_seconds"], answer["cpu_seconds"], answer["stage_seconds"])

            conditions.report("the bare loop: one call of the UNet for both rows of guidance, or two?")
            loop(0, is_batched=True)
            trials = {True: list[float](), False: list[float]()}
            for seed in range(conditions.choose(4, 1)):
                for is_batched, seconds in trials.items():
                    seconds.append(loop(seed, is_batched=is_batched).seconds)
            is_batched = median(trials[True]) < median(trials[False])

            pairs = []
            stages_before, waits_before = _work_seconds(served)
            pair_count = conditions.choose(14, 2)
            for seed in range(1, 1 + pair_count):
                conditions.report(f"served against bare: pair {seed} of {pair_count}")
                if seed % 2:
                    ours, theirs = serve(seed), loop(seed, is_batched=is_batched)
                else:
                    theirs, ours = loop(seed, is_batched=is_batched), serve(seed)
                _check_same(ours, theirs)
                pairs.append((ours, theirs))
            stages, waits = _work_seconds(served)
    served_seconds = {
        stage: (seconds - stages_before.get(stage, 0.0)) / len(pairs) for stage, seconds in stages.items()
    }
    parts = overhead_parts(pairs, served_seconds, wait_seconds=(waits - waits_before) / len(pairs))
    return parts | {
        "generation.serving_overhead": median([ours.seconds / bare.seconds for ours, bare in pairs]) - 1,
        "generation.serving_cpu_overhead": sum(ours.cpu_seconds for ours, _ in pairs)
        / sum(bare.cpu_seconds for _, bare in pairs)
        - 1,
        "generation.served_seconds": median([ours.seconds for ours, _ in pairs]),
        "generation.bare_seconds": median([bare.seconds for _, bare in pairs]),
        "generation.bare_one_call_seconds": median(trials[True]),
        "generation.bare_two_calls_seconds": median(trials[False]),
        "generation.pairs": len(pairs),
    }


def overhead_parts(
    pairs: Sequence[tuple[MadeImage, MadeImage]], served_seconds: Mapping[str, float], *, wait_seconds: float
) -> Figures:
    """Return what the overhead is made of, in shares of the loop's time.

    Args:
        pairs: Images of the service and of the loop.
        served_seconds: Mean time of an image in each stage of the service.
        wait_seconds: Mean time of an image in its queue.
    """
    bare_seconds = float(np.mean([bare.seconds for _, bare in pairs]))
    served = float(np.mean([ours.seconds for ours, _ in pairs]))
    names = pairs[0][1].stage_seconds
    more_seconds = {
        name: served_seconds.get(name, 0.0) - float(np.mean([bare.stage_seconds[name] for _, bare in pairs]))
        for name in names
    }
    rest = served - wait_seconds - sum(served_seconds.get(name, 0.0) for name in names)
    return {
        f"generation.overhead_of_{name}": seconds / bare_seconds
        for name, seconds in (more_seconds | {"queue": wait_seconds, "calls_and_event_loop": rest}).items()
    }


def _work_seconds(served: MeasuredService) -> tuple[dict[str, float], float]:
    """Return the time that the service spent in each stage so far, and in queues."""
    return (
        served.metric_by("stage", "chladni_stage_seconds_sum"),
        served.metric("chladni_queue_wait_seconds_sum"),
    )


def charts(figures: Mapping[str, float]) -> list[Chart]:
    """Return both times side by side."""
    times = {
        "served": figures["generation.served_seconds"],
        "bare loop": figures["generation.bare_seconds"],
        "bare, one call a step": figures["generation.bare_one_call_seconds"],
        "bare, two calls": figures["generation.bare_two_calls_seconds"],
    }
    title = f"An image of 512x512: serving adds {figures['generation.serving_overhead']:+.1%}"
    prefix = "generation.overhead_of_"
    parts = {
        name.removeprefix(prefix).replace("_", " "): value * figures["generation.bare_seconds"] * 1e3
        for name, value in figures.items()
        if name.startswith(prefix)
    }
    return [
        BarChart("generation", title, "seconds", {"time": times}),
        BarChart("generation_overhead", "What serving an image adds, by part", "ms", {"more": parts}),
    ]


def _served_image(
    stub: image_grpc.ImageGenerationServiceStub, served: MeasuredService, seed: int
) -> MadeImage:
    request = generation_request(seed)
    cpu_seconds, started_at = served.processor_seconds, time.perf_counter()
    answer = FinishedGeneration.of(stub.GenerateImage(request))
    seconds = time.perf_counter() - started_at
    return MadeImage(answer.completed.image.content, seconds, served.processor_seconds - cpu_seconds)


def _check_same(ours: MadeImage, theirs: MadeImage) -> None:
    """Check that both made the same image, as files of about the same size."""
    difference = np.abs(pixels_of(ours.png).astype(int) - pixels_of(theirs.png)).mean()
    if difference > _MAX_MEAN_DIFFERENCE:
        raise MeasurementError(f"the two images differ by {difference:.2f} of 255 on average")
    size_ratio = len(ours.png) / len(theirs.png)
    if abs(size_ratio - 1) > _MAX_SIZE_DIFFERENCE:
        raise MeasurementError(f"the service's PNG is {size_ratio:.2f} times as large as the loop's")
