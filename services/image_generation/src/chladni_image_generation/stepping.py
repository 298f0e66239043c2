"""The computing half of the engine: one step of several requests, on the engine's thread."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import torch

from chladni_image_generation.denoising import denoise_padded
from chladni_image_generation.generation import (
    Completed,
    GenerationEvent,
    GenerationRequest,
    Progress,
    Started,
)
from chladni_image_generation.job import GenerationJob
from chladni_image_generation.pictures import encode_png, encode_preview
from chladni_runtime.errors import ChladniError, FaultError, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chladni_image_generation.model import LatentDiffusionModel
    from chladni_image_generation.provenance import ProvenanceRecorder
    from chladni_runtime.deadlines import Clock

_log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Flight:
    """A request on its way through the model.

    Attributes:
        request: What to generate.
        queue_seconds: Time that it waited.
        started_at: When it got its turn, on the engine's clock.
        job: Its state in the model; `None` before its first step.
    """

    request: GenerationRequest
    queue_seconds: float
    started_at: float
    job: GenerationJob | None = None

    @property
    def row_count(self) -> int:
        """Rows that a step of it takes: one, or two with guidance."""
        return 1 if self.request.guidance_scale == 1 else 2

    @property
    def steps_done(self) -> int:
        """Denoising steps taken so far."""
        return self.job.steps_done if self.job else 0


StepOutcome = list[GenerationEvent] | ChladniError
"""What a step of a request led to: events, or the error that ended it."""


class Stepper:
    """Advances requests, the rows of several sharing the calls of the denoiser.

    Args:
        model: The model.
        batch_size: Rows in every call of the denoiser.
        provenance: Writes the provenance of finished pictures.
        clock: Monotonic clock in seconds.
    """

    def __init__(
        self,
        model: LatentDiffusionModel,
        *,
        batch_size: int,
        provenance: ProvenanceRecorder,
        clock: Clock,
    ) -> None:
        self._model = model
        self._batch_size = batch_size
        self._provenance = provenance
        self._clock = clock

    def step(self, flights: Sequence[Flight]) -> list[StepOutcome]:
        """Takes one denoising step of each request, and finishes those for which it was the last.

        A request that fails does so alone; the others' outcomes are as if it had not been there.
        """
        with torch.inference_mode():
            return self._step(flights)

    def _step(self, flights: Sequence[Flight]) -> list[StepOutcome]:
        try:
            jobs = [self._job_of(flight) for flight in flights]
            rows = [row for job in jobs for row in job.rows()]
            predictions = iter(denoise_padded(self._model, rows, batch_size=self._batch_size))
        except Exception as error:  # noqa: BLE001 - any fault of a model ends one request, not the engine
            if len(flights) > 1:
                return [outcome for flight in flights for outcome in self._step([flight])]
            return [_as_answer(error)]
        outcomes: list[StepOutcome] = []
        for flight, job in zip(flights, jobs, strict=True):
            own_predictions = list(islice(predictions, job.row_count))
            try:
                is_first = job.steps_done == 0
                job.advance(own_predictions)
                started = [Started(flight.request, job.total_steps)] if is_first else []
                outcomes.append([*started, *self._events_after_step(flight, job)])
            except Exception as error:  # noqa: BLE001 - as above
                outcomes.append(_as_answer(error))
        return outcomes

    def _job_of(self, flight: Flight) -> GenerationJob:
        if flight.job is None:
            flight.job = GenerationJob(self._model, flight.request)
        return flight.job

    def _events_after_step(self, flight: Flight, job: GenerationJob) -> list[GenerationEvent]:
        request = flight.request
        interval = request.preview_interval_steps
        preview = None
        if interval and job.steps_done % interval == 0 and not job.is_denoised:
            size_pixels = request.preview_size_pixels
            preview = encode_preview(job.decode_preview(size_pixels), size_pixels)
        elapsed_seconds = self._clock() - flight.started_at
        progress = Progress(
            step=job.steps_done,
            total_steps=job.total_steps,
            preview_jpeg=preview,
            preview_size_pixels=request.preview_size_pixels,
            elapsed_seconds=elapsed_seconds,
            remaining_seconds=elapsed_seconds / job.steps_done * (job.total_steps - job.steps_done),
        )
        if not job.is_denoised:
            return [progress]
        provenance = self._provenance.record(request)
        png = encode_png(job.decode(), provenance)
        processing_seconds = self._clock() - flight.started_at
        return [progress, Completed(png, provenance, flight.queue_seconds, processing_seconds)]


def _as_answer(error: Exception) -> ChladniError:
    """Returns the error that the caller of a failed request gets."""
    if isinstance(error, ChladniError):
        return error
    _log.error("a generation failed", exc_info=error)
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return ChladniError(
            Reason.OUT_OF_MEMORY,
            "The model ran out of memory for this request. Try again when fewer requests are in progress.",
            retry_after_seconds=1.0,
        )
    return FaultError(Reason.INTERNAL, "The model failed on this request.")
