"""A bounded number of uploads at a time, of which the slowest makes room."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chladni_contract.errors import DeadlineExceededError, QueueFullError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from chladni_runtime.execution.deadlines import Clock

_SETTLING_SECONDS: Final = 2.0
"""Time before the rate of an upload counts."""
_FAST_BYTES_PER_SECOND: Final = 256 * 1024
"""An upload of this rate keeps its place: its file of any size is there within a minute."""
_RETRY_AFTER_SECONDS: Final = 2.0


@dataclass(eq=False, slots=True)
class Upload:
    """An upload that is arriving.

    Attributes:
        started_at: When it began, in seconds on the monotonic clock.
        timeout: Ends its reading.
        received_bytes: What has come of it.
        is_displaced: Whether it was given up for another.
    """

    started_at: float
    timeout: asyncio.Timeout
    received_bytes: int = 0
    is_displaced: bool = False

    async def counted(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the pieces of the body, and count them."""
        async for piece in pieces:
            self.received_bytes += len(piece)
            yield piece


class UploadPlaces:
    """A bounded number of uploads at a time, of which the slowest makes room. One event loop owns it.

    Clients that hold places by sending a little now and then thus keep out nobody who sends faster.

    Args:
        capacity: Number of places.
        clock: Monotonic clock in seconds.
    """

    def __init__(self, capacity: int, *, clock: Clock) -> None:
        self._capacity = capacity
        self._clock = clock
        self._uploads: set[Upload] = set()

    @asynccontextmanager
    async def hold(self, timeout_seconds: float) -> AsyncIterator[Upload]:
        """Hold a place while the context lasts.

        Args:
            timeout_seconds: Time for the upload to arrive.

        Raises:
            DeadlineExceededError: It did not arrive in time.
            QueueFullError: No place is free, or this upload was the slowest and had to make room.
        """
        self._make_room()
        upload = Upload(self._clock(), asyncio.timeout(timeout_seconds))
        self._uploads.add(upload)
        try:
            async with upload.timeout:
                yield upload
        except TimeoutError:
            if upload.is_displaced:
                raise _no_place("This upload was the slowest, and another needed its place.") from None
            raise DeadlineExceededError(
                f"The upload did not arrive within {timeout_seconds:g} s, the limit.",
                metadata={"timeout_seconds": timeout_seconds},
            ) from None
        finally:
            self._uploads.discard(upload)

    def _make_room(self) -> None:
        if len(self._uploads) < self._capacity:
            return
        now = self._clock()
        rates = {
            upload: upload.received_bytes / (now - upload.started_at)
            for upload in self._uploads
            if now - upload.started_at >= _SETTLING_SECONDS
        }
        slowest = min(rates, key=rates.__getitem__, default=None)
        if slowest is None or rates[slowest] >= _FAST_BYTES_PER_SECOND:
            raise _no_place(f"{len(self._uploads)} of at most {self._capacity} uploads are arriving.")
        self._uploads.discard(slowest)
        if not slowest.timeout.expired():  # Else it is on its way out already.
            slowest.is_displaced = True
            slowest.timeout.reschedule(asyncio.get_running_loop().time())


def _no_place(fault: str) -> QueueFullError:
    return QueueFullError(f"{fault} Try again later.", retry_after_seconds=_RETRY_AFTER_SECONDS)
