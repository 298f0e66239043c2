"""Token buckets: a rate limit for each of many keys.

A bucket holds up to `burst` tokens and fills at a steady rate; each request takes one. A full bucket
holds no information, so it is removed: memory holds only recent keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from chladni_runtime.execution.deadlines import Clock

_MAX_BUCKETS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate of requests.

    Attributes:
        per_minute: Requests a minute in the long run, above 0.
        burst: Requests at once after a rest, at least 1.
    """

    per_minute: float
    burst: int

    def times(self, factor: int) -> Rate:
        """Return the rate of `factor` keys together."""
        return Rate(self.per_minute * factor, self.burst * factor)


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class TokenBuckets:
    """A bucket for each key. One event loop owns it.

    Args:
        rate: Rate of each bucket.
        clock: Monotonic clock in seconds.
        max_buckets: Buckets at most; the least recently used one is removed first.
    """

    def __init__(self, rate: Rate, *, clock: Clock, max_buckets: int = _MAX_BUCKETS) -> None:
        self._rate = rate
        self._clock = clock
        self._max_buckets = max_buckets
        self._buckets: dict[str, _Bucket] = {}  # The least recently used one first.

    def __len__(self) -> int:
        return len(self._buckets)

    def wait_seconds(self, key: str) -> float:
        """Return the time until the bucket of a key holds a token; 0 if it does now."""
        bucket = self._buckets.get(key)
        if bucket is None:
            return 0.0
        missing = 1.0 - self._tokens_of(bucket)
        return max(0.0, missing * 60.0 / self._rate.per_minute)

    def take(self, key: str) -> None:
        """Take a token, after `wait_seconds` has returned 0."""
        self._remove_full()
        old = self._buckets.pop(key, None)
        tokens = float(self._rate.burst) if old is None else self._tokens_of(old)
        self._buckets[key] = _Bucket(max(0.0, tokens - 1.0), self._clock())
        if len(self._buckets) > self._max_buckets:
            del self._buckets[next(iter(self._buckets))]

    def _tokens_of(self, bucket: _Bucket) -> float:
        gained = (self._clock() - bucket.filled_at) * self._rate.per_minute / 60.0
        return min(float(self._rate.burst), bucket.tokens + gained)

    def _remove_full(self) -> None:
        """Remove full buckets, from the least recently used one to the first that is not full."""
        while self._buckets:
            key, bucket = next(iter(self._buckets.items()))
            if self._tokens_of(bucket) < self._rate.burst:
                return
            del self._buckets[key]
