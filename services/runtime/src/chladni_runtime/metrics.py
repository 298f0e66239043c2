"""Prometheus metrics of a service, in a registry of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

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

_SHUTDOWN_POLL_SECONDS: Final = 0.05

LATENCY_BUCKETS_SECONDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120,
)  # fmt: skip


class ServerMetrics:
    """Metrics of every gRPC server. Labels are bounded: methods and codes that exist, nothing of a request.

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


def new_registry() -> CollectorRegistry:
    """Returns a registry that already has the metrics of the process and the interpreter."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class _Server(ThreadingMixIn, WSGIServer):
    """Answers each scrape on a thread of its own, so that a slow one holds nobody up."""

    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Logs nothing: a scrape every few seconds is no news."""


@contextmanager
def metrics_endpoint(registry: CollectorRegistry, *, host: str, port: int) -> Iterator[int]:
    """Serves a registry over HTTP while the context lasts; gives the port."""
    server = make_server(host, port, make_wsgi_app(registry), _Server, handler_class=_QuietHandler)
    thread = Thread(target=server.serve_forever, args=(_SHUTDOWN_POLL_SECONDS,), name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
