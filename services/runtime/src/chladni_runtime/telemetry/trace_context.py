"""The place of a call in a distributed trace, as W3C Trace Context carries it between services.

See https://www.w3.org/TR/trace-context/. Version 00 is written; later ones are read as far as they agree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

TRACEPARENT_KEY: Final = "traceparent"
TRACESTATE_KEY: Final = "tracestate"

_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_INVALID_VERSION: Final = "ff"
_MAX_TRACESTATE_LENGTH: Final = 512
_TRACESTATE: Final = re.compile(r"[\x20-\x7e]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class TraceContext:
    """Identifiers of a trace and of the span that is the parent of what follows.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
        is_sampled: Whether the caller records the trace.
        state: What tracing systems add for themselves; empty if nothing.
    """

    trace_id: str
    span_id: str
    is_sampled: bool
    state: str = ""

    @property
    def traceparent(self) -> str:
        """Value of the header `traceparent`."""
        return f"00-{self.trace_id}-{self.span_id}-{int(self.is_sampled):02x}"

    @property
    def entries(self) -> tuple[tuple[str, str], ...]:
        """Headers, or metadata, that carry the context."""
        parent = (TRACEPARENT_KEY, self.traceparent)
        return (parent, (TRACESTATE_KEY, self.state)) if self.state else (parent,)


def parse_trace_context(traceparent: str | bytes, tracestate: str | bytes = "") -> TraceContext | None:
    """Return the context that a caller sent; `None` if it sent none that is valid, which is no error."""
    found = _TRACEPARENT.fullmatch(traceparent) if isinstance(traceparent, str) else None
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if (
        version == _INVALID_VERSION
        or (version == "00" and rest)
        or not int(trace_id, 16)
        or not int(span_id, 16)
    ):
        return None
    is_kept = (
        isinstance(tracestate, str)
        and len(tracestate) <= _MAX_TRACESTATE_LENGTH
        and _TRACESTATE.fullmatch(tracestate) is not None
    )
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & 1), str(tracestate) if is_kept else "")
