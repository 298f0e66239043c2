"""The engine: owns one model and advances the requests in flight step by step, in turns.

The event loop decides whose turn it is (see `turns`); one thread computes (see `stepping`), others encode.
A short request never waits for the end of a long one, and one whose callers have left gets no further turn.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, Self

import torch

from chladni_contract.errors import ChladniError, QueueFullError, Reason, UnavailableError
from chladni_image_generation.engine.batching import BatchGroup, BatchSizes
from chladni_image_generation.engine.cache import ImageCache, content_key
from chladni_image_generation.engine.eta import Forecast
from chladni_image_generation.engine.executor import Flight, Postponed, Regrouped, Stepper, StepTaken
from chladni_image_generation.engine.expectation import Expectation
from chladni_image_generation.engine.output import Finisher
from chladni_image_generation.engine.provenance import ProvenanceRecorder
from chladni_image_generation.engine.scheduler import Claim, Turns
from chladni_image_generation.engine.tracking import Subscription, Ticket
from chladni_image_generation.generation import (
    Completed,
    GenerationEvent,
    GenerationRequest,
    PreviewWish,
    Started,
)
from chladni_image_generation.metrics import GaugeShare, GenerationMetrics
from chladni_image_generation.models.interface import ImagesWithheldError, LatentDiffusionModel
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.deadlines import Clock
from chladni_runtime.execution.threads import yield_to_event_loop

_POSITION_INTERVAL_SECONDS: Final = 0.25
"""Whoever waits learns a new position no more often than this."""


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """Limits of an engine.

    Attributes:
        batch_size: Requests of the native size in every call of the denoiser.
        decode_batch_size: Images in every call of the decoder.
        max_active_requests: Requests that have begun and not ended.
        max_queued_requests: Requests that wait.
        cache_bytes: Bytes of images kept for identical requests; 0 computes each anew.
        thread_count: Threads of a computation on the CPU; 0 takes as many as torch is set to.
    """

    batch_size: int = 1
    decode_batch_size: int = 1
    max_active_requests: int = 32
    max_queued_requests: int = 256
    cache_bytes: int = 0
    thread_count: int = 0


class Engine:
    """Generates images with one model. Use as an asynchronous context manager on one event loop.

    Args:
        model: The model; from now on only the engine touches it.
        limits: Limits.
        turns: Decides whose turn it is.
        metrics: Metrics.
        compute_thread: The one thread that calls models, made by `new_compute_thread`; engines of one
            process share it, so that they take turns on the device.
        clock: Monotonic clock in seconds.
    """

    def __init__(
        self,
        model: LatentDiffusionModel,
        *,
        limits: EngineLimits,
        turns: Turns[Ticket],
        metrics: GenerationMetrics,
        compute_thread: Executor,
        clock: Clock,
    ) -> None:
        self.description = model.description
        self._limits = limits
        self._turns = turns
        self._metrics = metrics
        self._queued, self._in_progress, self._cached_bytes = (
            GaugeShare(gauge) for gauge in (metrics.queued, metrics.active, metrics.cached_bytes)
        )
        self._clock = clock
        native_shape = model.description.latent_shape
        self._denoiser_batches = BatchSizes(limits.batch_size, native_shape)
        self._decoder_batches = BatchSizes(limits.decode_batch_size, native_shape)
        self._stepper = Stepper(
            model, denoiser_batches=self._denoiser_batches, decoder_batches=self._decoder_batches
        )
        self._forecast = Forecast()
        self._cache = ImageCache(limits.cache_bytes)
        thread_count = limits.thread_count or torch.get_num_threads()
        self._finisher = Finisher(
            ProvenanceRecorder(model, thread_count=thread_count), cache=self._cache, clock=clock
        )
        self._shared: dict[str, Ticket] = {}
        self._waiting: dict[Ticket, None] = {}
        self._active: dict[Ticket, None] = {}
        self._finishing: dict[Ticket, asyncio.Task[Completed | ChladniError]] = {}
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
            await asyncio.gather(self._driver, *self._finishing.values(), return_exceptions=True)
        for ticket in (*self._active, *self._waiting):
            ticket.report(UnavailableError(Reason.DRAINING, "The service has shut down."))
        await self._finisher.close()

    async def generate(
        self,
        request: GenerationRequest,
        token: CancellationToken,
        *,
        claim: Claim | None = None,
        wish: PreviewWish | None = None,
        reuse: bool = True,
    ) -> AsyncGenerator[GenerationEvent, None]:
        """Generates an image and gives its events, `Completed` last.

        Closing the iterator, cancelling the token or its deadline passing ends the work before its
        next step, unless an identical request still needs it.

        Args:
            request: What to generate.
            token: Says when the caller has gone.
            claim: Who asks, and how urgently.
            wish: Which previews to send.
            reuse: Whether an identical request may give the image.

        Raises:
            QueueFullError: Too many requests wait already, or so many that this one would miss its deadline.
            DeadlineExceededError: The deadline passed, or is too close even for a model without other work.
            FaultError: The model failed on this request.
        """
        token.check("before the request was queued")
        key = content_key(request) if reuse and self._limits.cache_bytes else None
        finished = self._cache.get(key) if key else None
        if finished:
            self._metrics.reused.labels("cache").inc()
            self._metrics.finished.labels("completed").inc()
            yield Started(request, finished.total_steps)
            yield Completed(finished.png, finished.provenance, 0.0, 0.0, is_reused=True)
            return
        subscription = Subscription(token, wish or PreviewWish())
        self._follow(request, key, claim or Claim(), subscription)
        try:
            while True:
                event = await subscription.next_event()
                if isinstance(event, ChladniError):
                    raise event
                yield event
                if isinstance(event, Completed):
                    return
        finally:
            token.cancel()
            self._somebody_left = True
            self._arrival.set()

    async def warm_up(self, request: GenerationRequest) -> None:
        """Generates an image, so that no caller pays for what happens only the first time."""
        wish = PreviewWish(interval_steps=1)
        events = self.generate(request, CancellationToken(), wish=wish, reuse=False)
        # Nobody sees the image: everything has run once, whatever a safety checker thinks of it.
        with suppress(ImagesWithheldError):
            async with aclosing(events):
                async for _ in events:
                    pass

    def _follow(
        self, request: GenerationRequest, key: str | None, claim: Claim, subscription: Subscription
    ) -> None:
        """Lets a caller follow a request that is in progress already, or takes a new one in."""
        ticket = self._shared.get(key) if key else None
        if ticket:
            self._metrics.reused.labels("flight").inc()
        else:
            ticket = self._take_in(request, key, claim, subscription.token)
        ticket.follow(subscription, self._clock())
        self._arrival.set()

    def _take_in(
        self, request: GenerationRequest, key: str | None, claim: Claim, token: CancellationToken
    ) -> Ticket:
        if len(self._waiting) >= self._limits.max_queued_requests and self._somebody_left:
            self._drop_gone(self._waiting)
            self._somebody_left = False
        if len(self._waiting) >= self._limits.max_queued_requests:
            raise QueueFullError(
                f"{len(self._waiting)} requests wait already, the limit. Try again later.",
                retry_after_seconds=self._forecast.seconds_until_place(self._active),
            )
        latent_shape = self.description.latent_shape_of(
            request.width_pixels, request.height_pixels, upscale=request.upscale
        )
        rows_per_request = self.description.guidance_rows if request.is_guided else 1
        flight = Flight(request, BatchGroup(latent_shape, rows_per_request, request.exact))
        ticket = Ticket(flight, claim, self._clock(), key, self._denoiser_batches)
        self._turns.join(ticket)
        try:
            if token.deadline.expires_at is not None:
                expectation = Expectation(self._order(), self._forecast, self._denoiser_batches)
                expectation.check_deadline(ticket, token.deadline)
        except ChladniError:
            self._turns.leave(ticket)
            raise
        self._waiting[ticket] = None
        if key:
            self._shared[key] = ticket
        return ticket

    def _order(self) -> Sequence[Ticket]:
        return self._turns.order(self._clock())

    async def _drive(self) -> None:
        while True:
            self._drop_gone((*self._waiting, *self._active))
            order = self._order()
            self._report_positions(order)
            turn = self._next_turn(order)
            self._queued.set(len(self._waiting))
            self._in_progress.set(len(self._active) + len(self._finishing))
            if turn:
                await self._advance(turn)
                continue
            self._denoiser_batches.restore()
            self._decoder_batches.restore()
            self._arrival.clear()
            await self._arrival.wait()

    def _drop_gone(self, tickets: Iterable[Ticket]) -> None:
        """Drops the callers who have gone, and each request that nobody follows any more."""
        for ticket in list(tickets):
            steps_done, total_steps = ticket.flight.steps_done, ticket.flight.total_steps
            for subscription in ticket.drop_gone():
                self._metrics.finished.labels(
                    "cancelled" if subscription.token.is_cancelled else "late"
                ).inc()
                try:
                    subscription.token.check(f"after {steps_done} of {total_steps} steps")
                except ChladniError as error:
                    subscription.report(error)
            if not ticket.subscriptions:
                self._metrics.saved_steps.inc(total_steps - steps_done)
                self._forget(ticket)

    def _forget(self, ticket: Ticket) -> None:
        self._turns.leave(ticket)
        self._waiting.pop(ticket, None)
        self._active.pop(ticket, None)
        if ticket.key and self._shared.get(ticket.key) is ticket:
            del self._shared[ticket.key]

    def _next_turn(self, order: Sequence[Ticket]) -> list[Ticket]:
        """Returns the requests that come next: the first one and all of its group that fit into its call."""
        turn: list[Ticket] = []
        for ticket in order:
            if ticket in self._waiting and len(self._active) >= self._limits.max_active_requests:
                continue
            group = ticket.flight.group
            if turn and group != turn[0].flight.group:
                continue
            if ticket in self._waiting:
                del self._waiting[ticket]
                self._active[ticket] = None
                ticket.started_at = self._clock()
            turn.append(ticket)
            if (len(turn) + 1) * group.rows_per_request > self._denoiser_batches.rows_per_call(group):
                break
        return turn

    def _report_positions(self, order: Sequence[Ticket]) -> None:
        now = self._clock()
        is_due = now - self._positions_reported_at >= _POSITION_INTERVAL_SECONDS
        if is_due:
            self._positions_reported_at = now
        for position, ticket in enumerate(ticket for ticket in order if ticket in self._waiting):
            if is_due or ticket.position is None:
                ticket.report_position(position)

    async def _advance(self, turn: Sequence[Ticket]) -> None:
        """Takes one step of each of these requests, and sees to those for which it was the last."""
        flights = [ticket.flight for ticket in turn]
        group = flights[0].group
        step_work = group.rows_per_request * self._denoiser_batches.work_of_row(group)
        started_at = self._clock()
        loop = asyncio.get_running_loop()
        outcomes = await loop.run_in_executor(self._compute_thread, self._stepper.step, flights)
        now = self._clock()
        self._metrics.tick_duration.observe(now - started_at)
        if isinstance(outcomes[0], Postponed):
            self._metrics.shortages.inc()
            return
        computed = [outcome for outcome in outcomes if not isinstance(outcome, Regrouped)]
        if computed:
            work = self._denoiser_batches.work_of(group, len(computed) * group.rows_per_request)
            self._forecast.observe_denoising(now - started_at, work, network=group.network)
        for ticket, outcome in zip(turn, outcomes, strict=True):
            match outcome:
                case StepTaken():
                    self._metrics.steps.inc()
                    self._turns.charge(ticket, step_work)
                    ticket.report_step(outcome, now=now)
                case ChladniError():
                    self._fail(ticket, outcome)
        self._drop_gone(turn)
        denoised = [ticket for ticket in turn if ticket in self._active and ticket.flight.is_denoised]
        if denoised:
            await self._decode(denoised)

    async def _decode(self, tickets: Sequence[Ticket]) -> None:
        """Decodes denoised requests together, and has them encoded while others take their turns."""
        flights = [ticket.flight for ticket in tickets]
        started_at = self._clock()
        loop = asyncio.get_running_loop()
        outcomes = await loop.run_in_executor(self._compute_thread, self._stepper.decode, flights)
        self._forecast.observe_finishing((self._clock() - started_at) / len(flights))
        for ticket, outcome in zip(tickets, outcomes, strict=True):
            if isinstance(outcome, ChladniError):
                self._fail(ticket, outcome)
                continue
            self._active.pop(ticket, None)
            self._turns.leave(ticket)
            task = asyncio.create_task(self._finisher.finish(ticket, outcome))
            self._finishing[ticket] = task
            task.add_done_callback(partial(self._deliver, ticket))

    def _deliver(self, ticket: Ticket, task: asyncio.Task[Completed | ChladniError]) -> None:
        """Hands an image to everybody who follows the request; nobody can join it in between."""
        del self._finishing[ticket]
        if task.cancelled():
            return
        result = task.result()
        if isinstance(result, ChladniError):
            self._fail(ticket, result)
            return
        self._forget(ticket)
        ticket.report_result(result)
        self._metrics.finished.labels("completed").inc(len(ticket.subscriptions))
        self._cached_bytes.set(self._cache.size_bytes)

    def _fail(self, ticket: Ticket, error: ChladniError) -> None:
        self._metrics.finished.labels("failed").inc(len(ticket.subscriptions))
        ticket.report(error)
        self._forget(ticket)


def new_compute_thread(thread_count: int) -> ThreadPoolExecutor:
    """Returns the thread that engines compute on.

    Args:
        thread_count: Threads of a computation on the CPU.
    """
    return ThreadPoolExecutor(
        1, thread_name_prefix="engine", initializer=partial(_prepare_compute_thread, thread_count)
    )


def _prepare_compute_thread(thread_count: int) -> None:
    yield_to_event_loop()
    torch.set_num_threads(thread_count)  # counts for the thread that sets it
