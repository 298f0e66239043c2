"""A connection to one server: its channel, and calls with one answer."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import grpc

from chladni_client._transport.channel_settings import ChannelSettings, Metadata
from chladni_client._transport.service_config import service_config
from chladni_client._transport.statuses import translated_errors
from chladni_client._transport.targets import checked_target, is_local
from chladni_client.files import MAX_UPLOAD_BYTES
from chladni_contract.metadata import REQUEST_ID_KEY, SESSION_TOKEN_KEY

ResponseT = TypeVar("ResponseT")

_OLD_CHANNEL_SECONDS: Final = 3600.0  # longer than any stream of this project lasts
_MAX_RESPONSE_BYTES: Final = 64 * 1024 * 1024
_OPTIONS: Final[Mapping[str, str | int]] = {
    "grpc.max_receive_message_length": _MAX_RESPONSE_BYTES,
    # gRPC repeats only what it still holds, by default 256 KiB; the largest request holds two images.
    "grpc.per_rpc_retry_buffer_size": 2 * MAX_UPLOAD_BYTES + 1024 * 1024,
    # A retry after a moment must find a server that has come back meanwhile.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 2000,
}

_AFTER_FORK: Final = (
    "gRPC does not survive a fork. Start processes with multiprocessing.get_context('spawn') (or "
    "'forkserver'), and make a client in each of them; or fork first, before the first call of any client"
)
_first_user: list[int] = []
"""The process that opened the first channel here; empty before."""


def check_process(made_in: int) -> None:
    """Check that a client was made by this process.

    Args:
        made_in: Identifier of the process that made it.

    Raises:
        RuntimeError: This process was forked from that one, whose locks and threads stay behind: a call would
            hang or crash.
    """
    if made_in != os.getpid():
        raise RuntimeError(f"this client was made before this process was forked. {_AFTER_FORK}")


class Connection:
    """A connection that opens at the first call, on the event loop of that call.

    Args:
        target: ``host:port``, or any name that gRPC resolves, such as ``dns:///gateway:50050``.
        settings: What else it is made of.
        session_token: Token to which images and jobs belong, which goes with each call; empty for none.

    Raises:
        ValueError: gRPC would misunderstand the target, or a token would go there in clear text.
    """

    def __init__(self, target: str, settings: ChannelSettings, *, session_token: str = "") -> None:
        self.target = checked_target(target)
        settings.check_for(target)
        self._settings = settings
        self._session: Metadata = ((SESSION_TOKEN_KEY, session_token),) if session_token else ()
        self._channel: grpc.aio.Channel | None = None
        self._version = settings.version
        self._closing: set[asyncio.Future[None]] = set()
        self._is_closed = False
        self._made_in = os.getpid()

    @property
    def channel(self) -> grpc.aio.Channel:
        """The channel.

        Raises:
            RuntimeError: The connection was closed, or the process was forked.
        """
        self._check_open()
        self._settings.refresh()
        if self._channel is not None and self._version != self._settings.version:
            closing = asyncio.ensure_future(self._channel.close(grace=_OLD_CHANNEL_SECONDS))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            self._channel = None
        if self._channel is None:
            self._version = self._settings.version
            config = service_config(self._settings.retry_policy)
            self._channel = self._open_channel({"grpc.service_config": config})
        return self._channel

    def open_probe(self) -> grpc.aio.Channel:
        """Return a channel for a question about the server's health, to be closed.

        Unlike `channel`, it also connects to a server that says it is not serving.

        Raises:
            RuntimeError: The connection was closed, or the process was forked.
        """
        self._check_open()
        return self._open_channel({"grpc.enable_retries": 0})

    async def close(self) -> None:
        """Close the channel for good and cancel its calls."""
        self._is_closed = True
        for closing in self._closing:
            closing.cancel()
        if self._channel is not None:
            await self._channel.close(grace=None)

    @contextmanager
    def calling(self) -> Iterator[Metadata]:
        """Yield the metadata of one call, and turn what gRPC raises into `ChladniError`."""
        request_id = secrets.token_hex(16)
        with translated_errors(self.target, request_id):
            yield *self._settings.call_metadata(), *self._session, (REQUEST_ID_KEY, request_id)

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
        with self.calling() as metadata:
            return await method(request, timeout=timeout_seconds, metadata=metadata)

    def _check_open(self) -> None:
        check_process(self._made_in)
        if self._is_closed:
            raise RuntimeError("the client is closed")

    def _open_channel(self, options: Mapping[str, str | int]) -> grpc.aio.Channel:
        if not _first_user:
            _first_user.append(os.getpid())
        if _first_user[0] != os.getpid():
            raise RuntimeError(f"this process was forked from one whose client had made calls. {_AFTER_FORK}")
        settings = self._settings
        merged = {**_OPTIONS, **settings.keepalive_options(), **options}
        if is_local(self.target):
            merged["grpc.enable_http_proxy"] = 0  # no proxy reaches this machine's own ports
        arguments = [*(merged | settings.options).items()]
        if settings.credentials is None:
            return grpc.aio.insecure_channel(self.target, arguments, settings.compression)
        return grpc.aio.secure_channel(self.target, settings.credentials, arguments, settings.compression)
