"""Bounded admission: a limit on the work in progress, and refusals that say when to try again."""

from __future__ import annotations

from chladni_contract.errors import QueueFullError
from chladni_runtime.execution.deadlines import Clock

_SMOOTHING = 0.1  # Weight of the newest duration in the running mean.
_MIN_RETRY_SECONDS = 0.05


class Admission:
    """A bounded number of requests in progress; not thread-safe, one event loop owns it.

    Args:
        capacity: Number of places. A request takes one or several, also while it waits.
        clock: Monotonic clock in seconds, to learn how long a request takes.
        expected_seconds: Assumed time of a request before any has been seen.
    """

    def __init__(self, capacity: int, *, clock: Clock, expected_seconds: float = 1.0) -> None:
        self.capacity = capacity
        self.in_progress = 0
        self._clock = clock
        self._mean_seconds = expected_seconds
        self._turned_away = 0

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
                were refused before are counted first, so that they do not all come back at once.
        """
        if self.in_progress + places > self.capacity:
            # At most the time in which every place changes hands.
            self._turned_away = min(self.capacity, self._turned_away + places)
            retry_after_seconds = self._turned_away * self._mean_seconds / self.capacity
            raise QueueFullError(
                f"{self.in_progress} of at most {self.capacity} requests are in progress. Try again later.",
                retry_after_seconds=max(_MIN_RETRY_SECONDS, retry_after_seconds),
                metadata={"count": self.in_progress, "requested": places, "maximum": self.capacity},
            )

    def give_back_places(self, places: int = 1, *, held_seconds: float) -> None:
        """Free places that were held for some time."""
        self.in_progress -= places
        self._turned_away = max(0, self._turned_away - places) if self.in_progress else 0
        self._mean_seconds += _SMOOTHING * (held_seconds - self._mean_seconds)


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
