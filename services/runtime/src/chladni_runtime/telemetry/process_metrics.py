"""Metrics of a process and what it runs on: its version, its memory, its GPU."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from prometheus_client import Gauge
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_CGROUP: Final = Path("/sys/fs/cgroup")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_STATM: Final = Path("/proc/self/statm")


def note_build(registry: CollectorRegistry, *, version: str, revision: str) -> None:
    """Add the metric that says which version runs.

    Args:
        registry: Registry that it joins.
        version: Version of the service.
        revision: Commit that its image was built from; empty if unknown.
    """
    Gauge(
        "chladni_build_info",
        "1, with the version of the service and the commit of its image.",
        ["version", "revision", "python"],
        registry=registry,
    ).labels(version, revision, platform.python_version()).set(1)


class MemoryCollector(Collector):
    """Memory of the container: of all of its processes together, as its limit counts them.

    Args:
        cgroup: Folder of the control group (version 2), as a container sees its own.
    """

    def __init__(self, cgroup: Path = _CGROUP) -> None:
        self._cgroup = cgroup

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the memory in use, and its limit if there is one."""
        used = GaugeMetricFamily(
            "chladni_memory_used_bytes",
            "Memory in use that cannot be freed: of the container, or without one of the service's process.",
        )
        limit = self._read("memory.max")
        used.add_metric([], self._used_bytes() if limit else _resident_bytes())
        yield used
        limits = GaugeMetricFamily(
            "chladni_memory_limit_bytes", "Memory at which the container is killed; absent without a limit."
        )
        if limit:
            limits.add_metric([], limit)
        yield limits

    def _used_bytes(self) -> float:
        """Return what the kubelet calls the working set."""
        current = self._read("memory.current") or _resident_bytes()
        return max(0.0, current - (self._read("memory.stat", key="inactive_file") or 0.0))

    def _read(self, name: str, *, key: str = "") -> float | None:
        try:
            words = (self._cgroup / name).read_text().split()
            return float(words[words.index(key) + 1] if key else words[0])
        except (OSError, ValueError, IndexError):  # None here, or no limit, which is written "max"
            return None


class ReplacedProcessCollector(Collector):
    """Processes of a pool that were replaced.

    Args:
        count: Returns how many have been since the start.
    """

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the count."""
        yield CounterMetricFamily(
            "chladni_decoding_processes_replaced",
            "Decoding processes that a file ended, or that were ended because of one.",
            value=self._count(),
        )


class CudaMemory(Protocol):
    """The part of `torch.cuda` that says how GPUs are used."""

    def is_available(self) -> bool:
        """Return whether there is a GPU."""
        ...

    def device_count(self) -> int:
        """Return the number of GPUs."""
        ...

    def mem_get_info(self, device: int) -> tuple[int, int]:
        """Return the free and the whole memory of a GPU, in bytes."""
        ...

    def memory_allocated(self, device: int) -> int:
        """Return the bytes of this process's tensors."""
        ...

    def memory_reserved(self, device: int) -> int:
        """Return the bytes that this process has taken from a GPU."""
        ...

    def utilization(self, device: int) -> int:
        """Return the percentage of time in which a GPU was busy."""
        ...


class GpuCollector(Collector):
    """Memory and use of the GPUs that a service sees.

    Args:
        cuda: Says how they are used.
    """

    def __init__(self, cuda: CudaMemory) -> None:
        self._cuda = cuda

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the memory, by what holds it, and the use of each GPU."""
        memory = GaugeMetricFamily(
            "chladni_gpu_memory_bytes",
            "Memory of a GPU: in all, used by anybody, taken by this service, and holding its tensors.",
            labels=["device", "kind"],
        )
        use = GaugeMetricFamily(
            "chladni_gpu_utilization_ratio",
            "Part of the time in which a GPU was busy; absent without NVIDIA's management library.",
            labels=["device"],
        )
        for device in range(self._cuda.device_count()) if self._cuda.is_available() else ():
            try:
                free, total = self._cuda.mem_get_info(device)
                kinds = {
                    "total": total,
                    "used": total - free,
                    "reserved": self._cuda.memory_reserved(device),
                    "allocated": self._cuda.memory_allocated(device),
                }
            except RuntimeError:  # A GPU that has failed must not take the other metrics along.
                continue
            for kind, size in kinds.items():
                memory.add_metric([str(device), kind], size)
            with suppress(RuntimeError, ImportError):
                use.add_metric([str(device)], self._cuda.utilization(device) / 100)
        yield memory
        yield use

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Yield nothing: registering touches no GPU."""
        return iter(())


def _resident_bytes() -> float:
    try:
        return float(_STATM.read_text().split()[1]) * _PAGE_BYTES
    except OSError:  # no Linux
        return 0.0
