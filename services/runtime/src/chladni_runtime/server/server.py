"""The life of a service: listen, load, serve, drain.

    async with compose(...) as bindings      the service's own part: load the model, create the servicers

`run_service` is a service's whole `main`. The port opens at once; health says NOT_SERVING and calls are
refused with MODEL_NOT_READY until `compose` has entered. On SIGTERM or SIGINT health says NOT_SERVING,
new calls are taken for `drain_delay_seconds` more, then refused with DRAINING, and calls in progress get
`drain_timeout_seconds` to end. Those that do not are stopped, and answered with DRAINING.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import CollectorRegistry

from chladni_contract.errors import ChladniError
from chladni_runtime.execution.admission import Admission
from chladni_runtime.execution.memory import exempt_from_collection
from chladni_runtime.logs import configure_logging
from chladni_runtime.security.certificates import TlsMaterial
from chladni_runtime.security.client_names import ClientNames
from chladni_runtime.security.credentials import server_credentials
from chladni_runtime.security.watched_files import WatchedFiles, watching
from chladni_runtime.server.arrivals import Arrivals
from chladni_runtime.server.health import HealthService
from chladni_runtime.server.interceptor import Authenticate, CallInterceptor, CallLog
from chladni_runtime.server.late_binding import Binding, LateBoundHandlers
from chladni_runtime.server.lifecycle import Phase, RequestGate
from chladni_runtime.server.metrics import CallMeter, ServerMetrics, metrics_endpoint, new_registry
from chladni_runtime.server.peers import PeerSet
from chladni_runtime.server.receiver import MessageReceiver
from chladni_runtime.server.reflection import enable_reflection
from chladni_runtime.settings import ConfigurationError, ServiceSettings
from chladni_runtime.telemetry.calls import CallTracer
from chladni_runtime.telemetry.configuration import TracingError, tracer_of_environment, version_of
from chladni_runtime.telemetry.process_metrics import MemoryCollector, note_build
from chladni_runtime.telemetry.scope import Telemetry, observed
from chladni_runtime.telemetry.spans import Tracer, UnrecordedTracer
from chladni_runtime.telemetry.work_metrics import WorkMetrics

_log = logging.getLogger(__name__)

_EXIT_MISCONFIGURED = 2  # as for wrong settings
_WANTED_FILES = 8192
_ENDING_SECONDS = 2.0
_REVISION_VARIABLE = "CHLADNI_REVISION"
_CONNECTION_GRACE_MS = 60 * 60 * 1000  # Longer than any stream of this project lasts.
_KEEPALIVE_TIME_MS = 60 * 1000
_KEEPALIVE_TIMEOUT_MS = 20 * 1000
_MAX_CONNECTION_IDLE_MS = 5 * 60 * 1000
_HANDSHAKE_TIMEOUT_MS = 10 * 1000
_MESSAGES_PER_PLACE = 4
_MIN_PROMPT_MESSAGES = 1024
_MAX_EXPLAINED_BYTES = 1024 * 1024
"""gRPC's own limit is this much higher than the configured one, at most twice as high: what lies between is
refused with a reason and the limit."""
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

Compose = Callable[[CollectorRegistry], AbstractAsyncContextManager[Sequence[Binding]]]


@dataclass(frozen=True, slots=True)
class RunningService:
    """A service that is listening.

    Attributes:
        address: ``host:port`` of the gRPC server.
        metrics_port: Port of the Prometheus endpoint.
        gate: Its gate, which has its phase.
    """

    address: str
    metrics_port: int
    gate: RequestGate


def run_service(
    settings: ServiceSettings,
    *,
    name: str,
    service_names: Sequence[str],
    compose: Compose,
    gate: RequestGate | None = None,
    authenticate: Authenticate | None = None,
) -> None:
    """Run a service until SIGTERM or SIGINT.

    Args:
        settings: Where to listen and what the limits are.
        name: Name of the service in logs, such as ``audio-features``.
        service_names: Full names of the gRPC services that `compose` will bind.
        compose: Opens what the service needs and yields its servicers; receives the metrics registry.
        gate: As for `running_service`.
        authenticate: As for `running_service`.
    """
    configure_logging(name, settings.log_level)
    _allow_many_files()
    try:
        tracer = tracer_of_environment(name)
    except TracingError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None

    async def run() -> None:
        # A signal cancels this task: loading stops, a running service drains; a second signal ends the
        # drain.
        task = asyncio.current_task()
        assert task is not None, "asyncio.run runs this as a task"  # noqa: S101
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        async with running_service(
            settings,
            service_names=service_names,
            compose=compose,
            gate=gate,
            name=name,
            tracer=tracer,
            authenticate=authenticate,
        ):
            exempt_from_collection()
            await asyncio.get_running_loop().create_future()

    try:
        asyncio.run(run())
    except asyncio.CancelledError:
        _log.info("stopped")
    except ChladniError as error:  # what the settings ask for is not to be had
        _log.critical("the service could not run: %s", error.message)
        raise SystemExit(1) from None
    except ConfigurationError as error:
        _log.critical("%s", error)
        raise SystemExit(_EXIT_MISCONFIGURED) from None
    except Exception:  # noqa: BLE001 - logged as a whole; the process ends
        _log.critical("the service could not run", exc_info=True)
        raise SystemExit(1) from None
    finally:
        tracer.close()


def request_gate(settings: ServiceSettings) -> RequestGate:
    """Return the gate of a service, which its settings bound."""
    return RequestGate(
        Admission(settings.max_concurrent_requests, clock=time.monotonic),
        max_bytes=settings.max_bytes_in_flight,
        max_per_host=settings.max_requests_per_host or None,
    )


@asynccontextmanager
async def running_service(
    settings: ServiceSettings,
    *,
    service_names: Sequence[str],
    compose: Compose,
    gate: RequestGate | None = None,
    name: str = "",
    tracer: Tracer | None = None,
    authenticate: Authenticate | None = None,
) -> AsyncIterator[RunningService]:
    """Run a service while the context lasts; enters when it is ready, drains on exit.

    Args:
        settings: Where to listen and what the limits are.
        service_names: Full names of the gRPC services that `compose` will bind.
        compose: Opens what the service needs and yields its servicers.
        gate: The gate, if other work than gRPC calls goes through it too, so that all is drained together.
        name: Name of the service, for its metrics.
        tracer: Begins the spans of requests; one that records nothing if absent.
        authenticate: Finds out who calls; everybody is taken if absent.

    Raises:
        RuntimeError: The port cannot be opened.
    """
    registry = new_registry()
    metrics = ServerMetrics(registry)
    registry.register(MemoryCollector())
    note_build(registry, version=version_of(name), revision=os.environ.get(_REVISION_VARIABLE, ""))
    telemetry = Telemetry(tracer or UnrecordedTracer(), WorkMetrics(registry))
    gate = gate or request_gate(settings)
    health = HealthService(service_names)
    late_handlers = LateBoundHandlers(service_names)
    interceptor = CallInterceptor(
        [CallTracer(telemetry), CallLog(), CallMeter(metrics), ClientNames(settings.tls_client_names), gate],
        receiver=MessageReceiver(
            Arrivals(
                capacity=max(_MIN_PROMPT_MESSAGES, _MESSAGES_PER_PLACE * settings.max_concurrent_requests),
                slow_capacity=settings.max_slow_messages,
                timeout_seconds=settings.message_timeout_seconds,
            ),
            max_bytes=settings.max_request_bytes,
            stream_idle_seconds=settings.stream_idle_seconds,
        ),
        trusted_peers=PeerSet(settings.trusted_peers),
        authenticate=authenticate,
        failpoints=settings.armed_failpoints,
    )
    if armed := settings.armed_failpoints.names:
        _log.warning("failpoints are armed; this service is for tests alone", extra={"failpoints": armed})
    server = grpc.aio.server(interceptors=[interceptor], options=_server_options(settings))
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    enable_reflection(server, (*service_names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name))
    server.add_generic_rpc_handlers((late_handlers,))
    port = _open_port(server, f"{settings.host}:{settings.grpc_port}", settings.server_certificates)
    await health.set_all(_NOT_SERVING)
    async with (
        metrics_endpoint(registry, host=settings.host, port=settings.metrics_port) as metrics_port,
        watching(settings.watched_files, interval_seconds=settings.file_check_seconds, registry=registry),
    ):
        await server.start()
        _log.info("listening", extra={"grpc_port": port, "metrics_port": metrics_port})
        try:
            async with AsyncExitStack() as stack:
                with observed(telemetry):
                    bindings = await stack.enter_async_context(compose(registry))
                late_handlers.bind(bindings)
                gate.phase = Phase.READY
                metrics.ready.set(1)
                await health.set_all(_SERVING)
                _log.info("ready")
                try:
                    yield RunningService(f"{settings.host}:{port}", metrics_port, gate)
                finally:
                    metrics.ready.set(0)
                    await health.set_all(_NOT_SERVING)
                    await _drain(gate, settings)
        finally:
            await server.stop(grace=0)


def _open_port(server: grpc.aio.Server, address: str, certificates: WatchedFiles[TlsMaterial] | None) -> int:
    """Open the port, with TLS if there are certificates; return its number."""
    if certificates is None:
        return server.add_insecure_port(address)
    return server.add_secure_port(address, server_credentials(certificates))


def _allow_many_files() -> None:
    """Let the process have as many files and connections open as the system allows it, within reason.

    The usual limit of 1024 is below the connections that a service takes before it closes some.
    """
    current, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_FILES if hard == resource.RLIM_INFINITY else min(_WANTED_FILES, hard)
    if current != resource.RLIM_INFINITY and current < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _drain(gate: RequestGate, settings: ServiceSettings) -> None:
    await asyncio.sleep(settings.drain_delay_seconds)
    gate.phase = Phase.DRAINING
    if not await gate.wait_until_idle(settings.drain_timeout_seconds):
        _log.warning("requests were still in progress at the end of the drain timeout")
        gate.end_all()
        await gate.wait_until_idle(_ENDING_SECONDS)


def _server_options(settings: ServiceSettings) -> list[tuple[str, int]]:
    return [
        # Two servers on one port would each get half of the calls; the second must fail instead.
        ("grpc.so_reuseport", 0),
        (
            "grpc.max_receive_message_length",
            settings.max_request_bytes + min(settings.max_request_bytes, _MAX_EXPLAINED_BYTES),
        ),
        ("grpc.max_send_message_length", -1),
        # A connection costs its client nothing: there are so many, and those that do nothing are closed.
        ("grpc.max_allowed_incoming_connections", settings.max_connections),
        ("grpc.server_handshake_timeout_ms", _HANDSHAKE_TIMEOUT_MS),
        ("grpc.max_connection_idle_ms", _MAX_CONNECTION_IDLE_MS),
        # Clients reconnect from time to time, and so find replicas that were added.
        ("grpc.max_connection_age_ms", round(settings.max_connection_age_seconds * 1000)),
        ("grpc.max_connection_age_grace_ms", _CONNECTION_GRACE_MS),
        # Clients may ping a silent connection, with or without calls, so that a proxy does not drop it;
        # by default gRPC ends a connection after its third ping within five minutes.
        ("grpc.http2.min_ping_interval_without_data_ms", round(settings.min_ping_interval_seconds * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        # The server finds clients that vanished without closing their connection.
        ("grpc.keepalive_time_ms", _KEEPALIVE_TIME_MS),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
        ("grpc.http2.max_pings_without_data", 0),
    ]
