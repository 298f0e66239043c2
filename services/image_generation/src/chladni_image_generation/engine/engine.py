"""The engine: owns one model and advances the requests in flight step by step.

The event loop schedules them (see `scheduler`); one thread computes (see `executor`), others encode (see
`output`). A short request never waits for the end of a long one, and one whose callers have left is not
computed further.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, Self

import torch

from chladni_contract.errors import ChladniError, QueueFullError, Reason, UnavailableError
from chladni_image_generation.engine.batching import BatchGroup, BatchSizes
from chladni_image_generation.engine.cache import ImageCache, content_key
from chladni_image_generation.engine.checkpoints.checkpointer import Checkpointer, CheckpointFolder
from chladni_image_generation.engine.eta import DurationEstimator, EtaEstimator, QueueDelays
from chladni_image_generation.engine.executor import ExecutionState, Executor, Rescheduled, Retried, StepTaken
from chladni_image_generation.engine.output import OutputEncoder
from chladni_image_generation.engine.provenance import ProvenanceRecorder
from chladni_image_generation.engine.scheduler import Scheduler, SchedulingParameters
from chladni_image_generation.engine.tracking import Subscription, TrackedRequest
from chladni_image_generation.generation import (
    PNG,
    Completed,
    GenerationEvent,
    GenerationRequest,
    ImageEncoding,
    PreviewOptions,
    Started,
)
from chladni_image_generation.image_codec import PNG_COMPRESSION_LEVEL
from chladni_image_generation.metrics import GaugeShare, GenerationMetrics
from chladni_image_generation.models.interface import ImagesWithheldError, LatentDiffusionModel
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.deadlines import Clock
from chladni_runtime.failpoints import NO_FAILPOINTS, Failpoints
from chladni_runtime.telemetry.scope import current_telemetry, unobserved
from chladni_runtime.telemetry.spans import Span

_POSITION_INTERVAL_SECONDS: Final = 0.25
"""A waiting caller is told a new position at most this often."""


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """Limits of an engine.

    Attributes:
        batch_size: Requests of the native size in every call of the denoiser.
        decode_batch_size: Images in every call of the decoder.
        max_active_requests: Requests that have begun and not ended.
        max_queued_requests: Requests that wait.
        cache_bytes: Bytes of images kept for identical requests; 0 computes each of them.
        thread_count: Threads of a computation on the CPU; 0 takes as many as torch is set to.
        png_compression_level: Effort to make PNG files small, 0 to 9.
    """

    batch_size: int = 1
    decode_batch_size: int = 1
    max_active_requests: int = 32
    max_queued_requests: int = 256
    cache_bytes: int = 0
    thread_count: int = 0
    png_compression_level: int = PNG_COMPRESSION_LEVEL


class Engine:
    """A generator of images with one model; an asynchronous context manager on one event loop.

    Args:
        model: The model; from now on only the engine touches it.
        limits: Limits.
        scheduler: Orders the requests.
        metrics: Metrics.
        compute_thread: The one thread that calls models, made by `new_compute_thread`; engines of one
            process share it, so that the device computes for one at a time.
        clock: Monotonic clock in seconds.
        failpoints: For tests of robustness.
        checkpoints: Where unfinished requests are written at intervals; `None` for nowhere.
    """

    def __init__(
        self,
        model: LatentDiffusionModel,
        *,
        limits: EngineLimits,
        scheduler: Scheduler[TrackedRequest],
        metrics: GenerationMetrics,
        compute_thread: ThreadPoolExecutor,
        clock: Clock,
        failpoints: Failpoints = NO_FAILPOINTS,
        checkpoints: CheckpointFolder | None = None,
    ) -> None:
        self.description = model.description
        self._limits = limits
        self._scheduler = scheduler
        self._metrics = metrics
        self._queued, self._in_progress, self._cached_bytes = (
            GaugeShare(gauge) for gauge in (metrics.queued, metrics.active, metrics.cached_bytes)
        )
        self._clock = clock
        native_shape = model.description.latent_shape
        self._denoiser_batches = BatchSizes(limits.batch_size, native_shape)
        self._decoder_batches = BatchSizes(limits.decode_batch_size, native_shape)
        thread_count = limits.thread_count or torch.get_num_threads()
        provenance = ProvenanceRecorder(model, thread_count=thread_count)
        self._has_checkpoints = checkpoints is not None
        self._executor = Executor(
            model,
            denoiser_batches=self._denoiser_batches,
            decoder_batches=self._decoder_batches,
            failpoints=failpoints,
            checkpointer=None
            if checkpoints is None
            else Checkpointer(
                checkpoints,
                environment=provenance.environment,
                clock=clock,
                note_resumed=metrics.resumed_steps.inc,
            ),
        )
        self._durations = DurationEstimator(clock)
        self._queue_delays = QueueDelays(clock)
        self._cache = ImageCache(limits.cache_bytes)
        self._output_encoder = OutputEncoder(
            provenance,
            cache=self._cache,
            clock=clock,
            png_compression_level=limits.png_compression_level,
        )
        self._shared: dict[str, TrackedRequest] = {}
        self._waiting: dict[TrackedRequest, None] = {}
        self._active: dict[TrackedRequest, None] = {}
        self._encoding: dict[TrackedRequest, asyncio.Task[Completed | ChladniError]] = {}
        self._arrival = asyncio.Event()
        self._somebody_left = False
        self._positions_reported_at = 0.0
        self._compute_thread = compute_thread
        self._driver: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._driver = asyncio.create_task(self._drive())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._driver is not None:
            self._driver.cancel()
            await asyncio.gather(self._driver, *self._encoding.values(), return_exceptions=True)
        for tracked in (*self._active, *self._waiting):
            tracked.report(UnavailableError(Reason.DRAINING, "The service has shut down."))
        await self._output_encoder.close()

    async def generate(
        self,
        request: GenerationRequest,
        token: CancellationToken,
        *,
        scheduling: SchedulingParameters | None = None,
        previews: PreviewOptions | None = None,
        encoding: ImageEncoding = PNG,
        use_cache: bool = True,
    ) -> AsyncGenerator[GenerationEvent, None]:
        """Generate an image and yield its events, `Completed` last.

        Closing the iterator, cancelling the token or its deadline passing ends the work before its
        next step, unless an identical request still needs it.

        Args:
            request: What to generate.
            token: Says when the caller has gone.
            scheduling: Who asks, and how urgently.
            previews: Which previews to send.
            encoding: How to encode the image; requests that differ in nothing else share it.
            use_cache: Whether the image of an identical request, finished or in progress, is good enough.

        Raises:
            QueueFullError: Too many requests wait already, or so many that this one would miss its deadline.
            DeadlineExceededError: The deadline passed.
            DeadlineTooShortError: The deadline is too close even for a model without other work.
            FaultError: The model failed on this request.
        """
        token.check("before the request was queued")
        # Shapes cannot be made of the pixels that identical requests share.
        is_shared = use_cache and self._limits.cache_bytes > 0 and not encoding.format.is_vector
        content = content_key(request) if is_shared or (use_cache and self._has_checkpoints) else None
        key = content if is_shared else None
        finished = self._cache.get(key) if key else None
        if finished:
            self._metrics.reused.labels("cache").inc()
            self._metrics.finished.labels("completed").inc()
            self._describe(request, current_telemetry().span, finish_reason="cached")
            yield Started(request, finished.total_steps)
            completed = Completed(finished.png, finished.provenance, 0.0, 0.0, is_reused=True)
            yield await self._output_encoder.convert(completed, encoding)
            return
        subscription = Subscription(token, previews or PreviewOptions(), encoding)
        tracked = self._follow(request, key, scheduling or SchedulingParameters(), subscription)
        tracked.execution.checkpoint_key = content if self._has_checkpoints else None
        try:
            while True:
                event = await subscription.next_event()
                if isinstance(event, ChladniError):
                    raise event
                if isinstance(event, Completed):
                    yield await self._output_encoder.convert(event, encoding)
                    return
                yield event
        finally:
            token.cancel()
            self._somebody_left = True
            self._arrival.set()

    async def warm_up(self, request: GenerationRequest) -> None:
        """Generate an image, so that no caller pays for what happens only the first time."""
        previews = PreviewOptions(interval_steps=1)
        events = self.generate(request, CancellationToken(), previews=previews, use_cache=False)
        # Nobody sees the image: whatever a safety checker objects to, everything has run once.
        with suppress(ImagesWithheldError), unobserved():
            async with aclosing(events):
                async for _ in events:
                    pass
        # What ran for the first time, on a machine busy with starting, says little about what will run.
        self._durations = DurationEstimator(self._clock)

    def _follow(
        self,
        request: GenerationRequest,
        key: str | None,
        scheduling: SchedulingParameters,
        subscription: Subscription,
    ) -> TrackedRequest:
        """Let a caller follow a request that is in progress already, or a new one; return it."""
        tracked = self._shared.get(key) if key else None
        if tracked:
            self._metrics.reused.labels("in_progress").inc()
        else:
            tracked = self._take_in(request, key, scheduling, subscription.token)
        tracked.follow(subscription, self._clock())
        self._arrival.set()
        return tracked

    def _take_in(
        self,
        request: GenerationRequest,
        key: str | None,
        scheduling: SchedulingParameters,
        token: CancellationToken,
    ) -> TrackedRequest:
        if len(self._waiting) >= self._limits.max_queued_requests and self._somebody_left:
            self._drop_gone(self._waiting)
            self._somebody_left = False
        if len(self._waiting) >= self._limits.max_queued_requests:
            raise QueueFullError(
                f"{len(self._waiting)} requests wait already, the limit. Try again later.",
                retry_after_seconds=self._queue_delays.draw(
                    self._order, self._durations, self._denoiser_batches
                ),
                metadata={"count": len(self._waiting), "maximum": self._limits.max_queued_requests},
            )
        latent_shape = self.description.latent_shape_of(
            request.width_pixels, request.height_pixels, upscale=request.upscale
        )
        rows_per_request = self.description.guidance_rows if request.is_guided else 1
        execution = ExecutionState(request, BatchGroup(latent_shape, rows_per_request, request.reproducible))
        tracked = TrackedRequest(execution, scheduling, self._clock(), key, self._denoiser_batches)
        self._scheduler.join(tracked)
        try:
            if token.deadline.expires_at is not None:
                eta = EtaEstimator(self._order(), self._durations, self._denoiser_batches)
                eta.check_deadline(tracked, token.deadline)
        except ChladniError:
            self._scheduler.leave(tracked)
            raise
        self._waiting[tracked] = None
        if key:
            self._shared[key] = tracked
        return tracked

    def _order(self) -> Sequence[TrackedRequest]:
        return self._scheduler.order(self._clock())

    async def _drive(self) -> None:
        while True:
            self._drop_gone((*self._waiting, *self._active))
            order = self._order()
            self._report_positions(order)
            batch = self._next_batch(order)
            self._queued.set(len(self._waiting))
            self._in_progress.set(len(self._active) + len(self._encoding))
            if batch:
                await self._advance(batch)
                continue
            self._denoiser_batches.restore()
            self._decoder_batches.restore()
            self._arrival.clear()
            await self._arrival.wait()

    def _drop_gone(self, candidates: Iterable[TrackedRequest]) -> None:
        """Drop the callers who have gone, and each request that no caller follows any more."""
        for tracked in list(candidates):
            steps_done, total_steps = tracked.execution.steps_done, tracked.execution.total_steps
            for subscription in tracked.drop_gone():
                reason = "cancelled" if subscription.token.is_cancelled else "deadline_exceeded"
                self._metrics.finished.labels(reason).inc()
                try:
                    subscription.token.check(
                        f"after {steps_done} of {total_steps} steps",
                        metadata={"completed_steps": steps_done, "steps": total_steps},
                    )
                except ChladniError as error:
                    subscription.report(error)
            if not tracked.subscriptions:
                self._metrics.saved_steps.inc(total_steps - steps_done)
                tracked.note_end("CANCELLED")
                self._forget(tracked)

    def _forget(self, tracked: TrackedRequest) -> None:
        self._scheduler.leave(tracked)
        self._waiting.pop(tracked, None)
        self._active.pop(tracked, None)
        if tracked.key and self._shared.get(tracked.key) is tracked:
            del self._shared[tracked.key]

    def _next_batch(self, order: Sequence[TrackedRequest]) -> list[TrackedRequest]:
        """Return the requests that come next: the first one and all of its group that fit into its call."""
        batch: list[TrackedRequest] = []
        for tracked in order:
            if tracked in self._waiting and len(self._active) >= self._limits.max_active_requests:
                continue
            group = tracked.execution.group
            if batch and group != batch[0].execution.group:
                continue
            if tracked in self._waiting:
                del self._waiting[tracked]
                self._active[tracked] = None
                tracked.begin(self._clock(), queue=self.description.id)
            batch.append(tracked)
            if (len(batch) + 1) * group.rows_per_request > self._denoiser_batches.rows_per_call(group):
                break
        return batch

    def _report_positions(self, order: Sequence[TrackedRequest]) -> None:
        now = self._clock()
        is_due = now - self._positions_reported_at >= _POSITION_INTERVAL_SECONDS
        if is_due:
            self._positions_reported_at = now
        for position, tracked in enumerate(tracked for tracked in order if tracked in self._waiting):
            if is_due or tracked.position is None:
                tracked.report_position(position)

    async def _advance(self, batch: Sequence[TrackedRequest]) -> None:
        """Take one step of each of these requests, and decode those for which it was the last."""
        executions = [tracked.execution for tracked in batch]
        group = executions[0].group
        step_work = group.rows_per_request * self._denoiser_batches.work_of_row(group)
        started_at = self._clock()
        loop = asyncio.get_running_loop()
        outcomes = await loop.run_in_executor(self._compute_thread, self._executor.step, executions)
        now = self._clock()
        self._metrics.step_seconds.observe(now - started_at)
        self._metrics.batch_requests.observe(len(batch))
        if isinstance(outcomes[0], Retried):
            self._metrics.shortages.inc()
            return
        computed = [outcome for outcome in outcomes if not isinstance(outcome, Rescheduled)]
        if computed:
            work = self._denoiser_batches.work_of(group, len(computed) * group.rows_per_request)
            self._durations.observe_denoising(now - started_at, work, network=group.network)
        for tracked, outcome in zip(batch, outcomes, strict=True):
            match outcome:
                case StepTaken():
                    self._metrics.steps.inc()
                    self._scheduler.charge(tracked, step_work)
                    tracked.note_step(started_at, now, batch_requests=len(batch))
                    tracked.report_step(outcome, now=now)
                case ChladniError():
                    self._fail(tracked, outcome)
        self._drop_gone(batch)
        denoised = [tracked for tracked in batch if tracked in self._active and tracked.execution.is_denoised]
        if denoised:
            await self._decode(denoised)

    async def _decode(self, denoised: Sequence[TrackedRequest]) -> None:
        """Decode denoised requests together, and have them encoded while the model works on others."""
        executions = [tracked.execution for tracked in denoised]
        started_at = self._clock()
        loop = asyncio.get_running_loop()
        outcomes = await loop.run_in_executor(self._compute_thread, self._executor.decode, executions)
        now = self._clock()
        images = sum(tracked.native_images for tracked in denoised)
        self._durations.observe_decoding(now - started_at, images=images)
        for tracked, outcome in zip(denoised, outcomes, strict=True):
            tracked.note_decoding(started_at, now)
            if tracked.decoding_work:
                self._scheduler.charge(tracked, tracked.decoding_work)
            if isinstance(outcome, ChladniError):
                self._fail(tracked, outcome)
                continue
            self._active.pop(tracked, None)
            self._scheduler.leave(tracked)
            task = asyncio.create_task(self._output_encoder.encode(tracked, outcome))
            self._encoding[tracked] = task
            task.add_done_callback(partial(self._deliver, tracked))

    def _deliver(self, tracked: TrackedRequest, task: asyncio.Task[Completed | ChladniError]) -> None:
        """Hand an image to every caller who follows the request; none can join it in between."""
        del self._encoding[tracked]
        if task.cancelled():
            return
        result = task.result()
        if isinstance(result, ChladniError):
            self._fail(tracked, result)
            return
        self._forget(tracked)
        tracked.report_result(result)
        self._describe(tracked.request, tracked.telemetry.span, finish_reason="completed")
        self._metrics.pixels.inc(tracked.pixel_count)
        self._metrics.finished.labels("completed").inc(len(tracked.subscriptions))
        self._cached_bytes.set(self._cache.currsize)

    def _fail(self, tracked: TrackedRequest, error: ChladniError) -> None:
        self._metrics.finished.labels("failed").inc(len(tracked.subscriptions))
        tracked.report(error)
        tracked.note_end(error.reason.value)
        self._forget(tracked)

    def _describe(self, request: GenerationRequest, span: Span, *, finish_reason: str) -> None:
        """Describe a generation in the span of its call, by OpenTelemetry's names for generative models."""
        if span.is_recorded:
            span.set_attributes(
                {
                    "gen_ai.operation.name": "generate_content",
                    "gen_ai.provider.name": "chladni",
                    "gen_ai.output.type": "image",
                    "gen_ai.request.model": self.description.id,
                    "gen_ai.response.model": self.description.id,
                    "gen_ai.request.seed": request.seed,
                    "gen_ai.response.finish_reason": finish_reason,
                    "chladni.steps": request.steps,
                    "chladni.model_digest": self.description.digest,
                }
            )
