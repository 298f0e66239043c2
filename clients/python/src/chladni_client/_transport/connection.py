"""A connection to one server: its channel, and calls that are tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import grpc

from chladni_client._transport.retries import Attempts
from chladni_client._transport.statuses import translated_errors
from chladni_client.errors import TemporaryError

ResponseT = TypeVar("ResponseT")

_MAX_RESPONSE_BYTES: Final = 64 * 1024 * 1024
_LOOPBACK_HOSTS: Final = ("localhost", "127.", "[::1]")


class Connection:
    """A connection that opens at the first call, on the event loop of that call.

    Args:
        target: ``host:port``, or any name that gRPC resolves, such as ``dns:///gateway:50050``.
        credentials: TLS credentials; `None` for a connection in clear text.
        metadata: Metadata that goes with every call.
    """

    def __init__(
        self,
        target: str,
        credentials: grpc.ChannelCredentials | None,
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.target = target
        self.metadata = metadata
        self._credentials = credentials
        self._channel: grpc.aio.Channel | None = None
        self._is_closed = False

    @property
    def channel(self) -> grpc.aio.Channel:
        """The channel.

        Raises:
            RuntimeError: The connection was closed.
        """
        if self._is_closed:
            raise RuntimeError("the client is closed")
        if self._channel is None:
            options = _channel_options(self.target)
            self._channel = (
                grpc.aio.insecure_channel(self.target, options)
                if self._credentials is None
                else grpc.aio.secure_channel(self.target, self._credentials, options)
            )
        return self._channel

    async def close(self) -> None:
        """Close the channel for good and cancels its calls."""
        self._is_closed = True
        if self._channel is not None:
            await self._channel.close(grace=None)

    async def call(
        self, method: Callable[..., Awaitable[ResponseT]], request: Any, attempts: Attempts
    ) -> ResponseT:
        """Return the response to a request that changes nothing, and may so be sent again.

        Raises:
            ChladniError: The server refused it, at last.
        """
        while True:
            try:
                with translated_errors(self.target):
                    return await method(request, timeout=attempts.remaining_seconds, metadata=self.metadata)
            except TemporaryError as error:
                delay_seconds = attempts.next_delay_seconds(error)
                if delay_seconds is None:
                    raise
            await asyncio.sleep(delay_seconds)


def _channel_options(target: str) -> list[tuple[str, int]]:
    options = [
        ("grpc.max_receive_message_length", _MAX_RESPONSE_BYTES),
        # A retry after a moment must find a server that has come back meanwhile.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2000),
    ]
    if target.startswith(_LOOPBACK_HOSTS):
        options.append(("grpc.enable_http_proxy", 0))  # no proxy reaches this machine's own ports
    return options
