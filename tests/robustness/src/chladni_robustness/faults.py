"""Faults, drawn at random from a seed that the report prints."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chladni_robustness.clients import hold_sockets, hold_streams

if TYPE_CHECKING:
    from chladni_local.cluster import LocalCluster

_END_SECONDS: Final = 60.0
_MODEL_SERVICES: Final = ("audio-features", "image-generation", "similarity")
_UPLOAD: Final = (
    b"POST /api/v1/generate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault.

    Attributes:
        name: What happens, for the report.
        ends_calls: Whether honest calls may fail meanwhile.
        run: Makes it happen; returns when it is over.
    """

    name: str
    ends_calls: bool
    run: Callable[[], Awaitable[None]]


def draw_fault(drawn: random.Random, cluster: LocalCluster) -> Fault:
    """Return the next fault.

    Args:
        drawn: Where the choice comes from.
        cluster: The services.
    """
    service = drawn.choice(_MODEL_SERVICES)
    seconds = drawn.uniform(1.0, 3.0)
    kind = drawn.choice(("kill", "terminate", "stop", "streams", "sockets", "uploads"))
    if kind == "kill":
        return Fault(f"kill -9 of {service}", True, lambda: _end(cluster, service, signal.SIGKILL))
    if kind == "terminate":
        return Fault(f"SIGTERM of {service}", True, lambda: _end(cluster, service, signal.SIGTERM))
    if kind == "stop":
        name = f"SIGSTOP of {service} for {seconds:.1f} s"
        return Fault(name, True, lambda: _pause(cluster, service, seconds))
    if kind == "streams":
        name = f"200 streams of headers alone for {seconds:.1f} s"
        target = cluster.target("gateway")
        return Fault(name, False, lambda: hold_streams(target, count=200, seconds=seconds))
    http = cluster.address("gateway", "http")
    if kind == "sockets":
        name = f"200 silent sockets for {seconds:.1f} s"
        return Fault(name, False, lambda: hold_sockets(http, count=200, seconds=seconds))
    name = f"40 uploads that stand still for {seconds:.1f} s"
    return Fault(name, False, lambda: hold_sockets(http, count=40, seconds=seconds, content=_UPLOAD))


async def _end(cluster: LocalCluster, service: str, number: signal.Signals) -> None:
    """End a service by a signal, and start it again."""
    process = cluster.process(service)
    os.kill(process.pid, number)
    await asyncio.to_thread(process.wait, _END_SECONDS)
    await asyncio.to_thread(cluster.start_service, service)


async def _pause(cluster: LocalCluster, service: str, seconds: float) -> None:
    """Stop a service for a while, as a machine does that swaps or a hypervisor that moves it."""
    process_id = cluster.process(service).pid
    os.kill(process_id, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        os.kill(process_id, signal.SIGCONT)
