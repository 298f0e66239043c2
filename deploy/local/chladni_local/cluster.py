"""All services together."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, Self

from chladni_local.errors import StartTimeoutError
from chladni_local.ports import check_free, configured_ports, free_ports
from chladni_local.process import ServiceProcess
from chladni_local.services import LOOPBACK, SERVICES, Service, environment_of

_STOP_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.1
_MAX_RESTARTS: Final = 5
_RESTART_PERIOD_SECONDS: Final = 60.0


class LocalCluster:
    """The services as child processes on loopback, while the context lasts.

        with LocalCluster(folder=Path("build/local"), ports="free") as cluster:
            client = Client(cluster.target("gateway"))

    Each service writes to ``<folder>/<service>.log``. However this process ends, no service outlives it.

    Args:
        folder: Folder for the logs; made if absent. With free ports it also keeps the gateway's images, so
            that clusters beside one another never meet.
        ports: ``configured`` takes the ports that the environment names, else the usual ones; ``free`` takes
            any.
        environ: Environment of the services; this process's own if absent.
        services: What to start, those that others call first.
        start_timeout_seconds: Time for a service to become ready.
        on_ready: Told the name of each service that is ready, and the seconds it took.
    """

    def __init__(
        self,
        *,
        folder: Path,
        ports: Literal["configured", "free"] = "configured",
        environ: Mapping[str, str] | None = None,
        services: Sequence[Service] = SERVICES,
        start_timeout_seconds: float = 120.0,
        on_ready: Callable[[str, float], None] = lambda _name, _seconds: None,
    ) -> None:
        self._folder = folder
        self._services = {service.name: service for service in services}
        self._environ = dict(os.environ if environ is None else environ)
        if ports == "free":
            self._ports = free_ports(services)
            self._environ.setdefault("CHLADNI_GATEWAY_IMAGE_FOLDER", str(folder.resolve() / "images"))
        else:
            self._ports = configured_ports(services, self._environ)
        self._start_timeout_seconds = start_timeout_seconds
        self._on_ready = on_ready
        self._processes: dict[str, ServiceProcess] = {}
        self._restarts: dict[str, deque[float]] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start all services at once and waits until each is ready.

        Raises:
            PortTakenError: Another program has one of the ports.
            ServiceEndedError: A service ended instead of becoming ready.
            StartTimeoutError: A service took too long.
        """
        check_free([*self._services.values()], self._ports)
        try:
            for name in self._services:
                self._launch(name)
            self._await(*self._services)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all services, callers before the services that they call."""
        called = {name for service in self._services.values() for name in service.backends}
        callers = [name for name in self._processes if name not in called]
        try:
            for names in (callers, [name for name in self._processes if name in called]):
                for name in names:
                    self._processes[name].terminate()
                for name in names:
                    self._processes[name].wait(_STOP_SECONDS)
        finally:
            for process in self._processes.values():
                process.kill()
            self._processes.clear()

    def start_service(self, name: str, environ: Mapping[str, str] | None = None) -> None:
        """Start a service that was stopped or has died, on the ports that it had; waits until it is ready.

        Args:
            name: Name of the service.
            environ: Variables that it gets in this life beside those of the cluster.

        Raises:
            ValueError: It still runs.
            ServiceEndedError: It ended instead.
            StartTimeoutError: It took too long.
        """
        if name in self._processes and self._processes[name].is_running:
            raise ValueError(f"{name} still runs; stop it first")
        self._launch(name, environ=environ)
        self._await(name)

    def stop_service(self, name: str) -> None:
        """Stop one service and leaves the others."""
        process = self._processes.pop(name)
        process.terminate()
        process.wait(_STOP_SECONDS)

    def raise_if_ended(self) -> None:
        """Raise ServiceEndedError if a service has ended by itself."""
        for process in self._processes.values():
            process.raise_if_ended()

    def restart_ended(self, on_restart: Callable[[str], None]) -> None:
        """Start each service again that has ended by itself, and do not wait until it is ready.

        Args:
            on_restart: Told how the service ended, for people.

        Raises:
            ServiceEndedError: A service ended five times within a minute.
        """
        now = time.monotonic()
        for name, process in list(self._processes.items()):
            if process.is_running:
                continue
            recent = self._restarts.setdefault(name, deque(maxlen=_MAX_RESTARTS))
            if len(recent) == _MAX_RESTARTS and now - recent[0] < _RESTART_PERIOD_SECONDS:
                process.raise_if_ended()
            recent.append(now)
            on_restart(f"{name} ended {process.how_it_ended}; started again.")
            process.kill()
            self._launch(name, keeps_log=True)

    def process(self, name: str) -> ServiceProcess:
        """Return the process of a service."""
        return self._processes[name]

    def target(self, name: str) -> str:
        """Return the gRPC address of a service."""
        return self.address(name, "grpc")

    def address(self, name: str, purpose: str) -> str:
        """Return ``host:port`` of a service for a purpose: ``grpc``, ``metrics``, gateway's ``http``."""
        return f"{LOOPBACK}:{self._ports[name][purpose]}"

    @property
    def page_url(self) -> str:
        """Address of the web page."""
        return f"http://{self.address('gateway', 'http')}/"

    def _launch(
        self, name: str, *, keeps_log: bool = False, environ: Mapping[str, str] | None = None
    ) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._processes[name] = ServiceProcess(
            self._services[name],
            ports=self._ports[name],
            environ=environment_of(self._services[name], self._ports, self._environ | dict(environ or {})),
            log_path=self._folder / f"{name}.log",
            keeps_log=keeps_log,
        )

    def _await(self, *names: str) -> None:
        pending = list(names)
        while pending:
            for name in pending.copy():
                process = self._processes[name]
                if process.is_ready():
                    self._on_ready(name, process.age_seconds)
                    pending.remove(name)
                    continue
                process.raise_if_ended()
                if process.age_seconds > self._start_timeout_seconds:
                    raise StartTimeoutError(
                        f"{name} was not ready after {self._start_timeout_seconds:g} s. "
                        f"{process.last_words()}"
                    )
            time.sleep(_POLL_SECONDS)
