"""The life of a service: listen, load, serve, drain.

    async with compose(...) as bindings      the service's own part: load the model, build servicers

`run_service` is a service's whole `main`. The port opens at once; health says NOT_SERVING and calls are
refused with MODEL_NOT_READY until `compose` has entered. On SIGTERM or SIGINT health says NOT_SERVING,
new calls are taken for `drain_delay_seconds` more, then refused with DRAINING, and calls in progress get
`drain_timeout_seconds` to end.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection
from prometheus_client import CollectorRegistry

from chladni_runtime.bindings import Binding, LateHandlers
from chladni_runtime.calls import ScopeInterceptor, error_answering, logged, measured
from chladni_runtime.lifecycle import Phase, RequestGate
from chladni_runtime.logs import configure_logging
from chladni_runtime.metrics import ServerMetrics, metrics_endpoint, new_registry
from chladni_runtime.settings import ServiceSettings

_log = logging.getLogger(__name__)

_MAX_CONNECTION_AGE_MS = 10 * 60 * 1000
_CONNECTION_GRACE_MS = 5 * 60 * 1000
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

Compose = Callable[[CollectorRegistry], AbstractAsyncContextManager[Sequence[Binding]]]


@dataclass(frozen=True, slots=True)
class RunningService:
    """A service that listens.

    Attributes:
        address: ``host:port`` of the gRPC server.
        metrics_port: Port of the Prometheus endpoint.
        gate: Says in which phase it is.
    """

    address: str
    metrics_port: int
    gate: RequestGate


def run_service(
    settings: ServiceSettings, *, name: str, service_names: Sequence[str], compose: Compose
) -> None:
    """Runs a service until SIGTERM or SIGINT.

    Args:
        settings: Where to listen and what the limits are.
        name: Name of the service in logs, such as ``audio-features``.
        service_names: Full names of the gRPC services that `compose` will bind.
        compose: Opens what the service needs and gives its servicers; receives the metrics registry.
    """
    configure_logging(name, settings.log_level)

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        async with running_service(settings, service_names=service_names, compose=compose):
            await stop.wait()
            _log.info("shutting down")

    asyncio.run(run())


@asynccontextmanager
async def running_service(
    settings: ServiceSettings, *, service_names: Sequence[str], compose: Compose
) -> AsyncIterator[RunningService]:
    """Runs a service while the context lasts; enters when it is ready, drains on exit.

    Raises:
        RuntimeError: The port cannot be opened.
    """
    registry = new_registry()
    metrics = ServerMetrics(registry)
    gate = RequestGate()
    health = HealthServicer()
    late_handlers = LateHandlers(service_names)
    names = (*service_names, "")

    async def set_health(status: health_pb2.HealthCheckResponse.ServingStatus.ValueType) -> None:
        for service_name in names:
            await health.set(service_name, status)

    server = grpc.aio.server(
        interceptors=[ScopeInterceptor([logged, measured(metrics), error_answering, gate.scope])],
        options=_server_options(settings),
        maximum_concurrent_rpcs=settings.max_concurrent_requests,
    )
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    reflection.enable_server_reflection(
        (*service_names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
         reflection.SERVICE_NAME), server,
    )  # fmt: skip
    server.add_generic_rpc_handlers((late_handlers,))
    port = server.add_insecure_port(f"{settings.host}:{settings.grpc_port}")
    await set_health(_NOT_SERVING)
    with metrics_endpoint(registry, host=settings.host, port=settings.metrics_port) as metrics_port:
        await server.start()
        _log.info("listening", extra={"grpc_port": port, "metrics_port": metrics_port})
        try:
            async with compose(registry) as bindings:
                late_handlers.bind(bindings)
                gate.phase = Phase.READY
                metrics.ready.set(1)
                await set_health(_SERVING)
                _log.info("ready")
                try:
                    yield RunningService(f"{settings.host}:{port}", metrics_port, gate)
                finally:
                    metrics.ready.set(0)
                    await set_health(_NOT_SERVING)
                    await _drain(gate, settings)
        finally:
            await server.stop(grace=0)
    _log.info("stopped")


async def _drain(gate: RequestGate, settings: ServiceSettings) -> None:
    await asyncio.sleep(settings.drain_delay_seconds)
    gate.phase = Phase.DRAINING
    if not await gate.wait_until_idle(settings.drain_timeout_seconds):
        _log.warning("requests were still in progress at the end of the drain timeout")


def _server_options(settings: ServiceSettings) -> list[tuple[str, int]]:
    return [
        # Two servers on one port would each get half of the calls; the second must fail instead.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", settings.max_request_bytes),
        ("grpc.max_send_message_length", -1),
        # Clients reconnect now and then, and so find replicas that came later.
        ("grpc.max_connection_age_ms", _MAX_CONNECTION_AGE_MS),
        ("grpc.max_connection_age_grace_ms", _CONNECTION_GRACE_MS),
    ]
