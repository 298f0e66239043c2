"""Requests counted in Redis, for several gateways together.

A gateway by itself fills a bucket of `burst` tokens. Gateways together count the requests of the last
seconds: at most `burst` in the time in which that many tokens flow. Both allow as many at once, and as many
in the long run.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import time
from typing import TYPE_CHECKING, Any, Final

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisError

if TYPE_CHECKING:
    from chladni_gateway.domain.storage.rate_limiter import RateLimiter

_SECONDS_PER_MINUTE: Final = 60.0
_ANSWER_SECONDS: Final = 1.0
_MIN_WAIT_SECONDS: Final = 0.1

_log = logging.getLogger(__name__)


class RedisRateLimiter:
    """Counts requests in Redis.

    Args:
        url: Address of Redis.
        per_minute: Requests of one client a minute in the long run.
        burst: Requests of one client at once.
        clients_per_host: Number of clients whose rates a host may use together.
        fallback: Counts while Redis does not answer: each gateway by itself then.
    """

    def __init__(
        self, url: str, *, per_minute: float, burst: int, clients_per_host: int, fallback: RateLimiter
    ) -> None:
        seconds = max(1, math.ceil(burst * _SECONDS_PER_MINUTE / per_minute))
        storage = RedisStorage(f"async+{url}", implementation="redispy", key_prefix="{chladni}:rate")
        self._window = MovingWindowRateLimiter(storage)
        self._storage = storage
        self._client_limit = RateLimitItemPerSecond(burst, seconds)
        self._host_limit = RateLimitItemPerSecond(burst * clients_per_host, seconds)
        self._fallback = fallback

    async def take(self, *, client: str, host: str) -> float:
        """Count a request; see `RateLimiter`."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self._take(client, host)
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("requests are counted without Redis", extra={"detail": str(error)})
            return await self._fallback.take(client=client, host=host)

    async def close(self) -> None:
        """Close the connections."""
        bridge: Any = self._storage.bridge  # its type does not know its client
        await bridge.storage.aclose()

    async def _take(self, client: str, host: str) -> float:
        key = hashlib.sha256(f"{host}\n{client}".encode()).hexdigest()
        counted = ((self._client_limit, "client", key), (self._host_limit, "host", host))
        waits = [await self._wait_seconds(*name) for name in counted if not await self._window.test(*name)]
        if waits:
            return max(waits)
        # Others may have taken the room since that look: only a count that is taken lets a request pass.
        for name in counted:
            if not await self._window.hit(*name):
                return await self._wait_seconds(*name)
        return 0.0

    async def _wait_seconds(self, limit: RateLimitItem, *name: str) -> float:
        stats = await self._window.get_window_stats(limit, *name)
        return max(stats.reset_time - time.time(), _MIN_WAIT_SECONDS)
