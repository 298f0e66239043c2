"""A real server on loopback for the tests of services."""

from __future__ import annotations

import random
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, Final

import grpc

from chladni_runtime.server.interceptor import Authenticate
from chladni_runtime.server.lifecycle import RequestGate
from chladni_runtime.server.server import Compose, RunningService, running_service
from chladni_runtime.settings import ServiceSettings
from chladni_runtime.telemetry.spans import Tracer

_FIRST_PORT: Final = 20_000
_LAST_PORT: Final = 32_000
"""Systems take the ports of outgoing connections from above."""


class LoopbackSettings(ServiceSettings):
    """Settings of a server for one test: free ports, no delays."""

    environment_prefix: ClassVar[str] = "CHLADNI_LOOPBACK_"

    grpc_port: int = 0
    metrics_port: int = 0
    drain_delay_seconds: float = 0.0
    drain_timeout_seconds: float = 5.0


@asynccontextmanager
async def loopback_service(
    compose: Compose,
    *,
    service_names: Sequence[str],
    settings: ServiceSettings | None = None,
    gate: RequestGate | None = None,
    tracer: Tracer | None = None,
    authenticate: Authenticate | None = None,
) -> AsyncIterator[tuple[RunningService, grpc.aio.Channel]]:
    """Run a service on free loopback ports, with everything that surrounds a deployed one.

    Yields the running service and a channel to it.
    """
    async with (
        running_service(
            settings or LoopbackSettings(),
            service_names=service_names,
            compose=compose,
            gate=gate,
            tracer=tracer,
            authenticate=authenticate,
        ) as service,
        grpc.aio.insecure_channel(
            service.address, options=[("grpc.max_receive_message_length", -1)]
        ) as channel,
    ):
        yield service, channel


def free_port() -> int:
    """Return a port that nobody listens on, and that the system gives to no connection meanwhile."""
    while True:
        port = random.randrange(_FIRST_PORT, _LAST_PORT)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
