"""Faults, drawn at random from a seed that the report prints: each kind once before any comes again."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from chladni_robustness import process_faults, rude_clients
from chladni_robustness.load_faults import burst, cancel_storm

if TYPE_CHECKING:
    from pathlib import Path

    from chladni_local.cluster import LocalCluster
    from chladni_robustness.clients import Client

MODEL_SERVICES: Final = ("audio-features", "image-generation", "similarity")
_UPLOAD: Final = (
    b"POST /api/v1/generate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
)
_HTTP2: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
_DOCUMENT: Final = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


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


@dataclass(frozen=True, slots=True)
class Target:
    """What faults are done to.

    Attributes:
        cluster: The services.
        client: Makes the honest calls of a fault, and records them.
        older: Sources of an earlier commit; `None` if there are none.
    """

    cluster: LocalCluster
    client: Client
    older: Path | None = None


_Kind: TypeAlias = Callable[[random.Random, Target], Fault]


def draw_faults(drawn: random.Random, target: Target) -> Iterator[Fault]:
    """Yield faults without end: all kinds in a random order, then all in another one.

    Args:
        drawn: Where the choices come from.
        target: What they are done to.
    """
    kinds: Sequence[_Kind] = [
        _kill,
        _terminate,
        _stop,
        _streams,
        _sockets,
        _uploads,
        _half_open,
        _slow_readers,
        _failpoint,
        _slow_disk,
        _full_disk,
        _no_memory,
        _cancel_storm,
        _burst,
        *([_older_gateway] if target.older else []),
    ]
    while True:
        for make in drawn.sample(kinds, len(kinds)):
            yield make(drawn, target)


def _kill(drawn: random.Random, target: Target) -> Fault:
    service = drawn.choice((*MODEL_SERVICES, "gateway"))
    return Fault(f"kill -9 of {service}", True, partial(process_faults.kill, target.cluster, service))


def _terminate(drawn: random.Random, target: Target) -> Fault:
    service = drawn.choice(MODEL_SERVICES)
    return Fault(f"SIGTERM of {service}", True, partial(process_faults.terminate, target.cluster, service))


def _stop(drawn: random.Random, target: Target) -> Fault:
    service, seconds = drawn.choice(MODEL_SERVICES), _seconds(drawn)
    return Fault(
        f"SIGSTOP of {service} for {seconds:.1f} s",
        True,
        partial(process_faults.pause, target.cluster, service, seconds),
    )


def _streams(drawn: random.Random, target: Target) -> Fault:
    seconds = _seconds(drawn)
    return Fault(
        f"200 streams of headers alone for {seconds:.1f} s",
        False,
        partial(rude_clients.hold_streams, target.cluster.target("gateway"), count=200, seconds=seconds),
    )


def _sockets(drawn: random.Random, target: Target) -> Fault:
    seconds = _seconds(drawn)
    address = target.cluster.address("gateway", "http")
    return Fault(
        f"200 silent sockets for {seconds:.1f} s",
        False,
        partial(rude_clients.hold_sockets, address, count=200, seconds=seconds),
    )


def _uploads(drawn: random.Random, target: Target) -> Fault:
    seconds = _seconds(drawn)
    address = target.cluster.address("gateway", "http")
    return Fault(
        f"40 uploads that stand still for {seconds:.1f} s",
        False,
        partial(rude_clients.hold_sockets, address, count=40, seconds=seconds, content=_UPLOAD),
    )


def _half_open(drawn: random.Random, target: Target) -> Fault:
    """Draw peers of gRPC that say hello, end their side, and never answer again."""
    seconds, service = _seconds(drawn), drawn.choice((*MODEL_SERVICES, "gateway"))
    return Fault(
        f"100 half-open peers of {service} for {seconds:.1f} s",
        False,
        partial(
            rude_clients.hold_sockets,
            target.cluster.target(service),
            count=100,
            seconds=seconds,
            content=_HTTP2,
            is_half_open=True,
        ),
    )


def _slow_readers(drawn: random.Random, target: Target) -> Fault:
    """Draw clients that ask for more than the buffers hold and do not read it."""
    seconds = _seconds(drawn)
    address = target.cluster.address("gateway", "http")
    return Fault(
        f"40 clients that do not read for {seconds:.1f} s",
        False,
        partial(rude_clients.hold_sockets, address, count=40, seconds=seconds, content=20 * _DOCUMENT),
    )


def _failpoint(drawn: random.Random, target: Target) -> Fault:
    service = drawn.choice(("audio-features", "image-generation", "gateway"))
    text = process_faults.draw_failpoints(drawn, service)
    return Fault(
        f"failpoints of {service}: {text}",
        True,
        partial(process_faults.arm, target.cluster, service, text, 2 * _seconds(drawn)),
    )


def _slow_disk(drawn: random.Random, target: Target) -> Fault:
    text = f"store.before=sleep({drawn.uniform(0.2, 2.0):.1f});store.after=sleep({drawn.uniform(0, 1):.1f})"
    return Fault(
        f"a slow disk of the gateway: {text}",
        True,  # The gateway is started again with it, and without it.
        partial(process_faults.arm, target.cluster, "gateway", text, 2 * _seconds(drawn)),
    )


def _full_disk(drawn: random.Random, target: Target) -> Fault:
    seconds = _seconds(drawn)
    return Fault(
        f"a full disk of the gateway for {seconds:.1f} s",
        True,
        partial(process_faults.fill_disk, target.cluster, "gateway", seconds),
    )


def _no_memory(drawn: random.Random, target: Target) -> Fault:
    service, seconds = drawn.choice(MODEL_SERVICES), _seconds(drawn)
    return Fault(
        f"no more memory for {service} for {seconds:.1f} s",
        True,
        partial(process_faults.take_memory, target.cluster, service, seconds),
    )


def _cancel_storm(drawn: random.Random, target: Target) -> Fault:
    return Fault("100 requests, of which every tenth is cancelled", False, cancel_storm(drawn, target.client))


def _burst(drawn: random.Random, target: Target) -> Fault:
    return Fault("a burst of 300 requests", False, burst(drawn, target.client))


def _older_gateway(drawn: random.Random, target: Target) -> Fault:
    if target.older is None:
        raise ValueError("there is no earlier commit")
    return Fault(
        "the gateway of an earlier commit",
        True,
        partial(process_faults.run_older, target.cluster, "gateway", target.older, 2 * _seconds(drawn)),
    )


def _seconds(drawn: random.Random) -> float:
    return drawn.uniform(1.0, 3.0)
