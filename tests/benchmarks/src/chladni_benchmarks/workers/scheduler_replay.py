"""Replay a schedule of arrivals on the engine, with the service's scheduler or first come, first served.

    python -m chladni_benchmarks.workers.scheduler_replay

Engine, model and limits are the defaults of the service; only the scheduler differs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any, Final

import diffusers
import torch
from prometheus_client import CollectorRegistry

from chladni_benchmarks.services.image_requests import random_embedding
from chladni_benchmarks.workers.commands import answer_commands
from chladni_image_generation.composition import load_configured_model
from chladni_image_generation.config import ImageGenerationSettings
from chladni_image_generation.engine.engine import Engine, EngineLimits
from chladni_image_generation.engine.executor import new_compute_thread
from chladni_image_generation.engine.scheduler import FairScheduler, Scheduler
from chladni_image_generation.engine.tracking import TrackedRequest
from chladni_image_generation.generation import Completed, Conditioning, GenerationRequest
from chladni_image_generation.metrics import GenerationMetrics
from chladni_image_generation.models.interface import LatentDiffusionModel
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.settings import load_settings


class FirstComeFirstServed:
    """A scheduler without a policy: each request runs to its end, in the order of arrival."""

    def __init__(self) -> None:
        self._requests: list[TrackedRequest] = []

    def join(self, request: TrackedRequest) -> None:
        """Add a request behind all others."""
        self._requests.append(request)

    def leave(self, request: TrackedRequest) -> None:
        """Remove a request; unknown ones are ignored."""
        if request in self._requests:
            self._requests.remove(request)

    def charge(self, request: TrackedRequest, work: float) -> None:
        """Do nothing: the work done does not matter."""

    def order(self, now: float) -> list[TrackedRequest]:
        """Return all requests by their arrival."""
        del now
        return list(self._requests)


class SchedulerReplay:
    """Runs schedules.

    Args:
        model: The model.
        settings: Settings of the service.
    """

    def __init__(self, model: LatentDiffusionModel, settings: ImageGenerationSettings) -> None:
        self._model = model
        self._settings = settings
        self._orders: Final[dict[str, Callable[[], Scheduler[TrackedRequest]]]] = {
            "fair": lambda: FairScheduler(
                oldest_share=settings.oldest_share, promotion_seconds=settings.promotion_seconds
            ),
            "first_come": FirstComeFirstServed,
        }

    def step_seconds(self) -> float:
        """Return the time of a step without guidance."""
        steps = 12
        (seconds,) = self.replay("first_come", [{"at_seconds": 0.0, "steps": steps}])
        return seconds / steps

    def replay(self, turns: str, arrivals: list[dict[str, Any]]) -> list[float]:
        """Return how long each job took, from its arrival to its image, in seconds.

        Args:
            turns: Order of turns, ``fair`` or ``first_come``.
            arrivals: For each job ``at_seconds`` and ``steps``.
        """
        return asyncio.run(self._replay(self._orders[turns](), arrivals))

    async def _replay(
        self, scheduler: Scheduler[TrackedRequest], arrivals: list[dict[str, Any]]
    ) -> list[float]:
        compute_thread = new_compute_thread(torch.get_num_threads())
        engine = Engine(
            self._model,
            limits=EngineLimits(
                batch_size=self._settings.batch_size,
                decode_batch_size=self._settings.decode_batch_size,
                max_active_requests=self._settings.max_active_requests,
                max_queued_requests=self._settings.max_queued_requests,
            ),
            scheduler=scheduler,
            metrics=GenerationMetrics(CollectorRegistry()),
            compute_thread=compute_thread,
            clock=time.monotonic,
        )
        with compute_thread:
            return await self._run_all(engine, arrivals)

    async def _run_all(self, engine: Engine, arrivals: list[dict[str, Any]]) -> list[float]:
        async with engine, asyncio.TaskGroup() as group:
            started_at = time.monotonic()
            jobs = [
                group.create_task(self._run(engine, seed, started_at=started_at, **arrival))
                for seed, arrival in enumerate(arrivals)
            ]
            return [await job for job in jobs]

    async def _run(
        self, engine: Engine, seed: int, *, started_at: float, at_seconds: float, steps: int
    ) -> float:
        width_pixels, height_pixels = engine.description.image_size_pixels
        request = GenerationRequest(
            conditioning=Conditioning(audio_embedding=random_embedding(seed)),
            seed=seed,
            steps=steps,
            guidance_scale=1.0,
            scheduler=engine.description.scheduler_names[0],
            width_pixels=width_pixels,
            height_pixels=height_pixels,
        )
        await asyncio.sleep(started_at + at_seconds - time.monotonic())
        arrived_at = time.monotonic()
        async with aclosing(engine.generate(request, CancellationToken(), use_cache=False)) as events:
            async for event in events:
                if isinstance(event, Completed):
                    return time.monotonic() - arrived_at
        raise ValueError("a generation ended without an image")


def main() -> None:
    """Load the model and answer commands."""
    diffusers.logging.disable_progress_bar()
    settings = load_settings(ImageGenerationSettings, {})
    replay = SchedulerReplay(load_configured_model(settings, settings.model), settings)
    replay.step_seconds()
    answer_commands({"step_seconds": replay.step_seconds, "replay": replay.replay})


if __name__ == "__main__":
    main()
