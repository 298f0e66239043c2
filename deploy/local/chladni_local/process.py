"""A service as a child process."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chladni_local import child
from chladni_local.errors import ServiceEndedError
from chladni_local.ports import is_open
from chladni_local.services import LOOPBACK, Service

_LOG_LINES: Final = 15
_LOG_TAIL_BYTES: Final = 16 * 1024


class ServiceProcess:
    """A running service; it ends with this process at the latest.

    Args:
        service: What to run.
        ports: Its port for each purpose.
        environ: Its environment.
        log_path: File for what it prints.
        keeps_log: Whether what is in it stays.
    """

    def __init__(
        self,
        service: Service,
        *,
        ports: Mapping[str, int],
        environ: Mapping[str, str],
        log_path: Path,
        keeps_log: bool = False,
    ) -> None:
        self.service = service
        self.log_path = log_path
        self._ports = ports
        self._started_at = time.monotonic()
        with log_path.open("ab" if keeps_log else "wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours
                [sys.executable, "-P", child.__file__, service.module],
                env=dict(environ),
                stdin=subprocess.PIPE,  # the lifeline of child.py
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,  # Ctrl-C reaches only the launcher, which stops all in order
            )

    @property
    def pid(self) -> int:
        """Process identifier."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def age_seconds(self) -> float:
        """Time since its start."""
        return time.monotonic() - self._started_at

    @property
    def how_it_ended(self) -> str:
        """How it ended, such as ``with status 1`` or ``by SIGKILL``; empty if it runs."""
        status = self._process.poll()
        if status is None:
            return ""
        return f"with status {status}" if status >= 0 else f"by {signal.Signals(-status).name}"

    def is_ready(self) -> bool:
        """Return whether its gRPC health is SERVING and all its ports are open."""
        return all(map(is_open, self._ports.values())) and self._is_serving()

    def raise_if_ended(self) -> None:
        """Raise ServiceEndedError if it has ended."""
        if not self.is_running:
            raise ServiceEndedError(f"{self.service.name} ended {self.how_it_ended}. {self.last_words()}")

    def terminate(self) -> None:
        """Ask it to finish what it does and end."""
        self._process.terminate()

    def wait(self, timeout_seconds: float) -> None:
        """Wait for its end; kill it if that takes too long, or if the waiting is interrupted."""
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.kill()

    def kill(self) -> None:
        """End it at once; does nothing to one that has ended."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _is_serving(self) -> bool:
        address = f"{LOOPBACK}:{self._ports['grpc']}"
        with grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as channel:
            try:
                response: health_pb2.HealthCheckResponse = health_pb2_grpc.HealthStub(channel).Check(
                    health_pb2.HealthCheckRequest(), timeout=2.0
                )
            except grpc.RpcError:
                return False
        return bool(response.status == health_pb2.HealthCheckResponse.SERVING)

    def last_words(self) -> str:
        """Return the last lines of its log, in a sentence."""
        with self.log_path.open("rb") as log:
            log.seek(max(0, log.seek(0, 2) - _LOG_TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()[-_LOG_LINES:]
        if not lines:
            return f"Its log, {self.log_path}, is empty."
        return f"The end of its log, {self.log_path}:\n" + "\n".join(f"  {line}" for line in lines)
