"""A connection to one server: its channel, and calls with one answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import grpc

from chladni_client._transport.retries import RetryPolicy
from chladni_client._transport.service_config import service_config
from chladni_client._transport.statuses import translated_errors
from chladni_client.files import MAX_UPLOAD_BYTES

ResponseT = TypeVar("ResponseT")

_MAX_RESPONSE_BYTES: Final = 64 * 1024 * 1024
# gRPC repeats only what it still holds, by default 256 KiB; the largest request holds two images.
_RETRY_BUFFER_BYTES: Final = 2 * MAX_UPLOAD_BYTES + 1024 * 1024
_LOOPBACK_HOSTS: Final = ("localhost", "127.", "[::1]")


class Connection:
    """A connection that opens at the first call, on the event loop of that call.

    Args:
        target: ``host:port``, or any name that gRPC resolves, such as ``dns:///gateway:50050``.
        credentials: TLS credentials; `None` for a connection in clear text.
        retry_policy: How often and how patiently gRPC repeats calls.
        metadata: Metadata that goes with every call.
    """

    def __init__(
        self,
        target: str,
        credentials: grpc.ChannelCredentials | None,
        retry_policy: RetryPolicy,
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.target = target
        self.metadata = metadata
        self._retry_policy = retry_policy
        self._credentials = credentials
        self._channel: grpc.aio.Channel | None = None
        self._is_closed = False

    @property
    def channel(self) -> grpc.aio.Channel:
        """The channel.

        Raises:
            RuntimeError: The connection was closed.
        """
        self._check_open()
        if self._channel is None:
            options = [("grpc.service_config", service_config(self._retry_policy))]
            self._channel = self._open_channel(options)
        return self._channel

    def open_probe(self) -> grpc.aio.Channel:
        """Return a channel for a question about the server's health, to be closed.

        Unlike `channel`, it also connects to a server that says it is not serving.

        Raises:
            RuntimeError: The connection was closed.
        """
        self._check_open()
        return self._open_channel([("grpc.enable_retries", 0)])

    def _check_open(self) -> None:
        if self._is_closed:
            raise RuntimeError("the client is closed")

    def _open_channel(self, options: Sequence[tuple[str, str | int]]) -> grpc.aio.Channel:
        options = [*_channel_options(self.target), *options]
        if self._credentials is None:
            return grpc.aio.insecure_channel(self.target, options)
        return grpc.aio.secure_channel(self.target, self._credentials, options)

    async def close(self) -> None:
        """Close the channel for good and cancel its calls."""
        self._is_closed = True
        if self._channel is not None:
            await self._channel.close(grace=None)

    async def call(
        self, method: Callable[..., Awaitable[ResponseT]], request: Any, timeout_seconds: float
    ) -> ResponseT:
        """Return the response to a request.

        Args:
            method: Method of a stub.
            request: The request.
            timeout_seconds: Time for all attempts together.

        Raises:
            ChladniError: The server refused it, at last.
        """
        with translated_errors(self.target):
            return await method(request, timeout=timeout_seconds, metadata=self.metadata)


def _channel_options(target: str) -> list[tuple[str, str | int]]:
    options: list[tuple[str, str | int]] = [
        ("grpc.max_receive_message_length", _MAX_RESPONSE_BYTES),
        ("grpc.per_rpc_retry_buffer_size", _RETRY_BUFFER_BYTES),
        # A retry after a moment must find a server that has come back meanwhile.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2000),
    ]
    if target.startswith(_LOOPBACK_HOSTS):
        options.append(("grpc.enable_http_proxy", 0))  # no proxy reaches this machine's own ports
    return options
