"""The engine: owns one model and advances the requests in flight step by step, in turns.

The event loop decides whose turn it is; one thread computes (see `stepping`). A short request never
waits for the end of a long one, and one whose caller has left gets no further turn.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Final, Self

from chladni_image_generation.forecast import StepForecast
from chladni_image_generation.generation import (
    Completed,
    GenerationEvent,
    GenerationRequest,
    Progress,
    Queued,
)
from chladni_image_generation.metrics import GenerationMetrics
from chladni_image_generation.model import LatentDiffusionModel
from chladni_image_generation.provenance import ProvenanceRecorder
from chladni_image_generation.stepping import Flight, StepOutcome, Stepper
from chladni_runtime.cancellation import CancellationToken
from chladni_runtime.deadlines import Clock
from chladni_runtime.errors import (
    ChladniError,
    DeadlineExceededError,
    QueueFullError,
    Reason,
    UnavailableError,
)

_MAX_PENDING_PREVIEWS: Final = 4
_MIN_RETRY_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """Limits of an engine.

    Attributes:
        batch_size: Rows in every call of the denoiser.
        max_active_requests: Requests that take turns.
        max_queued_requests: Requests that wait.
    """

    batch_size: int = 1
    max_active_requests: int = 4
    max_queued_requests: int = 32


@dataclass(eq=False, slots=True)
class _Ticket:
    """A request inside the engine, and the events that its caller has not taken yet."""

    request: GenerationRequest
    token: CancellationToken
    arrived_at: float
    flight: Flight | None = None
    position: int | None = None
    pending: deque[GenerationEvent | ChladniError] = field(default_factory=deque)
    has_pending: asyncio.Event = field(default_factory=asyncio.Event)

    def report(self, event: GenerationEvent | ChladniError) -> None:
        """Hands an event to the caller; a caller that does not keep up loses previews first."""
        if isinstance(event, Progress) and len(self.pending) >= _MAX_PENDING_PREVIEWS:
            event = replace(event, preview_jpeg=None)
        self.pending.append(event)
        self.has_pending.set()

    async def next_event(self) -> GenerationEvent | ChladniError:
        while not self.pending:
            self.has_pending.clear()
            await self.has_pending.wait()
        return self.pending.popleft()


class Engine:
    """Generates pictures with one model. Use as an asynchronous context manager on one event loop.

    Args:
        model: The model; from now on only the engine touches it.
        limits: Limits.
        metrics: Metrics.
        clock: Monotonic clock in seconds.
    """

    def __init__(
        self,
        model: LatentDiffusionModel,
        *,
        limits: EngineLimits,
        metrics: GenerationMetrics,
        clock: Clock,
    ) -> None:
        self.description = model.description
        self._limits = limits
        self._metrics = metrics
        self._clock = clock
        self._stepper = Stepper(
            model,
            batch_size=limits.batch_size,
            provenance=ProvenanceRecorder(model, batch_size=limits.batch_size),
            clock=clock,
        )
        self._waiting: deque[_Ticket] = deque()
        self._active: deque[_Ticket] = deque()
        self._turn: list[tuple[_Ticket, Flight]] = []
        self._arrival = asyncio.Event()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="engine")
        self._driver: asyncio.Task[None] | None = None
        self._forecast = StepForecast()

    async def __aenter__(self) -> Self:
        self._driver = asyncio.create_task(self._drive())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._driver is not None:
            self._driver.cancel()
            await asyncio.gather(self._driver, return_exceptions=True)
        in_turn = (ticket for ticket, _ in self._turn)
        for ticket in (*in_turn, *self._active, *self._waiting):
            ticket.report(UnavailableError(Reason.DRAINING, "The service has shut down."))
        await asyncio.to_thread(self._executor.shutdown)

    async def generate(
        self, request: GenerationRequest, token: CancellationToken
    ) -> AsyncGenerator[GenerationEvent, None]:
        """Generates a picture and gives its events, `Completed` last.

        Closing the iterator, cancelling the token or its deadline passing ends the work before its
        next step.

        Raises:
            QueueFullError: Too many requests wait already, or so many that this one would miss its deadline.
            DeadlineExceededError: The deadline passed, or is too close even for a model without other work.
            FaultError: The model failed on this request.
        """
        token.check("before the request was queued")
        ticket = self._enqueue(request, token)
        try:
            while True:
                event = await ticket.next_event()
                if isinstance(event, ChladniError):
                    raise event
                yield event
                if isinstance(event, Completed):
                    return
        finally:
            token.cancel()
            self._arrival.set()

    async def warm_up(self, request: GenerationRequest) -> None:
        """Generates a picture, so that no caller pays for what happens only the first time."""
        async with aclosing(self.generate(request, CancellationToken())) as events:
            async for _ in events:
                pass

    def _enqueue(self, request: GenerationRequest, token: CancellationToken) -> _Ticket:
        self._drop_abandoned()
        if len(self._waiting) >= self._limits.max_queued_requests:
            raise QueueFullError(
                f"{len(self._waiting)} requests wait already, the limit. Try again later.",
                retry_after_seconds=max(
                    _MIN_RETRY_SECONDS, self._forecast.seconds_alone(min(self._remaining_steps()))
                ),
            )
        self._check_deadline(request, token)
        ticket = _Ticket(request, token, arrived_at=self._clock())
        self._waiting.append(ticket)
        self._report_queue()
        self._arrival.set()
        return ticket

    def _check_deadline(self, request: GenerationRequest, token: CancellationToken) -> None:
        """Refuses a request at once that would miss its deadline, instead of working in vain."""
        remaining_seconds = token.deadline.remaining_seconds
        if remaining_seconds is None:
            return
        alone_seconds = self._forecast.seconds_alone(request.steps)
        if alone_seconds > remaining_seconds:
            raise DeadlineExceededError(
                f"{request.steps} steps take about {alone_seconds:.1f} s here, the deadline is in "
                f"{remaining_seconds:.1f} s. Ask for fewer steps or allow more time."
            )
        expected_seconds = self._forecast.seconds_among(request.steps, self._remaining_steps())
        if expected_seconds > remaining_seconds:
            raise QueueFullError(
                f"With the requests in progress this one would take about {expected_seconds:.1f} s, the "
                f"deadline is in {remaining_seconds:.1f} s. Try again later or allow more time.",
                retry_after_seconds=max(_MIN_RETRY_SECONDS, expected_seconds - remaining_seconds),
            )

    def _remaining_steps(self) -> list[int]:
        """Returns the steps that each request has left, those whose turn it is included."""
        tickets = [*(ticket for ticket, _ in self._turn), *self._active, *self._waiting]
        return [
            ticket.request.steps - (ticket.flight.steps_done if ticket.flight else 0) for ticket in tickets
        ]

    async def _drive(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._drop_abandoned()
            self._admit()
            if not self._active:
                self._arrival.clear()
                await self._arrival.wait()
                continue
            self._turn = self._next_turn()
            flights = [flight for _, flight in self._turn]
            started_at = self._clock()
            outcomes = await loop.run_in_executor(self._executor, self._stepper.step, flights)
            elapsed_seconds = self._clock() - started_at
            self._metrics.tick_duration.observe(elapsed_seconds)
            self._forecast.observe(elapsed_seconds / len(flights))
            turn, self._turn = self._turn, []
            for (ticket, _), outcome in zip(turn, outcomes, strict=True):
                self._settle(ticket, outcome)

    def _drop_abandoned(self) -> None:
        for queue in (self._waiting, self._active):
            for ticket in [ticket for ticket in queue if ticket.token.should_stop]:
                queue.remove(ticket)
                steps_done = ticket.flight.steps_done if ticket.flight else 0
                self._metrics.saved_steps.inc(max(0, ticket.request.steps - steps_done))
                outcome = "cancelled" if ticket.token.is_cancelled else "late"
                self._metrics.finished.labels(outcome).inc()
                try:
                    ticket.token.check(f"after {steps_done} of {ticket.request.steps} steps")
                except ChladniError as error:
                    ticket.report(error)

    def _admit(self) -> None:
        while self._waiting and len(self._active) < self._limits.max_active_requests:
            ticket = self._waiting.popleft()
            now = self._clock()
            ticket.flight = Flight(ticket.request, now - ticket.arrived_at, started_at=now)
            self._active.append(ticket)
        self._report_queue()

    def _report_queue(self) -> None:
        for position, ticket in enumerate(self._waiting):
            if ticket.position != position:
                ticket.position = position
                ticket.report(Queued(position))
        self._metrics.queued.set(len(self._waiting))
        self._metrics.active.set(len(self._active))

    def _next_turn(self) -> list[tuple[_Ticket, Flight]]:
        """Takes the requests that come next: at least one, and all that fit into one call."""
        turn: list[tuple[_Ticket, Flight]] = []
        rows = 0
        while self._active:
            flight = self._active[0].flight
            assert flight is not None, "active requests have a flight"  # noqa: S101
            rows += flight.row_count
            if turn and rows > self._limits.batch_size:
                break
            turn.append((self._active.popleft(), flight))
        return turn

    def _settle(self, ticket: _Ticket, outcome: StepOutcome) -> None:
        if isinstance(outcome, ChladniError):
            self._metrics.finished.labels("failed").inc()
            ticket.report(outcome)
            return
        self._metrics.steps.inc()
        for event in outcome:
            ticket.report(event)
        if isinstance(outcome[-1], Completed):
            self._metrics.finished.labels("completed").inc()
        else:
            self._active.append(ticket)
