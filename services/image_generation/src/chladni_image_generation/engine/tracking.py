"""Requests inside the engine, and the callers who follow them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from chladni_contract.errors import ChladniError
from chladni_image_generation.engine.scheduler import Priority
from chladni_image_generation.generation import (
    PNG,
    Completed,
    GenerationEvent,
    ImageEncoding,
    PreviewOptions,
    Progress,
    Queued,
    Started,
)
from chladni_runtime.telemetry.scope import Telemetry, current_telemetry
from chladni_runtime.telemetry.spans import NO_SPAN

if TYPE_CHECKING:
    from chladni_image_generation.engine.batching import BatchSizes
    from chladni_image_generation.engine.executor import ExecutionState, StepTaken
    from chladni_image_generation.engine.scheduler import SchedulingParameters
    from chladni_image_generation.generation import GenerationRequest
    from chladni_runtime.execution.cancellation import CancellationToken
    from chladni_runtime.telemetry.spans import Attributes, Span

_MAX_PENDING_PREVIEWS: Final = 4
_MAX_PENDING_POSITIONS: Final = 4
_DECODING_STEPS: Final = 3.5
"""How many denoising steps of the embedded model its decoding takes as long as."""


@dataclass(eq=False, slots=True)
class Subscription:
    """A caller who follows a request, and the events that the caller has not taken yet.

    Attributes:
        token: Says when the caller has gone.
        previews: Which previews the caller wants.
        encoding: How the caller wants the image encoded.
    """

    token: CancellationToken
    previews: PreviewOptions
    encoding: ImageEncoding = PNG
    _pending: deque[GenerationEvent | ChladniError] = field(default_factory=deque)
    _has_pending: asyncio.Event = field(default_factory=asyncio.Event)

    def report(self, event: GenerationEvent | ChladniError) -> None:
        """Hand over an event; a caller that does not keep up loses previews and positions, nothing else."""
        if len(self._pending) >= _MAX_PENDING_PREVIEWS and isinstance(event, Progress):
            event = replace(event, preview=None)
        if len(self._pending) >= _MAX_PENDING_POSITIONS and isinstance(event, Queued):
            return
        self._pending.append(event)
        self._has_pending.set()

    async def next_event(self) -> GenerationEvent | ChladniError:
        """Wait for the next event."""
        while not self._pending:
            self._has_pending.clear()
            await self._has_pending.wait()
        return self._pending.popleft()


@dataclass(eq=False, slots=True)
class TrackedRequest:
    """A request inside the engine; several callers may follow it.

    Attributes:
        execution: Its state in the model.
        scheduling: Who asked first, and how urgently.
        arrived_at: When it came, on the engine's clock.
        key: What identical requests have in common; `None` if it is not shared.
        sizes: Rows of calls, for its share of the model's work.
        started_at: When it got its first turn; `None` while it waits.
        is_announced: Whether its callers know that it has started.
        position: Requests before it, as last reported; `None` before that.
        subscriptions: Who follows it.
        telemetry: That of the call that asked first.
    """

    execution: ExecutionState
    scheduling: SchedulingParameters
    arrived_at: float
    key: str | None
    sizes: BatchSizes
    started_at: float | None = None
    is_announced: bool = False
    position: int | None = None
    subscriptions: list[Subscription] = field(default_factory=list)
    telemetry: Telemetry = field(default_factory=current_telemetry)
    _denoising: Span = NO_SPAN

    @property
    def request(self) -> GenerationRequest:
        """What is to be generated."""
        return self.execution.request

    @property
    def pixel_count(self) -> int:
        """Pixels of its image."""
        return self.request.width_pixels * self.request.height_pixels * self.request.upscale**2

    @property
    def begun_at(self) -> float:
        """When it got its first turn; while it waits, when it came."""
        return self.arrived_at if self.started_at is None else self.started_at

    @property
    def remaining_steps(self) -> int:
        """Denoising steps to its end."""
        return self.execution.total_steps - self.execution.steps_done

    @property
    def remaining_work(self) -> float:
        """Work to its end without padding, in rows of the native size."""
        steps = sum(
            steps * group.rows_per_request * self.sizes.work_of_row(group)
            for group, steps in self.execution.remaining
        )
        return steps + self.decoding_work

    @property
    def decoding_work(self) -> float:
        """Work of its decoding that counts, likewise: for frames of one step it is most of the work."""
        if self.scheduling.priority is not Priority.LIVE:
            return 0.0
        return _DECODING_STEPS * self.sizes.work_of_row(self.execution.group)

    @property
    def native_images(self) -> float:
        """What is decoded of it in the end, in images of the native size."""
        remaining = self.execution.remaining
        return self.sizes.work_of_row(remaining[-1][0] if remaining else self.execution.group)

    @property
    def encoding(self) -> ImageEncoding:
        """How its first caller wants the image encoded."""
        return self.subscriptions[0].encoding if self.subscriptions else PNG

    def follow(self, subscription: Subscription, now: float) -> None:
        """Add a caller, who first learns where the request stands."""
        self.subscriptions.append(subscription)
        self._merge_previews()
        if self.position is not None:
            subscription.report(Queued(self.position))
        if self.is_announced:
            subscription.report(Started(self.request, self.execution.total_steps))
            subscription.report(self._progress(now))

    def begin(self, now: float, *, queue: str) -> None:
        """Note that it gets its first turn, after its wait in a queue of this name."""
        self.started_at = now
        self.telemetry.record_wait(queue, self.arrived_at, now)
        self._denoising = self.telemetry.span.child("denoise", started_at=now)

    def note_step(self, started_at: float, ended_at: float, *, batch_requests: int) -> None:
        """Note that it took a step, in a batch of so many requests."""
        if self._denoising.is_recorded:
            attributes: Attributes = {
                "chladni.step": self.execution.steps_done,
                "chladni.batch_requests": batch_requests,
                "chladni.network": self.execution.group.network,
            }
            self._denoising.child("step", attributes=attributes, started_at=started_at).end(ended_at=ended_at)

    def note_decoding(self, started_at: float, ended_at: float) -> None:
        """Note that all steps were taken, and that the latents were decoded then."""
        self._denoising.end(ended_at=started_at)
        self._denoising = NO_SPAN
        self.telemetry.count_stage("denoise", self.begun_at, started_at)
        self.telemetry.record_stage("decode", started_at, ended_at)

    def note_end(self, reason: str) -> None:
        """Note that it ended without an image."""
        self._denoising.end(error=reason)
        self._denoising = NO_SPAN

    def drop_gone(self) -> Iterator[Subscription]:
        """Drop the callers who have left or whose deadline has passed, and yield them."""
        for subscription in [one for one in self.subscriptions if one.token.should_stop]:
            self.subscriptions.remove(subscription)
            self._merge_previews()
            yield subscription

    def report_position(self, position: int) -> None:
        """Report to every caller how many requests are before this one, if that has changed."""
        if self.position != position:
            self.position = position
            self.report(Queued(position))

    def report_step(self, step: StepTaken, *, now: float) -> None:
        """Report a step to every caller, each with the preview that the caller asked for."""
        if not self.is_announced:
            self.is_announced = True
            self.report(Started(self.request, self.execution.total_steps))
        progress = self._progress(now)
        for subscription in self.subscriptions:
            wanted = subscription.previews
            preview = step.previews.get(wanted.size_pixels) if wanted.is_due(progress.step) else None
            subscription.report(replace(progress, preview=preview))

    def report_result(self, result: Completed) -> None:
        """Hand the image to every caller; to all but the first as reused."""
        for subscription in self.subscriptions:
            subscription.report(replace(result, is_reused=subscription is not self.subscriptions[0]))

    def report(self, event: GenerationEvent | ChladniError) -> None:
        """Report one event to every caller."""
        for subscription in self.subscriptions:
            subscription.report(event)

    def _progress(self, now: float) -> Progress:
        elapsed_seconds = now - self.begun_at
        return Progress(
            step=self.execution.steps_done,
            total_steps=self.execution.total_steps,
            preview=None,
            elapsed_seconds=elapsed_seconds,
            remaining_seconds=elapsed_seconds / max(1, self.execution.steps_done) * self.remaining_steps,
        )

    def _merge_previews(self) -> None:
        self.execution.previews = frozenset(one.previews for one in self.subscriptions)
