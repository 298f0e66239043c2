"""Whether an image depends, by a single bit, on concurrent requests.

Every request is first rendered alone. Then all of them are sent again, at random moments, so that several are
in flight at a time, mixed with others that are cancelled: random step counts, with guidance and without,
every scheduler that the model supports, both priorities, several callers, some with previews. Every image
must have the pixels that it had alone.

Three services are measured: a tiny model with one row a call and with several, which makes many images in
little time, and the embedded model as it is served by default.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
import numpy as np

from chladni.generation.v1 import generation_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni_benchmarks.conditions import Conditions
from chladni_benchmarks.figures import Figures, MeasurementError
from chladni_benchmarks.models.saved_models import save_tiny_model
from chladni_benchmarks.reports.charts import BarChart, Chart
from chladni_benchmarks.services.image_requests import generation_request, pixels_of
from chladni_benchmarks.services.measured_service import CHANNEL_OPTIONS, MeasuredService, measured_service
from chladni_contract.metadata import CALLER_ID_KEY

_MAX_STEPS: Final = 12
_CANCELLED_SHARE: Final = 0.25
_CALLERS: Final = ("", "amber", "basalt", "cedar")
_IN_FLIGHT: Final = 6


@dataclass(frozen=True, slots=True)
class _Case:
    """A service to measure.

    Attributes:
        name: Name in the figures.
        settings: Its settings.
        image_count: Images to compare.
    """

    name: str
    settings: Mapping[str, str | int]
    image_count: int


@dataclass(frozen=True, slots=True)
class _PlannedRequest:
    """A request, and when and by whom it is made.

    Attributes:
        request: The message.
        caller: Identifier of the caller.
        pause_seconds: Time after the previous request.
        leaves_after: Number of events after which the caller cancels; `None` for never.
    """

    request: image_pb2.GenerateImageRequest
    caller: str
    pause_seconds: float
    leaves_after: int | None


def measure(conditions: Conditions) -> Figures:
    """Return how many images were compared, and how many differ."""
    figures: Figures = {"reproducibility.images": 0, "reproducibility.differing_images": 0}
    for case in _cases(conditions):
        with measured_service("image-generation", conditions.folder / case.name, case.settings) as served:
            different = asyncio.run(_compare(conditions, served, case))
        figures[f"reproducibility.{case.name}.images"] = case.image_count
        figures[f"reproducibility.{case.name}.differing_images"] = different
        figures["reproducibility.images"] += case.image_count
        figures["reproducibility.differing_images"] += different
    return figures


def charts(figures: Mapping[str, float]) -> list[Chart]:
    """Return how many images of each service were compared and how many differ."""
    cases = [name.split(".")[1] for name in figures if name.count(".") == 2 and name.endswith(".images")]
    return [
        BarChart(
            "reproducibility",
            "Images made concurrently, compared with the same images made alone",
            "images",
            {
                label: {case: figures[f"reproducibility.{case}.{key}"] for case in cases}
                for label, key in (("compared", "images"), ("different", "differing_images"))
            },
        )
    ]


def _cases(conditions: Conditions) -> list[_Case]:
    tiny = conditions.folder / "model" / "tiny"
    tiny.parent.mkdir()
    save_tiny_model(tiny)
    return [
        _Case("tiny_1_row", _tiny_settings(tiny, 1), conditions.choose(84, 4)),
        _Case("tiny_4_rows", _tiny_settings(tiny, 4), conditions.choose(84, 4)),
        _Case("embedded", {}, conditions.choose(40, 2)),
    ]


def _tiny_settings(directory: Path, batch_size: int) -> dict[str, str | int]:
    return {"model": str(directory), "batch_size": batch_size}


async def _compare(conditions: Conditions, served: MeasuredService, case: _Case) -> int:
    """Return how many images differ from the same images made alone."""
    rng = random.Random(case.name)
    async with grpc.aio.insecure_channel(served.target, options=CHANNEL_OPTIONS) as channel:
        stub = image_grpc.ImageGenerationServiceStub(channel)
        (model,) = (await stub.ListModels(image_pb2.ListModelsRequest())).models
        schedulers = list(model.image_generation.schedulers)
        requests = [_random_request(rng, seed, schedulers) for seed in range(case.image_count)]
        conditions.report(f"{case.name}: {len(requests)} images alone")
        loop = asyncio.get_running_loop()
        started_at = loop.time()
        alone = [await _image(stub, _PlannedRequest(request, "", 0.0, None)) for request in requests]
        seconds_each = (loop.time() - started_at) / len(requests)

        conditions.report(f"{case.name}: {len(requests)} images concurrently")
        planned = _mixed_with_cancelled(rng, requests, schedulers, pause_seconds=seconds_each)
        slots = asyncio.Semaphore(_IN_FLIGHT)
        together: dict[int, bytes | None] = {}

        async def render(item: _PlannedRequest) -> None:
            try:
                together[item.request.options.seed] = await _image(stub, item)
            finally:
                slots.release()

        async with asyncio.TaskGroup() as group:
            for item in planned:
                await asyncio.sleep(item.pause_seconds)
                await slots.acquire()
                group.create_task(render(item))
    return sum(
        not np.array_equal(_pixels(png), _pixels(together[request.options.seed]))
        for request, png in zip(requests, alone, strict=True)
    )


def _random_request(
    rng: random.Random, seed: int, schedulers: Sequence[str]
) -> image_pb2.GenerateImageRequest:
    previews = generation_pb2.PreviewOptions(interval_steps=2) if rng.random() < 0.2 else None
    return generation_request(
        seed,
        steps=rng.randint(1, _MAX_STEPS),
        guidance_scale=rng.choice((1.0, rng.uniform(1.5, 6.0))),
        scheduler=rng.choice(schedulers),
        priority=rng.choice((generation_pb2.PRIORITY_INTERACTIVE, generation_pb2.PRIORITY_BATCH)),
        previews=previews,
    )


def _mixed_with_cancelled(
    rng: random.Random,
    requests: Sequence[image_pb2.GenerateImageRequest],
    schedulers: Sequence[str],
    *,
    pause_seconds: float,
) -> list[_PlannedRequest]:
    """Return the requests in another order, mixed with some that are cancelled."""
    cancelled = [
        _random_request(rng, 1_000_000 + index, schedulers)
        for index in range(round(_CANCELLED_SHARE * len(requests)))
    ]
    planned = [
        _PlannedRequest(request, rng.choice(_CALLERS), rng.expovariate(1.5 / pause_seconds), None)
        for request in requests
    ]
    planned += [
        _PlannedRequest(
            request, rng.choice(_CALLERS), rng.expovariate(1.5 / pause_seconds), rng.randint(1, 6)
        )
        for request in cancelled
    ]
    rng.shuffle(planned)
    return planned


async def _image(stub: image_grpc.ImageGenerationServiceAsyncStub, item: _PlannedRequest) -> bytes | None:
    """Return the PNG of a request, `None` if its caller cancelled it first."""
    metadata = ((CALLER_ID_KEY, item.caller),) if item.caller else ()
    call = stub.GenerateImage(item.request, metadata=metadata)
    event_count = 0
    async for event in call:
        event_count += 1
        if event.HasField("completed"):
            if event.completed.reused:
                raise MeasurementError("an image came from a cache")
            return event.completed.image.content
        if event_count == item.leaves_after:
            call.cancel()
            return None
    raise MeasurementError("a generation ended without an image")


def _pixels(png: bytes | None) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    if png is None:
        raise MeasurementError("an image that was not cancelled is missing")
    return pixels_of(png)
