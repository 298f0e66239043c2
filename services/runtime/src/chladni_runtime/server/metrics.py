"""Prometheus metrics of a service, in a registry of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    start_http_server,
)

if TYPE_CHECKING:
    import grpc

    from chladni_runtime.server.interceptor import Call

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
        self._duration[call.method].observe(call.elapsed_seconds)
        key = call.method, call.code
        if key not in self._requests:
            self._requests[key] = self._metrics.requests.labels(call.method, call.code.name)
        self._requests[key].inc()


def new_registry() -> CollectorRegistry:
    """Return a registry that already has the metrics of the process and the interpreter."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


@asynccontextmanager
async def metrics_endpoint(registry: CollectorRegistry, *, host: str, port: int) -> AsyncIterator[int]:
    """Serve a registry over HTTP while the context lasts; yield the port."""
    server, thread = start_http_server(port, host, registry)
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
