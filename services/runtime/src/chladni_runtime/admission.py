"""Bounded admission: a limit on the work in progress, and a truthful answer beyond it."""

from collections.abc import Iterator
from contextlib import contextmanager

from chladni_runtime.deadlines import Clock
from chladni_runtime.errors import QueueFullError

_SMOOTHING = 0.1  # Weight of the newest duration in the running mean.


class Admission:
    """Admits a bounded number of requests at a time; not thread-safe, one event loop owns it.

    Args:
        capacity: Requests in progress at most, waiting ones included.
        clock: Monotonic clock in seconds, to learn how long a request takes.
        expected_seconds: Assumed time of a request before any has been seen.
    """

    def __init__(self, capacity: int, *, clock: Clock, expected_seconds: float = 1.0) -> None:
        self.capacity = capacity
        self.in_progress = 0
        self._clock = clock
        self._mean_seconds = expected_seconds

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Holds a place while the context lasts.

        Raises:
            QueueFullError: No place is free. Its retry delay is the time after which one should be:
                the mean time of a request over the number of places.
        """
        if self.in_progress >= self.capacity:
            raise QueueFullError(
                f"The server is working on {self.capacity} requests, its limit. Try again later.",
                retry_after_seconds=max(0.05, self._mean_seconds / self.capacity),
            )
        self.in_progress += 1
        started_at = self._clock()
        try:
            yield
        finally:
            self.in_progress -= 1
            elapsed_seconds = self._clock() - started_at
            self._mean_seconds += _SMOOTHING * (elapsed_seconds - self._mean_seconds)
