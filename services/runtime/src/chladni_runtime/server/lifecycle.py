"""The phases of a service, starting, ready and draining, and which calls it admits in each."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from enum import Enum, auto

from chladni_contract.errors import Reason, UnavailableError
from chladni_runtime.execution.admission import Admission
from chladni_runtime.server.interceptor import Call


class Phase(Enum):
    """Phase of a service's life."""

    STARTING = auto()
    READY = auto()
    DRAINING = auto()


class RequestGate:
    """The gate that admits a bounded number of calls while the service is ready.

    Args:
        admission: Bounds the calls in progress. Health and reflection do not count.
    """

    def __init__(self, admission: Admission) -> None:
        self.phase = Phase.STARTING
        self._admission = admission
        self._idle = asyncio.Event()
        self._idle.set()

    def begin(self, call: Call) -> None:
        """Admit a call.

        Raises:
            UnavailableError: The service is starting or draining.
            QueueFullError: Too many calls are in progress.
        """
        if call.is_probe:
            return
        if self.phase is Phase.STARTING:
            raise UnavailableError(
                Reason.MODEL_NOT_READY,
                "The service is still loading its model. Try again shortly.",
                retry_after_seconds=1.0,
            )
        if self.phase is Phase.DRAINING:
            raise UnavailableError(
                Reason.DRAINING,
                "The service is shutting down. Try again; another replica will answer.",
                retry_after_seconds=1.0,
            )
        self._admission.take_places()
        self._idle.clear()

    def end(self, call: Call) -> None:
        """Record that a call has ended."""
        if call.is_probe:
            return
        self._admission.give_back_places(held_seconds=call.elapsed_seconds)
        if not self._admission.in_progress:
            self._idle.set()

    async def wait_until_idle(self, timeout_seconds: float) -> bool:
        """Wait until no call is in progress; return whether that happened in time."""
        if not self._idle.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), timeout_seconds)
        return self._idle.is_set()
