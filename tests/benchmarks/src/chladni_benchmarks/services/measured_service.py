"""A service under measurement: a process of its own, as `make up` starts it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import grpc
import httpx
from prometheus_client.parser import text_string_to_metric_families

from chladni_benchmarks.figures import MeasurementError
from chladni_local.cluster import LocalCluster
from chladni_local.services import SERVICES

CHANNEL_OPTIONS: Final = (("grpc.max_receive_message_length", -1), ("grpc.enable_http_proxy", 0))
_POLL_SECONDS: Final = 0.03


class MeasuredService:
    """A running service.

    Attributes:
        target: Its gRPC address.
        channel: A channel to it.
    """

    def __init__(self, cluster: LocalCluster, name: str, channel: grpc.Channel) -> None:
        self.target = cluster.target(name)
        self.channel = channel
        self._pid = cluster.process(name).pid
        self._metrics = httpx.Client(base_url=f"http://{cluster.address(name, 'metrics')}", trust_env=False)

    @property
    def processor_seconds(self) -> float:
        """Processor time that it has used so far."""
        return processor_seconds(self._pid)

    def metrics(self) -> dict[str, float]:
        """Return the values of its metrics now, adding up those of one name with different labels."""
        values: dict[str, float] = {}
        for family in text_string_to_metric_families(self._metrics.get("/metrics").text):
            for sample in family.samples:
                values[sample.name] = values.get(sample.name, 0.0) + sample.value
        return values

    def metric_by(self, label: str, name: str) -> dict[str, float]:
        """Return the values of one metric now by one of its labels."""
        return {
            sample.labels[label]: sample.value
            for family in text_string_to_metric_families(self._metrics.get("/metrics").text)
            for sample in family.samples
            if sample.name == name and label in sample.labels
        }

    def metric(self, name: str) -> float:
        """Return the value of one metric.

        Raises:
            MeasurementError: There is no such metric.
        """
        values = self.metrics()
        if name not in values:
            raise MeasurementError(f"the service has no metric {name}")
        return values[name]

    def settled_metric(self, name: str, *, quiet_seconds: float, timeout_seconds: float = 30.0) -> float:
        """Return a counter once it has not changed for a while.

        Raises:
            MeasurementError: It keeps changing.
        """
        deadline = time.monotonic() + timeout_seconds
        value, changed_at = self.metric(name), time.monotonic()
        while time.monotonic() < changed_at + quiet_seconds:
            if time.monotonic() > deadline:
                raise MeasurementError(f"{name} still grows after {timeout_seconds:g} s")
            time.sleep(_POLL_SECONDS)
            if (newest := self.metric(name)) != value:
                value, changed_at = newest, time.monotonic()
        return value


@contextmanager
def measured_service(
    name: str, folder: Path, settings: Mapping[str, str | int] | None = None
) -> Iterator[MeasuredService]:
    """Run one service while the context lasts.

    Args:
        name: Its name, such as ``similarity``.
        folder: Folder for its log; created if absent.
        settings: Settings by field name; all others have their defaults, regardless of the environment.
    """
    service = next(service for service in SERVICES if service.name == name)
    environ = {key: value for key, value in os.environ.items() if not key.startswith("CHLADNI_")}
    environ |= {service.variable(field): str(value) for field, value in (settings or {}).items()}
    with (
        LocalCluster(folder=folder, ports="free", environ=environ, services=[service]) as cluster,
        grpc.insecure_channel(cluster.target(name), options=CHANNEL_OPTIONS) as channel,
    ):
        yield MeasuredService(cluster, name, channel)


def processor_seconds(pid: int) -> float:
    """Return the user and system time of a process, of all its threads, including those that have ended.

    Linux reports it in ticks, usually of 10 ms.
    """
    # The name, in parentheses, may hold spaces; the fields are numbered from it. See proc(5).
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user_ticks, system_ticks = int(fields[11]), int(fields[12])
    return (user_ticks + system_ticks) / os.sysconf("SC_CLK_TCK")
