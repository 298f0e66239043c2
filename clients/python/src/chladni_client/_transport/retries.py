"""When a failed call is sent again: the policy, and the attempts of a creation.

gRPC itself repeats calls with one answer, as the service config says. A creation is repeated by this client:
gRPC would not do it after the first event, and would not report it. Both wait with exponential backoff and
jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/, here "equal jitter"), never
earlier than a full queue asks for, never later than the call's own deadline.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final

from chladni_client.errors import ChladniError, TemporaryError

_MAX_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently to try; only a `TemporaryError` is tried again at all.

    Attributes:
        max_attempts: Calls in all, the first one included, 1 to 5; 1 never tries again.
        initial_backoff_seconds: Longest wait before the second attempt; doubles for each further one. gRPC,
            which repeats all calls but creations, may wait a fifth longer.
        max_backoff_seconds: Longest wait, unless the server asks for more.

    Raises:
        ValueError: A number is out of range.
    """

    max_attempts: int = 4
    initial_backoff_seconds: float = 0.5
    max_backoff_seconds: float = 5.0

    def __post_init__(self) -> None:
        if not 1 <= self.max_attempts <= _MAX_ATTEMPTS:
            raise ValueError(f"max_attempts must be from 1 to {_MAX_ATTEMPTS}, the most that gRPC allows")
        if not (0 <= self.initial_backoff_seconds < inf and 0 <= self.max_backoff_seconds < inf):
            raise ValueError("the waits must be at least 0 and finite")


class Attempts:
    """The attempts of one creation.

    Args:
        policy: How often and how patiently.
        timeout_seconds: Time for all attempts together; `None` for no limit.
        clock: Monotonic clock in seconds.
        jitter: Random numbers in [0, 1).
    """

    def __init__(
        self,
        policy: RetryPolicy,
        timeout_seconds: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.number = 1
        self._policy = policy
        self._expires_at = None if timeout_seconds is None else clock() + timeout_seconds
        self._clock = clock
        self._jitter = jitter

    @property
    def remaining_seconds(self) -> float | None:
        """Time left, at least 0; `None` if there is no limit."""
        return None if self._expires_at is None else max(0.0, self._expires_at - self._clock())

    def next_delay_seconds(self, error: ChladniError) -> float | None:
        """Return how long to wait before the next attempt; `None` if none makes sense."""
        if not isinstance(error, TemporaryError) or self.number >= self._policy.max_attempts:
            return None
        longest_seconds = min(
            self._policy.max_backoff_seconds,
            self._policy.initial_backoff_seconds * 2.0 ** (self.number - 1),
        )
        delay_seconds = max(longest_seconds * (1 + self._jitter()) / 2, error.retry_after_seconds or 0.0)
        remaining_seconds = self.remaining_seconds
        if remaining_seconds is not None and delay_seconds >= remaining_seconds:
            return None
        self.number += 1
        return delay_seconds

    async def wait_after(self, error: ChladniError) -> None:
        """Wait before the next attempt.

        Raises:
            ChladniError: The error itself: another attempt makes no sense.
        """
        delay_seconds = self.next_delay_seconds(error)
        if delay_seconds is None:
            raise error
        await asyncio.sleep(delay_seconds)
