"""Bounded admission: a limit on the work in progress, and refusals that say when to try again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from chladni_contract.errors import QueueFullError
from chladni_runtime.execution.deadlines import Clock
from chladni_runtime.execution.retry_delays import RetryDelays, draw_jitter

_MEMORY: Final = 9.0  # A duration that is the mean has a tenth of the weight in the running mean.
_TINY_SECONDS: Final = 1e-6


class Admission:
    """A bounded number of requests in progress; not thread-safe, one event loop owns it.

    Args:
        capacity: Number of places. A request takes one or several, also while it waits.
        clock: Monotonic clock in seconds, to learn how long a request takes.
        expected_seconds: Assumed time of a request before any has been seen.
        jitter: Returns the factor of each retry delay.
    """

    def __init__(
        self,
        capacity: int,
        *,
        clock: Clock,
        expected_seconds: float = 1.0,
        jitter: Callable[[], float] = draw_jitter,
    ) -> None:
        self.capacity = capacity
        self.in_progress = 0
        self._clock = clock
        self._mean_seconds = expected_seconds
        self._delays = RetryDelays(clock, jitter=jitter)

    @property
    def expected_seconds(self) -> float:
        """How long a request takes, by those that were seen."""
        return self._mean_seconds

    def admit(self, places: int = 1) -> _Held:
        """Return a context manager that holds places while its context lasts.

        Entering it raises QueueFullError if fewer are free.
        """
        return _Held(self, places, self._clock)

    def take_places(self, places: int = 1) -> None:
        """Take places; `give_back_places` frees them.

        Raises:
            QueueFullError: Fewer are free; see `check_room`.
        """
        self.check_room(places)
        self.in_progress += places

    def check_room(self, places: int = 1) -> None:
        """Check that places are free, without taking them.

        Raises:
            QueueFullError: Fewer are free. Its retry delay is the time after which they should be free: one
                becomes free every mean duration of a request divided by the number of places. Requests that
                were refused before come first, so that they do not all come back at once.
        """
        if self.in_progress + places > self.capacity:
            retry_after_seconds = self._delays.draw(
                seconds_per_place=places * self._mean_seconds / self.capacity,
                longest_seconds=self._mean_seconds,  # the time in which every place changes hands
            )
            raise QueueFullError(
                f"{self.in_progress} of at most {self.capacity} requests are in progress. Try again later.",
                retry_after_seconds=retry_after_seconds,
                metadata={"count": self.in_progress, "requested": places, "maximum": self.capacity},
            )

    def give_back_places(self, places: int = 1, *, held_seconds: float) -> None:
        """Free places that were held for some time."""
        self.in_progress -= places
        if not self.in_progress:
            self._delays.reset()
        # Longer ones count for more: many quick calls beside them do not make their places free sooner.
        weight = held_seconds / (held_seconds + _MEMORY * self._mean_seconds + _TINY_SECONDS)
        self._mean_seconds += weight * (held_seconds - self._mean_seconds)


class _Held:
    """Places that are held while the context lasts."""

    __slots__ = ("_admission", "_clock", "_places", "_started_at")

    def __init__(self, admission: Admission, places: int, clock: Clock) -> None:
        self._admission = admission
        self._places = places
        self._clock = clock
        self._started_at = 0.0

    def __enter__(self) -> None:
        self._admission.take_places(self._places)
        self._started_at = self._clock()

    def __exit__(self, *_: object) -> None:
        self._admission.give_back_places(self._places, held_seconds=self._clock() - self._started_at)
