from __future__ import annotations

import time

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest

from chladni_contract.errors import QueueFullError
from chladni_runtime.telemetry.otlp import new_tracer
from chladni_runtime.telemetry.scope import Telemetry, current_telemetry, observed, stage, unobserved
from chladni_runtime.telemetry.spans import NO_SPAN, SpanKind
from chladni_runtime.telemetry.trace_context import parse_trace_context
from chladni_runtime.telemetry.work_metrics import WorkMetrics

PARENT = parse_trace_context("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "vendor=1")


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def service(exporter, registry):
    tracer = new_tracer("test", "1", processor=SimpleSpanProcessor(exporter))
    return Telemetry(tracer, WorkMetrics(registry))


@pytest.fixture
def request_telemetry(service):
    return service.root("call", parent=PARENT, kind=SpanKind.SERVER)


def test_a_stage_is_counted_and_is_a_span_within_that_of_the_request(request_telemetry, exporter, registry):
    with observed(request_telemetry), stage("decode", attributes={"chladni.images": 2}), stage("read"):
        pass
    request_telemetry.span.end()

    read, decode, call = exporter.get_finished_spans()
    assert registry.get_sample_value("chladni_stage_seconds_count", {"stage": "decode"}) == 1
    assert (read.name, decode.name, call.name) == ("read", "decode", "call")
    assert read.parent.span_id == decode.context.span_id
    assert decode.parent.span_id == call.context.span_id
    assert dict(decode.attributes) == {"chladni.images": 2}
    assert format(call.parent.span_id, "016x") == PARENT.span_id
    assert format(call.context.trace_id, "032x") == PARENT.trace_id
    assert call.resource.attributes["service.name"] == "test"


def test_called_services_get_the_trace_and_what_others_added(request_telemetry):
    entries = dict(request_telemetry.span.context.entries)

    assert entries["traceparent"].split("-")[1] == PARENT.trace_id
    assert entries["traceparent"].split("-")[2] != PARENT.span_id
    assert entries["tracestate"] == "vendor=1"


def test_a_failed_stage_names_its_reason(request_telemetry, exporter):
    with pytest.raises(QueueFullError), observed(request_telemetry), stage("decode"):
        raise QueueFullError("full", retry_after_seconds=1)
    with pytest.raises(ZeroDivisionError), observed(request_telemetry), stage("decode"):
        raise ZeroDivisionError

    assert [span.attributes["error.type"] for span in exporter.get_finished_spans()] == [
        "QUEUE_FULL",
        "INTERNAL",
    ]


def test_work_of_other_tasks_is_recorded_with_its_times(request_telemetry, exporter, registry):
    now = time.monotonic()
    request_telemetry.record_wait("images", now - 3, now - 1)
    request_telemetry.record_stage("encode", now - 1, now)

    queue, encode = exporter.get_finished_spans()
    assert (queue.end_time - queue.start_time) / 1e9 == pytest.approx(2, abs=0.01)
    assert abs(time.time_ns() - encode.end_time) < 1e9
    assert registry.get_sample_value("chladni_queue_wait_seconds_sum", {"queue": "images"}) == 2


def test_numbers_of_recorded_traces_lead_to_them(request_telemetry, registry):
    request_telemetry.record_wait("images", 0, 1)
    request_telemetry.record_stage("encode", 0, 1)

    text = generate_latest(registry).decode()
    assert text.count(f'# {{trace_id="{PARENT.trace_id}"}} 1.0') == 2


def test_nothing_is_recorded_without_a_tracer_yet_the_trace_is_passed_on():
    telemetry = Telemetry().root("call", parent=PARENT, kind=SpanKind.SERVER)
    with observed(telemetry), stage("decode") as span:
        assert not span.is_recorded
        assert span.context == PARENT
    assert Telemetry().root("call", parent=None, kind=SpanKind.SERVER).span is NO_SPAN


def test_an_unsampled_trace_is_passed_on_and_not_recorded(service, exporter, registry):
    unsampled = parse_trace_context(f"00-{PARENT.trace_id}-{PARENT.span_id}-00")
    with observed(service.root("call", parent=unsampled, kind=SpanKind.SERVER)) as telemetry, stage("decode"):
        assert telemetry.span.context.traceparent.endswith("-00")
    telemetry.span.end()

    assert exporter.get_finished_spans() == ()
    assert registry.get_sample_value("chladni_stage_seconds_count", {"stage": "decode"}) == 1
    assert "trace_id" not in generate_latest(registry).decode()


def test_warming_up_is_not_observed(request_telemetry, exporter, registry):
    with observed(request_telemetry), unobserved(), stage("decode"):
        assert current_telemetry().metrics is None

    assert exporter.get_finished_spans() == ()
    assert registry.get_sample_value("chladni_stage_seconds_count", {"stage": "decode"}) is None
