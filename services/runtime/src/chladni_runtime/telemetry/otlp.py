"""Traces by OpenTelemetry, sent over OTLP: imported only where the environment says where to send them.

OpenTelemetry's own variables say where and how, such as OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER and
OTEL_RESOURCE_ATTRIBUTES; see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from opentelemetry.trace import SpanKind as OtelKind

from chladni_runtime.telemetry.spans import SpanKind
from chladni_runtime.telemetry.trace_context import TraceContext

if TYPE_CHECKING:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import SpanProcessor

    from chladni_runtime.telemetry.spans import Attributes

_SCOPE: Final = "chladni"
_ERROR_TYPE: Final = "error.type"
_KINDS: Final = {
    SpanKind.INTERNAL: OtelKind.INTERNAL,
    SpanKind.SERVER: OtelKind.SERVER,
    SpanKind.CLIENT: OtelKind.CLIENT,
}


class OtelSpan:
    """A span that OpenTelemetry records, if it is sampled.

    Args:
        tracer: Begins the children.
        span: OpenTelemetry's span.
    """

    __slots__ = ("_span", "_tracer", "context", "is_recorded")

    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span
        context = span.get_span_context()
        self.is_recorded: bool = span.is_recording()
        self.context: TraceContext | None = TraceContext(
            format(context.trace_id, "032x"),
            format(context.span_id, "016x"),
            context.trace_flags.sampled,
            context.trace_state.to_header(),
        )

    def child(
        self,
        name: str,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes | None = None,
        started_at: float | None = None,
    ) -> OtelSpan:
        """Return a span within this one."""
        if not self.is_recorded:
            return self
        span = self._tracer.start_span(
            name,
            set_span_in_context(self._span),
            kind=_KINDS[kind],
            attributes=attributes,
            start_time=_wall_time_ns(started_at),
        )
        return OtelSpan(self._tracer, span)

    def set_attributes(self, attributes: Attributes) -> None:
        """Add what is known of it."""
        self._span.set_attributes(attributes)

    def end(self, *, error: str = "", ended_at: float | None = None) -> None:
        """End the span."""
        if error:
            self._span.set_attribute(_ERROR_TYPE, error)
            self._span.set_status(Status(StatusCode.ERROR, error))
        self._span.end(_wall_time_ns(ended_at))


class OtelTracer:
    """The source of spans that OpenTelemetry records.

    Args:
        provider: Processes the spans; closed with the tracer.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(_SCOPE)

    def root(
        self, name: str, *, parent: TraceContext | None, kind: SpanKind, attributes: Attributes | None = None
    ) -> OtelSpan:
        """Return a span whose parent is in another process, or which has none."""
        # An empty context, so that nothing of the thread's own is the parent.
        context = set_span_in_context(NonRecordingSpan(_remote(parent)))
        span = self._tracer.start_span(name, context, kind=_KINDS[kind], attributes=attributes)
        return OtelSpan(self._tracer, span)

    def close(self) -> None:
        """Send what is not sent yet."""
        self._provider.shutdown()


def new_tracer(
    service: str,
    version: str,
    *,
    exporter: SpanExporter | None = None,
    processor: SpanProcessor | None = None,
) -> OtelTracer:
    """Return the tracer of a service.

    Args:
        service: Name of the service, unless OTEL_SERVICE_NAME gives another.
        version: Its version.
        exporter: Where spans go; what OpenTelemetry's variables say if absent.
        processor: What takes spans to the exporter, in batches if absent.
    """
    own: dict[str, str] = {
        SERVICE_NAME: service,
        SERVICE_VERSION: version,
        SERVICE_INSTANCE_ID: f"{os.uname().nodename}-{os.getpid()}",
        "service.namespace": "chladni",
    }
    provider = TracerProvider(resource=Resource(own).merge(_configured_resource()))
    provider.add_span_processor(processor or BatchSpanProcessor(exporter or OTLPSpanExporter()))
    return OtelTracer(provider)


def _configured_resource() -> Resource:
    """Return what OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say, without OpenTelemetry's defaults."""
    configured: Mapping[str, object] = Resource.create().attributes
    has_name = bool(os.environ.get("OTEL_SERVICE_NAME")) or f"{SERVICE_NAME}=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    return Resource({key: str(value) for key, value in configured.items() if key != SERVICE_NAME or has_name})


def _remote(parent: TraceContext | None) -> SpanContext:
    if parent is None:
        return SpanContext(0, 0, is_remote=True)
    return SpanContext(
        int(parent.trace_id, 16),
        int(parent.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(parent.is_sampled)),
        trace_state=TraceState.from_header([parent.state]) if parent.state else None,
    )


def _wall_time_ns(at: float | None) -> int | None:
    """Return the time of day, in nanoseconds since 1970, of a time on the monotonic clock."""
    return None if at is None else time.time_ns() - round((time.monotonic() - at) * 1e9)
