"""The services, and the environment that joins them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Service:
    """A service that can be started.

    Attributes:
        name: Name, such as ``audio-features``.
        module: Python module that runs it.
        ports: Usual port for each purpose; ``grpc`` is among them.
        backends: Names of the services that it calls.
    """

    name: str
    module: str
    ports: Mapping[str, int] = field(default_factory=dict)
    backends: tuple[str, ...] = ()

    def variable(self, setting: str) -> str:
        """Return the environment variable of one of its settings."""
        return f"CHLADNI_{self.name}_{setting}".replace("-", "_").upper()

    def port_variable(self, purpose: str) -> str:
        """Return the environment variable of one of its ports."""
        return self.variable(f"{purpose}_port")


SERVICES: Final = (
    Service("audio-features", "chladni_audio_features", {"grpc": 50051, "metrics": 9101}),
    Service("image-generation", "chladni_image_generation", {"grpc": 50052, "metrics": 9102}),
    Service(
        "similarity",
        "chladni_similarity",
        {"grpc": 50053, "metrics": 9103},
        backends=("audio-features",),
    ),
    Service(
        "gateway",
        "chladni_gateway",
        {"grpc": 50050, "http": 8000, "metrics": 9100},
        backends=("audio-features", "image-generation", "similarity"),
    ),
)
"""The four services, those that others call first."""


def environment_of(
    service: Service, ports: Mapping[str, Mapping[str, int]], environ: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of a service.

    Args:
        service: The service.
        ports: Ports in use, by service and purpose; a backend that has none is not wired.
        environ: Environment to begin with; what it says of anything but ports and targets stays.
    """
    defaults = {
        # OpenMP threads that spin while they wait take the cores from the other services.
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONUNBUFFERED": "1",
        "GRPC_VERBOSITY": "NONE",  # its lines are no JSON, as all others of a service's log are
        "no_grpc_proxy": f"{LOOPBACK},localhost",
        service.variable("drain_delay_seconds"): "0",  # no load balancer has to notice first
        service.variable("drain_timeout_seconds"): "5",
    }
    wiring = {service.port_variable(purpose): str(port) for purpose, port in ports[service.name].items()} | {
        service.variable(f"{backend}_target"): f"{LOOPBACK}:{ports[backend]['grpc']}"
        for backend in service.backends
        if backend in ports
    }
    return defaults | dict(environ) | wiring
