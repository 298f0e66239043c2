from __future__ import annotations

import pytest

from chladni_runtime.telemetry.trace_context import TraceContext, parse_trace_context

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


def test_what_is_written_is_read_again():
    context = parse_trace_context(f"00-{TRACE}-{SPAN}-01", "vendor=1")

    assert context == TraceContext(TRACE, SPAN, is_sampled=True, state="vendor=1")
    assert context.entries == (("traceparent", f"00-{TRACE}-{SPAN}-01"), ("tracestate", "vendor=1"))


def test_an_unsampled_context_stays_so():
    assert parse_trace_context(f"00-{TRACE}-{SPAN}-00").entries == (("traceparent", f"00-{TRACE}-{SPAN}-00"),)


def test_a_later_version_is_read_as_far_as_it_is_known():
    assert parse_trace_context(f"01-{TRACE}-{SPAN}-09-more").traceparent == f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    "header",
    [
        "",
        b"00-\xff",
        "nonsense",
        f"00-{TRACE}-{SPAN}",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_what_is_no_context_is_ignored(header):
    assert parse_trace_context(header) is None


@pytest.mark.parametrize("state", ["v=" + "1" * 600, "v=\n", b"\xff"])
def test_a_state_that_cannot_be_passed_on_is_dropped(state):
    assert parse_trace_context(f"00-{TRACE}-{SPAN}-01", state).state == ""
