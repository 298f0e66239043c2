from __future__ import annotations

import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from chladni_runtime.telemetry.configuration import TracingError, tracer_of_environment, version_of
from chladni_runtime.telemetry.spans import SpanKind, UnrecordedTracer

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture
def collector():
    """An OTLP collector that keeps what it is sent."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            requests.append((self.path, ExportTraceServiceRequest.FromString(body)))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", requests
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {ENDPOINT: ""},
        {ENDPOINT: "http://collector:4318", "OTEL_SDK_DISABLED": "true"},
        {ENDPOINT: "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_nothing_is_recorded_unless_asked_for(environ):
    assert isinstance(tracer_of_environment("gateway", environ), UnrecordedTracer)


def test_opentelemetry_is_not_imported_unless_asked_for():
    code = (
        "import sys; from chladni_runtime.server import server; "
        "from chladni_runtime.telemetry.configuration import tracer_of_environment; "
        "tracer_of_environment('gateway', {}); "
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_another_protocol_is_refused_by_name():
    environ = {ENDPOINT: "http://collector:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    with pytest.raises(TracingError, match="'grpc'; traces are sent by http/protobuf alone"):
        tracer_of_environment("gateway", environ)


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "chladni_runtime.telemetry.otlp", None)
    with pytest.raises(TracingError, match=r"install chladni-runtime\[tracing\]"):
        tracer_of_environment("gateway", {ENDPOINT: "http://collector:4318"})


def test_spans_reach_the_collector(collector, monkeypatch):
    endpoint, requests = collector
    monkeypatch.setenv(ENDPOINT, endpoint)
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=gateway-0")
    tracer = tracer_of_environment("gateway")
    tracer.root("call", parent=None, kind=SpanKind.SERVER, attributes={"rpc.system": "grpc"}).end()
    tracer.close()

    ((path, request),) = requests
    (resource_spans,) = request.resource_spans
    attributes = {item.key: item.value.string_value for item in resource_spans.resource.attributes}
    assert path == "/v1/traces"
    assert attributes["service.name"] == "gateway"
    assert attributes["service.version"] == version_of("gateway")
    assert attributes["k8s.pod.name"] == "gateway-0"
    assert [span.name for span in resource_spans.scope_spans[0].spans] == ["call"]


def test_the_name_may_be_another(collector, monkeypatch):
    endpoint, requests = collector
    monkeypatch.setenv(ENDPOINT, endpoint)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "images")
    tracer = tracer_of_environment("gateway")
    tracer.root("call", parent=None, kind=SpanKind.SERVER).end()
    tracer.close()

    ((_, request),) = requests
    attributes = {item.key: item.value.string_value for item in request.resource_spans[0].resource.attributes}
    assert attributes["service.name"] == "images"
