"""Whether a service takes requests: starting, ready, draining."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum, auto
from typing import Final

from chladni_runtime.calls import Call
from chladni_runtime.errors import Reason, UnavailableError

_UNGATED_PREFIX: Final = "/grpc."  # Health and reflection answer at any time.


class Phase(Enum):
    """Phase of a service's life."""

    STARTING = auto()
    READY = auto()
    DRAINING = auto()


class RequestGate:
    """Lets calls pass while the service is ready, and knows when the last one has left."""

    def __init__(self) -> None:
        self.phase = Phase.STARTING
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @asynccontextmanager
    async def scope(self, call: Call) -> AsyncIterator[None]:
        """Surrounds a call.

        Raises:
            UnavailableError: The service is starting or draining.
        """
        if call.method.startswith(_UNGATED_PREFIX):
            yield
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
        self._in_flight += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._in_flight -= 1
            if self._in_flight == 0:
                self._idle.set()

    async def wait_until_idle(self, timeout_seconds: float) -> bool:
        """Waits until no call is in progress; returns whether that happened in time."""
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_seconds)
        except TimeoutError:
            return False
        return True
