"""When refused requests may come back: one after the other, as the work ahead of them is done."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from chladni_runtime.execution.deadlines import Clock

_MIN_SECONDS: Final = 0.05
_JITTER: Final = 0.25


def draw_jitter() -> float:
    """Return a factor from 1 to 1.25, so that those who were refused together do not come back together."""
    return random.uniform(1.0, 1.0 + _JITTER)  # noqa: S311 - spreads callers, protects nothing


class RetryDelays:
    """Delays for refused requests, each of which gets the place after the one before it.

    Args:
        clock: Monotonic clock in seconds.
        jitter: Returns the factor of each delay.
    """

    def __init__(self, clock: Clock, *, jitter: Callable[[], float] = draw_jitter) -> None:
        self._clock = clock
        self._jitter = jitter
        self._given_until = 0.0

    def draw(self, *, seconds_per_place: float, longest_seconds: float) -> float:
        """Return the delay of the next one.

        Args:
            seconds_per_place: Time in which a place becomes free.
            longest_seconds: Time in which all the work ahead is done.
        """
        now = self._clock()
        self._given_until = min(max(self._given_until, now) + seconds_per_place, now + longest_seconds)
        return max(_MIN_SECONDS, self._given_until - now) * self._jitter()

    def reset(self) -> None:
        """Begin again: no work is ahead."""
        self._given_until = 0.0
