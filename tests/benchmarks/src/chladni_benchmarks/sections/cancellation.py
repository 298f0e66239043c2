"""How many denoising steps run after a caller has left.

Callers leave at random moments, half of them while another generation shares the model. The service counts
the denoising steps that it takes; its counter is read once it no longer changes. The count, less the steps
whose events the callers received, ran after the caller left: at least 0, and 1 if the step in progress ended.

A step that ends just before the caller leaves is counted as one after it, because its event is still on the
way. So no caller leaves within a few milliseconds of the moment at which the next step is due: from outside
it cannot be seen on which side of it the step ends.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import grpc

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni_benchmarks.conditions import Conditions
from chladni_benchmarks.figures import Figures, MeasurementError, median
from chladni_benchmarks.reports.charts import BarChart, Chart
from chladni_benchmarks.reports.targets import TARGETS
from chladni_benchmarks.services.image_requests import FinishedGeneration, generation_request
from chladni_benchmarks.services.measured_service import MeasuredService, measured_service

STEPS_METRIC: Final = "chladni_denoising_steps_total"
_LONG_STEPS: Final = 50
_CONCURRENT_STEPS: Final = 6
_LAST_STEP: Final = 12
_TRANSIT_SECONDS: Final = 0.006


@dataclass(slots=True)
class _Trial:
    """The outcome of a caller that left.

    Attributes:
        received_steps: Steps whose events it received.
        taken_steps: Steps that the service took for it.
    """

    received_steps: int
    taken_steps: int

    @property
    def steps_after(self) -> int:
        return self.taken_steps - self.received_steps


def measure(conditions: Conditions) -> Figures:
    """Return the most and the mean steps after a caller has left."""
    rng = random.Random(0)
    conditions.report("starting the service")
    with measured_service("image-generation", conditions.folder) as served:
        step_seconds = _step_seconds(served)
        trial_count = conditions.choose(40, 3)
        trials = []
        for number in range(1, 1 + trial_count):
            conditions.report(f"caller {number} of {trial_count} leaves")
            trials.append(
                _leave(
                    served,
                    rng,
                    seed=number,
                    has_concurrent=number % 2 == 0,
                    step_seconds=step_seconds,
                )
            )
    after = [trial.steps_after for trial in trials]
    return {
        "cancellation.steps_after": max(after),
        "cancellation.steps_after_mean": sum(after) / len(after),
        "cancellation.callers": len(trials),
        "cancellation.steps_not_taken": sum(_LONG_STEPS - trial.taken_steps for trial in trials),
    }


def charts(figures: Mapping[str, float]) -> list[Chart]:
    """Return the mean and the maximum."""
    return [
        BarChart(
            "cancellation",
            f"Denoising steps after a caller has left, of {figures['cancellation.callers']:.0f} callers",
            "steps",
            {
                "steps": {
                    "mean": figures["cancellation.steps_after_mean"],
                    "most": figures["cancellation.steps_after"],
                }
            },
            limit=TARGETS["cancellation.steps_after"].bound,
        )
    ]


def _step_seconds(served: MeasuredService) -> float:
    """Return the time between two steps of a generation that is alone."""
    stub = image_grpc.ImageGenerationServiceStub(served.channel)
    moments = [
        time.perf_counter()
        for event in stub.GenerateImage(generation_request(0, steps=10, guidance_scale=1.0))
        if event.HasField("progress")
    ]
    return median([after - before for before, after in pairwise(moments)])


def _leave(
    served: MeasuredService,
    rng: random.Random,
    *,
    seed: int,
    has_concurrent: bool,
    step_seconds: float,
) -> _Trial:
    """Start a long generation and leaves it at a random moment."""
    stub = image_grpc.ImageGenerationServiceStub(served.channel)
    steps_before = served.settled_metric(STEPS_METRIC, quiet_seconds=3 * step_seconds)
    concurrent = _ConcurrentGeneration(stub, seed) if has_concurrent else None
    call: Any = stub.GenerateImage(generation_request(seed, steps=_LONG_STEPS, guidance_scale=1.0))
    reader = _EventReader(call)
    reader.wait_for(rng.randint(0, _LAST_STEP))
    time.sleep(rng.uniform(0, max(0.0, step_seconds - _TRANSIT_SECONDS)))
    received_steps = reader.received_steps
    call.cancel()
    reader.join()
    concurrent_steps = concurrent.join() if concurrent else 0
    steps_now = served.settled_metric(STEPS_METRIC, quiet_seconds=4 * step_seconds)
    trial = _Trial(received_steps, round(steps_now - steps_before) - concurrent_steps)
    if trial.steps_after < 0 or trial.taken_steps >= _LONG_STEPS:
        raise MeasurementError(f"the counter of steps does not fit the received events: {trial}")
    return trial


class _EventReader:
    """Reads the events of a call on a thread, and counts those of steps."""

    def __init__(self, call: Any) -> None:
        self.received_steps = 0
        self._error: grpc.RpcError | None = None
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(call,))
        self._thread.start()

    def wait_for(self, step_count: int) -> None:
        """Wait until so many steps are done.

        Raises:
            MeasurementError: They are not done in time.
        """
        with self._change:
            if not self._change.wait_for(
                lambda: self.received_steps >= step_count or self._error, timeout=60
            ):
                raise MeasurementError(f"no step {step_count} in a minute")
        if self._error:
            raise MeasurementError(f"a generation failed: {self._error}")

    def join(self) -> None:
        """Wait for the end of the call.

        Raises:
            MeasurementError: It did not end by cancellation.
        """
        self._thread.join()
        if self._error is None or self._error.code() is not grpc.StatusCode.CANCELLED:
            raise MeasurementError(f"a cancelled call ended with {self._error or 'an image'}")

    def _read(self, call: Iterator[image_pb2.GenerateImageResponse]) -> None:
        try:
            for event in call:
                if event.HasField("progress"):
                    with self._change:
                        self.received_steps += 1
                        self._change.notify()
        except grpc.RpcError as error:
            with self._change:
                self._error = error
                self._change.notify()


class _ConcurrentGeneration:
    """A generation that runs at the same time and is never cancelled."""

    def __init__(self, stub: image_grpc.ImageGenerationServiceStub, seed: int) -> None:
        request = generation_request(1000 + seed, steps=_CONCURRENT_STEPS, guidance_scale=1.0)
        self._call = stub.GenerateImage(request)

    def join(self) -> int:
        """Wait for its image and return how many steps it took."""
        return FinishedGeneration.of(self._call).step_count
