"""What the calls of every topic share: connections, timeouts and the retry policy."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final, TypeVar

from chladni_client._transport.connection import Connection
from chladni_client._transport.retries import Attempts, RetryPolicy
from chladni_client.files import LargeFile
from chladni_client.types.timeouts import Timeouts

ResponseT = TypeVar("ResponseT")

_SLOW_BYTES_PER_SECOND: Final = 125_000
"""Rate at which large files are expected to travel at least."""


class Calls:
    """Calls of one topic, to be mixed into `AsyncClient`.

    Args:
        gateway: Connection to the gateway.
        audio_features: Connection to the audio-feature service.
        asks_audio_features: Whether the audio-feature service is asked for what the gateway offers, too.
        timeouts: How long calls may take.
        retry_policy: How often and how patiently to try again.
    """

    def __init__(
        self,
        *,
        gateway: Connection,
        audio_features: Connection,
        asks_audio_features: bool,
        timeouts: Timeouts,
        retry_policy: RetryPolicy,
    ) -> None:
        self._gateway = gateway
        self._audio_features = audio_features
        self._asks_audio_features = asks_audio_features
        self._timeouts = timeouts
        self._retry_policy = retry_policy

    async def _call(
        self, method: Callable[..., Awaitable[ResponseT]], request: Any, timeout_seconds: float | None
    ) -> ResponseT:
        """Return the gateway's response to a request."""
        return await self._gateway.call(method, request, self._call_seconds(timeout_seconds))

    async def _pages(
        self, method: Callable[..., Awaitable[ResponseT]], request: Any, timeout_seconds: float | None
    ) -> AsyncGenerator[ResponseT, None]:
        """Yield the gateway's pages; one is asked for when the one before it is used up."""
        while True:
            page: Any = await self._call(method, request, timeout_seconds)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def _attempts_of_creation(self, timeout_seconds: float | None, file: LargeFile | None = None) -> Attempts:
        seconds = self._timeouts.creation_seconds if timeout_seconds is None else timeout_seconds
        if timeout_seconds is None and file is not None:
            seconds += file.size_bytes / _SLOW_BYTES_PER_SECOND
        return Attempts(self._retry_policy, seconds)

    def _call_seconds(self, timeout_seconds: float | None) -> float:
        return self._timeouts.call_seconds if timeout_seconds is None else timeout_seconds
