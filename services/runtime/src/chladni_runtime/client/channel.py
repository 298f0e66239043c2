"""Connections to services with several replicas.

A channel spreads its calls over all replicas that its target resolves to, repeats unary calls that a replica
refused, and reconnects within half a second. But while a *name* does not resolve, it
waits up to two minutes between attempts, which no option shortens. So a connection that finds its channel
without a working replica replaces it, at most every `RENEWAL_SECONDS`; the new channel looks the name up and
connects at once. A connection whose certificates were replaced does the same.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import grpc

from chladni_runtime.client.retries import RefusalRetrier
from chladni_runtime.security.credentials import CLEAR_TEXT, ChannelSecurity

if TYPE_CHECKING:
    from chladni_runtime.execution.deadlines import Clock

RENEWAL_SECONDS: Final = 2.0

_MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
_CHANNEL_OPTIONS: Final = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    (
        "grpc.min_reconnect_backoff_ms",
        2000,
    ),  # Despite its name, the time that an attempt to connect may take.
    ("grpc.dns_min_time_between_resolutions_ms", 1000),
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.enable_retries", 1),
    # The services are in one network; a proxy of the environment is for addresses outside of it.
    ("grpc.enable_http_proxy", 0),
)
_SERVICE_CONFIG: Final = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})

StubT = TypeVar("StubT")


@dataclass(slots=True)
class _Link(Generic[StubT]):
    """A channel, and how many calls use it."""

    channel: grpc.aio.Channel
    stub: StubT
    opened_at: float
    security_version: int
    users: int = 0
    is_retired: bool = False


class Connection(Generic[StubT]):
    """A connection to one service, opened on the first call.

    Args:
        target: gRPC target.
        make_stub: Returns the stub, or an object that holds several stubs, for a channel.
        clock: Monotonic clock in seconds.
        security: What its channels are secured by.
    """

    def __init__(
        self,
        *,
        target: str,
        make_stub: Callable[[grpc.aio.Channel], StubT],
        clock: Clock,
        security: ChannelSecurity = CLEAR_TEXT,
    ) -> None:
        self._target = target
        self._options: list[tuple[str, Any]] = [
            *_CHANNEL_OPTIONS,
            ("grpc.service_config", _SERVICE_CONFIG),
        ]
        self._make_stub = make_stub
        self._clock = clock
        self._security = security
        self._link: _Link[StubT] | None = None

    @asynccontextmanager
    async def stub(self) -> AsyncIterator[StubT]:
        """Yield the stub for one call; its channel stays open at least as long."""
        link = await self._current_link()
        link.users += 1
        try:
            yield link.stub
        finally:
            link.users -= 1
            await _close_if_unused(link)

    async def close(self) -> None:
        """Close the connection; calls in progress fail."""
        if self._link is not None:
            await self._link.channel.close(None)

    async def _current_link(self) -> _Link[StubT]:
        now = self._clock()
        version = self._security.version
        if (old := self._link) is not None and old.security_version == version:
            state = old.channel.get_state(try_to_connect=True)
            is_down = state is grpc.ChannelConnectivity.TRANSIENT_FAILURE
            if not is_down or now - old.opened_at < RENEWAL_SECONDS:
                return old
        channel = self._security.open_channel(
            self._target, options=self._options, interceptors=[RefusalRetrier()]
        )
        self._link = _Link(channel, self._make_stub(channel), now, version)
        if old is not None:
            old.is_retired = True
            await _close_if_unused(old)
        return self._link


async def _close_if_unused(link: _Link[Any]) -> None:
    if link.is_retired and link.users == 0:
        await link.channel.close(None)
