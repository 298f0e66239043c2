"""Where requests are counted, so that nobody sends too many: the interface."""

from __future__ import annotations

from typing import Protocol


class RateLimiter(Protocol):
    """Limits clients and, since a client may use another name each time, their hosts too."""

    async def take(self, *, client: str, host: str) -> float:
        """Count a request, unless there are too many; return the time to wait in seconds, 0 if it counts.

        Args:
            client: Key of the client among those of its host.
            host: Address of the host that sends the request.
        """
        ...

    async def close(self) -> None:
        """Close what it is connected to."""
        ...
