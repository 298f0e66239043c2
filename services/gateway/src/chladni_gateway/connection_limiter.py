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
    """

    def __init__(self, *, total: int, per_client: int) -> None:
        self._total = total
        self._per_client = per_client
        self._open: Counter[str] = Counter()

    @property
    def open_count(self) -> int:
        """Number of open connections."""
        return self._open.total()

    @contextmanager
    def hold(self, client: str) -> Iterator[None]:
        """Count a connection while the context lasts.

        Raises:
            QueueFullError: The client, or all clients together, have as many as allowed.
        """
        if self._open[client] >= self._per_client or self.open_count >= self._total:
            self._remove_if_unused(client)
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
        try:
            yield
        finally:
            self._open[client] -= 1
            self._remove_if_unused(client)

    def _remove_if_unused(self, client: str) -> None:
        if not self._open[client]:
            del self._open[client]
