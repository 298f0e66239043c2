"""The phases of a service, starting, ready and draining, and which calls it admits in each."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from typing import Final

from chladni_contract.errors import QueueFullError, Reason, UnavailableError
from chladni_runtime.execution.admission import Admission
from chladni_runtime.execution.byte_budget import ByteBudget
from chladni_runtime.execution.retry_delays import draw_jitter
from chladni_runtime.server.interceptor import Call
from chladni_runtime.server.peers import customer_of_host, host_of_peer

_WATCHES: Final = {
    "/grpc.health.v1.Health/Watch": "watch the health",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": "ask for the contract",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": "ask for the contract",
}
"""Calls without a place of the service that last as long as their client likes, and what that does."""
_MAX_WATCHES: Final = 256
_WATCH_RETRY_SECONDS: Final = 5.0
_MIN_START_DELAY_SECONDS: Final = 1.0
_MAX_START_DELAY_SECONDS: Final = 15.0


class Phase(Enum):
    """Phase of a service's life."""

    STARTING = auto()
    READY = auto()
    DRAINING = auto()


class RequestGate:
    """The gate that admits a bounded number of calls while the service is ready.

    A call that cannot be admitted is refused at once; another one takes its place when its message has come.

    Args:
        admission: Bounds the calls in progress. Health and reflection do not count.
        max_bytes: Bytes that the messages of calls, and other work, may hold together.
        max_per_host: Calls of one host at most; `None` for all of them.
    """

    def __init__(
        self, admission: Admission, *, max_bytes: int = 2**40, max_per_host: int | None = None
    ) -> None:
        self.bytes_in_flight: Final = ByteBudget(max_bytes)
        self.phase = Phase.STARTING
        self._started_at = time.monotonic()
        self._admission = admission
        self._max_per_host = max_per_host or admission.capacity
        self._hosts: Counter[str] = Counter()
        self._watches: Counter[str] = Counter()
        self._calls: dict[Call, asyncio.Task[object] | None] = {}
        self._held: set[asyncio.Task[object] | None] = set()
        self._is_ending = False
        self._idle = asyncio.Event()
        self._idle.set()

    def begin(self, call: Call) -> None:
        """Refuse a call that could not be admitted now.

        Raises:
            UnavailableError: The service is starting or draining.
            QueueFullError: Too many calls are in progress.
        """
        if not call.is_probe:
            self._check(call)
        elif call.method in _WATCHES:
            count = self._watches[call.method]
            if count >= _MAX_WATCHES:
                raise QueueFullError(
                    f"{count} clients {_WATCHES[call.method]} already, the limit.",
                    retry_after_seconds=_WATCH_RETRY_SECONDS,
                    metadata={"count": count, "maximum": _MAX_WATCHES},
                )
            self._watches[call.method] += 1

    def admit(self, call: Call) -> None:
        """Admit a call whose message has come.

        Raises:
            UnavailableError: The service is starting or draining.
            QueueFullError: Too many calls are in progress.
        """
        if call.is_probe:
            return
        self._check(call)
        self.bytes_in_flight.take(call.request_bytes)
        self._admission.take_places()
        self._hosts[_host_of(call)] += 1
        call.admitted_at = time.monotonic()
        self._calls[call] = asyncio.current_task()
        self._idle.clear()

    def end(self, call: Call) -> None:
        """Record that a call has ended."""
        if call.method in _WATCHES:
            self._watches[call.method] -= 1
        if call.admitted_at is None:
            return
        del self._calls[call]
        self.bytes_in_flight.give_back(call.request_bytes)
        host = _host_of(call)
        self._hosts[host] -= 1
        if not self._hosts[host]:
            del self._hosts[host]
        self._admission.give_back_places(held_seconds=time.monotonic() - call.admitted_at)
        self._note_idle()

    @contextmanager
    def hold(self, byte_count: int = 0) -> Iterator[None]:
        """Count the current task as work in progress while the context lasts: a request over HTTP, or a job.

        Args:
            byte_count: Bytes that it holds.

        Raises:
            UnavailableError: The service is starting or draining; or it stopped the work to end in time.
            QueueFullError: The requests in progress hold too many bytes.
        """
        self._check_phase()
        self.bytes_in_flight.take(byte_count)
        task = asyncio.current_task()
        self._held.add(task)
        self._idle.clear()
        try:
            yield
        except asyncio.CancelledError:
            if self._is_ending:
                raise _draining(" and had to stop this work") from None
            raise
        finally:
            self._held.discard(task)
            self.bytes_in_flight.give_back(byte_count)
            self._note_idle()

    def end_all(self) -> None:
        """Stop all work in progress; whoever waits for it gets the reason."""
        self._is_ending = True
        for call in self._calls:
            call.refusal = _draining(" and had to stop this work")
        for task in (*self._calls.values(), *self._held):
            if task is not None:
                task.cancel()

    async def wait_until_idle(self, timeout_seconds: float) -> bool:
        """Wait until no work is in progress; return whether that happened in time."""
        if not self._idle.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), timeout_seconds)
        return self._idle.is_set()

    def _note_idle(self) -> None:
        if not self._calls and not self._held:
            self._idle.set()

    def _check_phase(self) -> None:
        if self.phase is Phase.STARTING:
            raise UnavailableError(
                Reason.MODEL_NOT_READY,
                "The service is still loading its model. Try again shortly.",
                retry_after_seconds=self._start_delay_seconds(),
            )
        if self.phase is Phase.DRAINING:
            raise _draining()

    def _start_delay_seconds(self) -> float:
        """Return when to ask again: after as long as the start has taken, which may be seconds or minutes."""
        elapsed_seconds = time.monotonic() - self._started_at
        return min(max(elapsed_seconds, _MIN_START_DELAY_SECONDS), _MAX_START_DELAY_SECONDS) * draw_jitter()

    def _check(self, call: Call) -> None:
        self._check_phase()
        self._admission.check_room()
        count = self._hosts[_host_of(call)]
        if count >= self._max_per_host:
            raise QueueFullError(
                f"{count} requests of this host are in progress, the limit. Try again later.",
                retry_after_seconds=self._admission.expected_seconds * draw_jitter(),
                metadata={"count": count, "maximum": self._max_per_host},
            )


def _draining(consequence: str = "") -> UnavailableError:
    return UnavailableError(
        Reason.DRAINING,
        f"The service is shutting down{consequence}. Try again; another replica will answer.",
        retry_after_seconds=1.0,
    )


def _host_of(call: Call) -> str:
    return customer_of_host(host_of_peer(call.peer))
