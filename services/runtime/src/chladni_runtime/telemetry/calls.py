"""The span of each gRPC call that a service answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chladni_contract.errors import ChladniError
from chladni_runtime.server.request_context import metadata_value
from chladni_runtime.telemetry.scope import current_telemetry, set_telemetry
from chladni_runtime.telemetry.spans import SpanKind
from chladni_runtime.telemetry.trace_context import TRACEPARENT_KEY, TRACESTATE_KEY, parse_trace_context

if TYPE_CHECKING:
    from chladni_runtime.server.interceptor import Call
    from chladni_runtime.telemetry.scope import Telemetry

_FAULTS: Final = frozenset(
    {"INTERNAL", "UNKNOWN", "DATA_LOSS", "UNAVAILABLE", "UNIMPLEMENTED", "DEADLINE_EXCEEDED"}
)
"""Codes that make a server's span one with an error; see
https://opentelemetry.io/docs/specs/semconv/rpc/grpc/."""


class CallTracer:
    """An observer that opens the telemetry of every call. Probes have no span.

    Args:
        service: The telemetry of the service.
    """

    def __init__(self, service: Telemetry) -> None:
        self._service = service

    def begin(self, call: Call) -> None:
        """Open the span of a call, within the caller's if the metadata names one."""
        if call.is_probe:
            set_telemetry(self._service)
            return
        parent = parse_trace_context(
            metadata_value(call.context, TRACEPARENT_KEY), metadata_value(call.context, TRACESTATE_KEY)
        )
        # A call has a task of its own, and so a context of its own: nothing to reset.
        set_telemetry(self._service.root(call.method.removeprefix("/"), parent=parent, kind=SpanKind.SERVER))

    def admit(self, call: Call) -> None:
        """Do nothing: the span is open."""

    def end(self, call: Call) -> None:
        """End the span, with the code of the call."""
        span = current_telemetry().span
        if call.is_probe or not span.is_recorded:
            return
        service, _, method = call.method.removeprefix("/").partition("/")
        span.set_attributes(
            {
                "rpc.system": "grpc",
                "rpc.service": service,
                "rpc.method": method,
                "rpc.grpc.status_code": call.code.value[0],
                "chladni.request_id": call.request_id,
            }
        )
        reason = call.error.reason.value if isinstance(call.error, ChladniError) else call.code.name
        span.end(error=reason if call.code.name in _FAULTS else "")
