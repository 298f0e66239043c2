"""HTTP connections that are bounded in time and in number.

The server under the application waits as long as a client likes for headers, reads what comes after a refusal
for ever, and keeps the answer to a client that does not read it. `BoundedHttpProtocol` sets a limit to each.
What a body may take is the application's part, in `middleware.body_limit`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from collections.abc import Container

    from uvicorn.config import Config
    from uvicorn.server import ServerState

LINGER_SECONDS: Final = 5.0
"""Time for which the rest of a refused body is dropped, so that the client can read why."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits of HTTP connections.

    Attributes:
        max_connections: Connections in all; WebSockets have a limit of their own.
        max_per_host: Connections of one host.
        exempt_hosts: Hosts without that limit, such as a proxy through which all clients come.
        header_seconds: Time for the headers of a request, from the connection's begin or their first byte.
        idle_seconds: Time for which a connection is kept between two requests.
        write_seconds: Time for a client to read what fills its buffers.
    """

    max_connections: int = 512
    max_per_host: int = 128
    exempt_hosts: Container[str] = frozenset()
    header_seconds: float = 10.0
    idle_seconds: float = 60.0
    write_seconds: float = 60.0


DEFAULT_LIMITS: Final = ConnectionLimits()


class ConnectionTable:
    """The open connections of a server, the one that has waited longest first. One event loop owns it.

    Args:
        limits: Their limits.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._connections: dict[BoundedHttpProtocol, str] = {}
        self._hosts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._connections)

    def add(self, connection: BoundedHttpProtocol, host: str) -> bool:
        """Add a connection; return whether it may stay.

        When there are too many, one that waits for a request makes room: of the same host if that has too
        many, else of the host that has the most.
        """
        is_exempt = host in self.limits.exempt_hosts
        if not is_exempt and self._hosts[host] >= self.limits.max_per_host and not self._drop_idle(host):
            return False
        if len(self._connections) >= self.limits.max_connections and not self._drop_idle():
            return False
        self._connections[connection] = host
        self._hosts[host] += 1
        return True

    def remove(self, connection: BoundedHttpProtocol) -> None:
        """Remove a connection; unknown ones are ignored."""
        host = self._connections.pop(connection, None)
        if host is not None:
            self._hosts[host] -= 1
            if not self._hosts[host]:
                del self._hosts[host]

    def _drop_idle(self, host: str | None = None) -> bool:
        """Close an idle connection of a host, or of the one with the most; return whether there was one."""
        idle = [(known, owner) for known, owner in self._connections.items() if known.is_idle]
        hosts = [host] if host is not None else sorted(self._hosts, key=self._hosts.__getitem__, reverse=True)
        for candidate in hosts:
            for connection, owner in idle:
                if owner == candidate:
                    connection.abort()
                    return True
        return False


class BoundedHttpProtocol(H11Protocol):
    """uvicorn's protocol with limits of time, and a place in the table of connections."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        *,
        table: ConnectionTable,
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._table = table
        self._limits = table.limits
        self._waiting: asyncio.TimerHandle | None = None  # for headers, or for the end of a refused body
        self._writing: asyncio.TimerHandle | None = None
        self._is_kept = False

    @property
    def is_idle(self) -> bool:
        """Whether no request is in progress."""
        return self.cycle is None or self.cycle.response_complete

    def abort(self) -> None:
        """Close the connection at once, whatever it still had to send."""
        self._leave()
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place, or close the connection if there is none."""
        super().connection_made(transport)
        if not self._table.add(self, self.client[0] if self.client else ""):
            self.abort()
            return
        self._wait(self._limits.header_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Receive a part of a request; its arrival alone does not extend the time."""
        super().data_received(data)
        if self.is_idle:
            if self._is_kept and self.conn.their_state is h11.IDLE:
                self._is_kept = False
                self._wait(self._limits.header_seconds)
        else:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the rest of a body that was refused."""
        super().on_response_complete()
        if not self.is_idle:  # Another request had arrived already.
            return
        self._is_kept = True
        is_refused = self.conn.their_state is h11.SEND_BODY
        self._wait(LINGER_SECONDS if is_refused else self._limits.idle_seconds)

    def _should_upgrade(self) -> bool:
        # The one moment between a request's headers and its work in which it can be refused.
        return self._has_two_lengths() or super()._should_upgrade()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over to the protocol of WebSockets, or refuse a request of two lengths."""
        self._leave()
        if self._has_two_lengths():
            self.send_400_response("Content-Length and Transfer-Encoding exclude each other.")
        else:
            super().handle_websocket_upgrade(event)

    def _has_two_lengths(self) -> bool:
        """Return whether a proxy before this server may take another part of the bytes for the body."""
        return {b"content-length", b"transfer-encoding"} <= {name for name, _ in self.headers}

    def pause_writing(self) -> None:
        """Give the client some time to read."""
        super().pause_writing()
        _cancel(self._writing)
        self._writing = self.loop.call_later(self._limits.write_seconds, self.abort)

    def resume_writing(self) -> None:
        """Go on writing to a client that has read."""
        _cancel(self._writing)
        super().resume_writing()

    def _wait(self, seconds: float) -> None:
        _cancel(self._waiting)
        self._waiting = self.loop.call_later(seconds, self.abort)

    def _stop_waiting(self) -> None:
        _cancel(self._waiting)
        self._waiting = None

    def _leave(self) -> None:
        self._stop_waiting()
        _cancel(self._writing)
        self._table.remove(self)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
