"""Spans: the named stretches of time that a trace consists of. What records them is behind this interface."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from chladni_runtime.telemetry.trace_context import TraceContext

Attributes: TypeAlias = Mapping[str, str | int | float | bool]


class SpanKind(Enum):
    """What a span stands for."""

    INTERNAL = auto()
    SERVER = auto()
    CLIENT = auto()


class Span(Protocol):
    """A stretch of time. Safe to use on any thread."""

    @property
    def context(self) -> TraceContext | None:
        """What a called service must be told; `None` if the call belongs to no trace."""
        ...

    @property
    def is_recorded(self) -> bool:
        """Whether anything is kept of it, so that its attributes are worth computing."""
        ...

    def child(
        self,
        name: str,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes | None = None,
        started_at: float | None = None,
    ) -> Span:
        """Return a span within this one.

        Args:
            name: One of a few names; what varies goes into attributes.
            kind: What it stands for.
            attributes: What is known of it at its start.
            started_at: Seconds on the monotonic clock; now if absent.
        """
        ...

    def set_attributes(self, attributes: Attributes) -> None:
        """Add what is known of it."""
        ...

    def end(self, *, error: str = "", ended_at: float | None = None) -> None:
        """End the span.

        Args:
            error: Why it failed: the reason of an error; empty if it did not.
            ended_at: Seconds on the monotonic clock; now if absent.
        """
        ...


class Tracer(Protocol):
    """The source of the first span of a service's part of a trace."""

    def root(
        self, name: str, *, parent: TraceContext | None, kind: SpanKind, attributes: Attributes | None = None
    ) -> Span:
        """Return a span whose parent is in another process, or which has none."""
        ...

    def close(self) -> None:
        """Send what is not sent yet."""
        ...


class UnrecordedSpan:
    """A span of which nothing is kept; it passes the caller's context on to other services.

    Args:
        context: The caller's context; `None` if it sent none.
    """

    __slots__ = ("context",)
    is_recorded: Final = False

    def __init__(self, context: TraceContext | None) -> None:
        self.context = context

    def child(
        self,
        name: str,  # noqa: ARG002 - as the interface has it, here and below
        *,
        kind: SpanKind = SpanKind.INTERNAL,  # noqa: ARG002
        attributes: Attributes | None = None,  # noqa: ARG002
        started_at: float | None = None,  # noqa: ARG002
    ) -> Span:
        """Return itself: nothing is kept of the child either."""
        return self

    def set_attributes(self, attributes: Attributes) -> None:
        """Do nothing."""

    def end(self, *, error: str = "", ended_at: float | None = None) -> None:
        """Do nothing."""


NO_SPAN: Final[Span] = UnrecordedSpan(None)


class UnrecordedTracer:
    """The tracer of a service that records no traces."""

    def root(
        self,
        name: str,  # noqa: ARG002 - as the interface has it, here and below
        *,
        parent: TraceContext | None,
        kind: SpanKind,  # noqa: ARG002
        attributes: Attributes | None = None,  # noqa: ARG002
    ) -> Span:
        """Return a span that passes the caller's context on."""
        return NO_SPAN if parent is None else UnrecordedSpan(parent)

    def close(self) -> None:
        """Do nothing: there is nothing to send."""
