"""The telemetry of the request that the current task serves.

    with stage("decode"):
        ...

counts the time of a stage and, if the request's trace is recorded, makes it a span. Work that other tasks
do for a request, such as the steps of an engine, keeps the request's `Telemetry` and gives it the times.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from chladni_contract.errors import ChladniError
from chladni_runtime.telemetry.spans import NO_SPAN, SpanKind, UnrecordedTracer

if TYPE_CHECKING:
    from chladni_runtime.telemetry.spans import Attributes, Span, Tracer
    from chladni_runtime.telemetry.trace_context import TraceContext
    from chladni_runtime.telemetry.work_metrics import WorkMetrics

_UNEXPECTED: Final = "INTERNAL"


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What observes the work of a service, and the span that is open.

    Attributes:
        tracer: Begins spans.
        metrics: Counts times; `None` leaves them uncounted.
        span: The open span; what follows is within it.
    """

    tracer: Tracer = UnrecordedTracer()  # noqa: RUF009 - it has no state
    metrics: WorkMetrics | None = None
    span: Span = NO_SPAN

    def root(
        self, name: str, *, parent: TraceContext | None, kind: SpanKind, attributes: Attributes | None = None
    ) -> Telemetry:
        """Return the telemetry of a request that came from outside."""
        return replace(self, span=self.tracer.root(name, parent=parent, kind=kind, attributes=attributes))

    def record_wait(self, queue: str, started_at: float, ended_at: float) -> None:
        """Record that the request waited for its turn.

        Args:
            queue: What it waited in: one of a few names.
            started_at: Seconds on the monotonic clock.
            ended_at: Likewise.
        """
        if self.metrics is not None:
            self.metrics.observe_wait(queue, ended_at - started_at, self.span)
        if self.span.is_recorded:
            attributes = {"chladni.queue": queue}
            self.span.child("queue", attributes=attributes, started_at=started_at).end(ended_at=ended_at)

    def count_stage(self, name: str, started_at: float, ended_at: float) -> None:
        """Count the time of a stage whose span was open while it lasted; times as for `record_stage`."""
        if self.metrics is not None:
            self.metrics.observe_stage(name, ended_at - started_at, self.span)

    def record_stage(
        self,
        name: str,
        started_at: float,
        ended_at: float,
        *,
        attributes: Attributes | None = None,
        error: str = "",
    ) -> None:
        """Record a stage that is over.

        Args:
            name: One of a few names.
            started_at: Seconds on the monotonic clock.
            ended_at: Likewise.
            attributes: What is known of it.
            error: Why it failed; empty if it did not.
        """
        self.count_stage(name, started_at, ended_at)
        if self.span.is_recorded:
            span = self.span.child(name, attributes=attributes, started_at=started_at)
            span.end(error=error, ended_at=ended_at)


_CURRENT: Final[ContextVar[Telemetry]] = ContextVar("telemetry", default=Telemetry())  # noqa: B039 - frozen


def current_telemetry() -> Telemetry:
    """Return the telemetry of the current task; outside of requests, that of the service."""
    return _CURRENT.get()


def set_telemetry(telemetry: Telemetry) -> None:
    """Make a telemetry that of the current task, to its end."""
    _CURRENT.set(telemetry)


@contextmanager
def observed(telemetry: Telemetry) -> Iterator[Telemetry]:
    """Make a telemetry the current one while the context lasts."""
    token = _CURRENT.set(telemetry)
    try:
        yield telemetry
    finally:
        _CURRENT.reset(token)


@contextmanager
def unobserved() -> Iterator[None]:
    """Keep work that no caller asked for, such as warming up, out of metrics and traces."""
    with observed(Telemetry()):
        yield


@contextmanager
def stage(name: str, *, attributes: Attributes | None = None) -> Iterator[Span]:
    """Count the time of a stage, and make it the open span, while the context lasts.

    Not for the body of an asynchronous generator, whose parts may run in several tasks.

    Args:
        name: One of a few names.
        attributes: What is known of it.
    """
    outer = _CURRENT.get()
    span = outer.span.child(name, attributes=attributes)
    started_at = time.monotonic()
    try:
        with observed(replace(outer, span=span)), _ended(span):
            yield span
    finally:
        if outer.metrics is not None:
            outer.metrics.observe_stage(name, time.monotonic() - started_at, span)


@contextmanager
def call_out(name: str, *, attributes: Attributes | None = None) -> Iterator[Span]:
    """Yield the span of a call of another service, whose context goes to that service."""
    with _ended(_CURRENT.get().span.child(name, kind=SpanKind.CLIENT, attributes=attributes)) as span:
        yield span


@contextmanager
def _ended(span: Span) -> Iterator[Span]:
    """End a span with the context, and with the reason of the error that leaves it."""
    error = ""
    try:
        yield span
    except ChladniError as caught:
        error = caught.reason.value
        raise
    except Exception:
        error = _UNEXPECTED
        raise
    finally:
        span.end(error=error)
