"""A limit on what requests hold in memory together, however many they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from chladni_contract.errors import QueueFullError
from chladni_runtime.execution.retry_delays import draw_jitter

_RETRY_SECONDS: Final = 2.0


class ByteBudget:
    """A number of bytes that requests in progress may hold together. One event loop owns it.

    Args:
        capacity: The bytes.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity: Final = capacity
        self.taken = 0

    def take(self, count: int) -> None:
        """Take bytes; `give_back` frees them.

        Raises:
            QueueFullError: Fewer are free.
        """
        if self.taken + count > self.capacity:
            raise QueueFullError(
                f"The requests in progress hold {self.taken} of at most {self.capacity} bytes. "
                "Try again later.",
                retry_after_seconds=_RETRY_SECONDS * draw_jitter(),
            )
        self.taken += count

    def give_back(self, count: int) -> None:
        """Free bytes."""
        self.taken -= count

    @contextmanager
    def hold(self, count: int) -> Iterator[None]:
        """Hold bytes while the context lasts.

        Raises:
            QueueFullError: Fewer are free.
        """
        self.take(count)
        try:
            yield
        finally:
            self.give_back(count)
