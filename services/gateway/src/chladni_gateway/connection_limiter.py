"""A limit on long-lived connections: so many in all, and so many of one client."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from chladni_contract.errors import QueueFullError

if TYPE_CHECKING:
    from collections.abc import Iterator

_RETRY_AFTER_SECONDS: Final = 5.0


class ConnectionLimiter:
    """Bounds the open connections. One event loop owns it.

    Args:
        total: Connections in all.
        per_client: Connections of one client.
        per_host: Connections of one host, which may have several clients, and as many names as it likes.
    """

    def __init__(self, *, total: int, per_client: int, per_host: int) -> None:
        self._total = total
        self._per_client = per_client
        self._per_host = per_host
        self._open: Counter[str] = Counter()
        self._hosts: Counter[str] = Counter()

    @property
    def open_count(self) -> int:
        """Number of open connections."""
        return self._open.total()

    @contextmanager
    def hold(self, client: str, *, host: str) -> Iterator[None]:
        """Count a connection while the context lasts.

        Args:
            client: The client.
            host: Address of its host.

        Raises:
            QueueFullError: The client, its host, or all clients together, have as many as allowed.
        """
        if (
            self._open.get(client, 0) >= self._per_client
            or self._hosts.get(host, 0) >= self._per_host
            or self.open_count >= self._total
        ):
            raise QueueFullError(
                f"At most {self._per_client} connections of one client, and {self._total} in all, are "
                "served at a time. Close one, or try again later.",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
                metadata={
                    "count": self.open_count,
                    "maximum": self._total,
                    "maximum_per_client": self._per_client,
                },
            )
        self._open[client] += 1
        self._hosts[host] += 1
        try:
            yield
        finally:
            for counts, name in ((self._open, client), (self._hosts, host)):
                counts[name] -= 1
                if not counts[name]:
                    del counts[name]
