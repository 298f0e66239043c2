"""Places for what lasts: so many in all, and so many for one client."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from chladni_contract.errors import QueueFullError

_RETRY_AFTER_SECONDS: Final = 5.0


class Places:
    """Gives places and takes them back. One event loop owns it.

    Args:
        total: Places in all.
        per_client: Places of one client.
    """

    def __init__(self, *, total: int, per_client: int) -> None:
        self._total = total
        self._per_client = per_client
        self._taken: Counter[str] = Counter()

    @property
    def taken_count(self) -> int:
        """Places that are taken."""
        return self._taken.total()

    @contextmanager
    def hold(self, client: str) -> Iterator[None]:
        """Holds a place while the context lasts.

        Raises:
            QueueFullError: The client has all of its places, or all are taken.
        """
        if self._taken[client] >= self._per_client or self.taken_count >= self._total:
            self._forget(client)
            raise QueueFullError(
                f"At most {self._per_client} connections of one client, and {self._total} in all, are "
                "served at a time. Close one, or try again later.",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
            )
        self._taken[client] += 1
        try:
            yield
        finally:
            self._taken[client] -= 1
            self._forget(client)

    def _forget(self, client: str) -> None:
        if not self._taken[client]:
            del self._taken[client]
