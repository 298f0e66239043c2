"""Prometheus metrics of a service, in a registry of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    make_wsgi_app,
)

from chladni_runtime.telemetry.scope import current_telemetry
from chladni_runtime.telemetry.work_metrics import exemplar_of

if TYPE_CHECKING:
    import grpc

    from chladni_runtime.server.interceptor import Call

_MAX_SOCKETS: Final = 16
_SOCKET_SECONDS: Final = 5.0
LATENCY_BUCKETS_SECONDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120,
)  # fmt: skip


class ServerMetrics:
    """Metrics of every gRPC server. Labels are bounded: existing methods and codes, nothing of a request.

    Args:
        registry: Registry that the metrics join.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.requests = Counter(
            "chladni_requests_total",
            "Finished calls.",
            ["method", "code"],
            registry=registry,
        )
        self.duration = Histogram(
            "chladni_request_duration_seconds",
            "Time from the arrival of a call to its end.",
            ["method"],
            buckets=LATENCY_BUCKETS_SECONDS,
            registry=registry,
        )
        self.in_flight = Gauge(
            "chladni_requests_in_flight", "Calls in progress.", ["method"], registry=registry
        )
        self.ready = Gauge(
            "chladni_ready", "1 while the service is ready for requests, else 0.", registry=registry
        )


class CallMeter:
    """Number and duration of calls.

    Finding the child of a metric by its labels takes longer than counting with it, so each method's are kept.

    Args:
        metrics: Where to count.
    """

    def __init__(self, metrics: ServerMetrics) -> None:
        self._metrics = metrics
        self._in_flight: dict[str, Gauge] = {}
        self._duration: dict[str, Histogram] = {}
        self._requests: dict[tuple[str, grpc.StatusCode], Counter] = {}

    def begin(self, call: Call) -> None:
        """Count a call as in progress."""
        if call.method not in self._in_flight:
            self._in_flight[call.method] = self._metrics.in_flight.labels(call.method)
            self._duration[call.method] = self._metrics.duration.labels(call.method)
        self._in_flight[call.method].inc()

    def admit(self, call: Call) -> None:
        """Do nothing: a call is in progress from its begin on."""

    def end(self, call: Call) -> None:
        """Count a finished call, with its code and its duration."""
        self._in_flight[call.method].dec()
        exemplar = exemplar_of(current_telemetry().span)
        self._duration[call.method].observe(call.elapsed_seconds, exemplar)
        key = call.method, call.code
        if key not in self._requests:
            self._requests[key] = self._metrics.requests.labels(call.method, call.code.name)
        self._requests[key].inc(exemplar=exemplar)


def new_registry() -> CollectorRegistry:
    """Return a registry that already has the metrics of the process and the interpreter."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class _MetricsHandler(WSGIRequestHandler):
    timeout = _SOCKET_SECONDS

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class _MetricsServer(ThreadingMixIn, WSGIServer):
    """A server with a thread for each of a few connections; further ones are closed."""

    daemon_threads = True

    def __init__(self, *args: Any) -> None:
        self._places = threading.BoundedSemaphore(_MAX_SOCKETS)
        super().__init__(*args)

    def server_bind(self) -> None:
        """Bind the address, without asking the name service for its name."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a request on a thread, unless all are busy."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer a request, and give the thread's place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        """Ignore a client that left or sent nothing."""


@asynccontextmanager
async def metrics_endpoint(registry: CollectorRegistry, *, host: str, port: int) -> AsyncIterator[int]:
    """Serve a registry over HTTP while the context lasts; yield the port."""
    server = _MetricsServer((host, port), _MetricsHandler)
    server.set_app(make_wsgi_app(registry))
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        # Its thread checks every half second whether to stop, and whenever it is connected to.
        stopping = asyncio.get_running_loop().run_in_executor(None, server.shutdown)
        with suppress(OSError):
            _, writer = await asyncio.open_connection(host, server.server_port)
            writer.close()
        await stopping
        server.server_close()
        thread.join()
