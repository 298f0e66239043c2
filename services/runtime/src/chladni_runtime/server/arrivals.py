"""Request messages that are on their way: bounded in time and in number.

A call costs its sender a few bytes, and a message may come as slowly as its sender likes. So a call waits for
its message here and takes a place of the service only once the message has come. Messages that come promptly,
as nearly all do, may be many at a time. Slow ones are few, since each may fill its whole size in memory, and
when there are too many, the connection that has the most loses its oldest.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final, TypeVar

from chladni_contract.errors import DeadlineExceededError, QueueFullError

_PROMPT_SECONDS: Final = 1.0
_RETRY_AFTER_SECONDS: Final = 5.0

MessageT = TypeVar("MessageT")


@dataclass(eq=False, slots=True)
class _Arrival:
    """A message on its way.

    Attributes:
        peer: The connection that sends it.
        timeout: Ends the wait for it.
        is_displaced: Whether it was given up for others.
    """

    peer: str
    timeout: asyncio.Timeout
    is_displaced: bool = False


class _Lane:
    """A bounded number of messages on their way, the oldest first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._arrivals: dict[_Arrival, None] = {}

    def __len__(self) -> int:
        return len(self._arrivals)

    def add(self, arrival: _Arrival) -> None:
        """Add a message; if there are too many, give up the oldest of the connection that has the most."""
        self._arrivals[arrival] = None
        if len(self._arrivals) > self._capacity:
            counts = Counter(other.peer for other in self._arrivals)
            peer = max(counts, key=counts.__getitem__)
            displaced = next(other for other in self._arrivals if other.peer == peer)
            del self._arrivals[displaced]
            if not displaced.timeout.expired():  # Else it is on its way out already.
                displaced.is_displaced = True
                displaced.timeout.reschedule(asyncio.get_running_loop().time())

    def remove(self, arrival: _Arrival) -> bool:
        """Remove a message; return whether it was here."""
        return self._arrivals.pop(arrival, arrival) is None


class Arrivals:
    """The request messages on their way. One event loop owns them.

    Args:
        capacity: Messages at most that came in their first second.
        slow_capacity: Messages at most that take longer.
        timeout_seconds: Time for a message to arrive.
        prompt_seconds: Time after which a message is slow.
    """

    def __init__(
        self,
        *,
        capacity: int,
        slow_capacity: int,
        timeout_seconds: float,
        prompt_seconds: float = _PROMPT_SECONDS,
    ) -> None:
        self._prompt = _Lane(capacity)
        self._slow = _Lane(slow_capacity)
        self._timeout_seconds = timeout_seconds
        self._prompt_seconds = prompt_seconds

    @property
    def count(self) -> int:
        """Number of messages on their way."""
        return len(self._prompt) + len(self._slow)

    async def receive(self, peer: str, message: Awaitable[MessageT]) -> MessageT:
        """Wait for a message and return it.

        Args:
            peer: The connection that sends it.
            message: Returns the message; cancelled if it does not come in time.

        Raises:
            DeadlineExceededError: It did not arrive in time.
            QueueFullError: It was slow, and given up for others.
        """
        arrival = _Arrival(peer, asyncio.timeout(self._timeout_seconds))
        try:
            async with arrival.timeout:
                self._prompt.add(arrival)
                slowing = asyncio.get_running_loop().call_later(
                    self._prompt_seconds, self._slow_down, arrival
                )
                try:
                    return await message
                finally:
                    slowing.cancel()
                    self._prompt.remove(arrival)
                    self._slow.remove(arrival)
        except TimeoutError:
            if not arrival.timeout.expired():
                raise  # an error of the sender, not the end of this wait
            if arrival.is_displaced:
                raise QueueFullError(
                    "The request message arrived too slowly, and the server needed its place for others. "
                    "Send it again.",
                    retry_after_seconds=_RETRY_AFTER_SECONDS,
                ) from None
            raise DeadlineExceededError(
                f"The request message did not arrive within {self._timeout_seconds:g} s, the limit.",
                metadata={"timeout_seconds": self._timeout_seconds},
            ) from None

    def _slow_down(self, arrival: _Arrival) -> None:
        if self._prompt.remove(arrival):
            self._slow.add(arrival)
