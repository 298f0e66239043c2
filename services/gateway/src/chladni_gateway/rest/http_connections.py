"""HTTP connections that are bounded in time and in number.

The server under the application waits as long as a client likes for headers, reads what comes after a refusal
for ever, and keeps the answer to a client that does not read it. `BoundedHttpProtocol` sets a limit to each.
What a body may take is the application's part, in `middleware.body_limit`.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from chladni_runtime.server.peers import customer_of_host

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from uvicorn.config import Config
    from uvicorn.server import ServerState

BREAK_OFF_KEY: Final = "break_off"
"""Key, in the state of a request's ASGI scope, of what breaks its answer off; other servers have none."""
LINGER_SECONDS: Final = 5.0
"""Time for which the rest of a refused body is dropped, so that the client can read why."""
_MIN_READ_BYTES: Final = 64 * 1024
"""What a client must read of an answer in each interval; a slow one may take as many as the answer needs."""
_RESET_AT_CLOSE: Final = struct.pack("ii", 1, 0)
"""Value of `SO_LINGER`: the client gets a reset in place of an end."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits of HTTP connections.

    Attributes:
        max_connections: Connections in all; WebSockets have a limit of their own.
        max_per_host: Connections of one host.
        exempt_hosts: Hosts without that limit, such as a proxy through which all clients come.
        header_seconds: Time for the headers of a request, from the connection's begin or their first byte.
        idle_seconds: Time for which a connection is kept between two requests.
        write_seconds: Time for a client to read what fills its buffers, of a long answer a part of that size.
    """

    max_connections: int = 512
    max_per_host: int = 128
    exempt_hosts: Container[str] = frozenset()
    header_seconds: float = 10.0
    idle_seconds: float = 60.0
    write_seconds: float = 60.0


DEFAULT_LIMITS: Final = ConnectionLimits()


class Connection(Protocol):
    """A connection in a table."""

    @property
    def makes_room(self) -> bool:
        """Whether it may be closed for another one."""
        ...

    def abort(self) -> None:
        """Close it at once, and remove it."""


class ConnectionTable:
    """The open connections of a server, the one that has waited longest first. One event loop owns it.

    Args:
        limits: Their limits.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._connections: dict[Connection, str] = {}
        self._hosts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._connections)

    def add(self, connection: Connection, host: str) -> bool:
        """Add a connection; return whether it may stay.

        When there are too many, one that waits for a request makes room: of the same host if that has too
        many, else of the host that has the most.
        """
        is_exempt = host in self.limits.exempt_hosts
        host = customer_of_host(host)
        if not is_exempt and self._hosts[host] >= self.limits.max_per_host and not self._drop_idle(host):
            return False
        if len(self._connections) >= self.limits.max_connections and not self._drop_idle():
            return False
        self._connections[connection] = host
        self._hosts[host] += 1
        return True

    def remove(self, connection: Connection) -> None:
        """Remove a connection; unknown ones are ignored."""
        host = self._connections.pop(connection, None)
        if host is not None:
            self._hosts[host] -= 1
            if not self._hosts[host]:
                del self._hosts[host]

    def abort_handshakes(self) -> None:
        """Close the connections of which uvicorn does not know yet."""
        for connection in list(self._connections):
            if not isinstance(connection, BoundedHttpProtocol):
                connection.abort()

    def _drop_idle(self, host: str | None = None) -> bool:
        """Close an idle connection of a host, or of the one with the most; return whether there was one."""
        idle = [(known, owner) for known, owner in self._connections.items() if known.makes_room]
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
        super().__init__(config, server_state, app_state | {BREAK_OFF_KEY: self.break_off}, _loop)
        self._table = table
        self._limits = table.limits
        self._waiting: asyncio.TimerHandle | None = None  # for headers, or for the end of a refused body
        self._reading = _ReadingWatch(self._limits.write_seconds)
        self._is_kept = False

    @property
    def is_idle(self) -> bool:
        """Whether no request is in progress."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def makes_room(self) -> bool:
        """Whether it may be closed for another one: it is idle, and the client has read all answers."""
        return self.is_idle and not self.transport.get_write_buffer_size()

    def abort(self) -> None:
        """Close the connection at once, whatever it still had to send."""
        self._leave()
        self.transport.abort()

    def break_off(self) -> None:
        """Close the connection in the middle of an answer, so that no client takes it for a whole one.

        An answer without a length that is not sent in chunks, as HTTP/1.0 has them, ends with the connection:
        only a reset shows that it was cut.
        """
        if not self.is_idle:
            self.cycle.disconnected = True  # Nothing more is sent, and that the answer has no end is meant.
        connected = self.transport.get_extra_info("socket")
        if connected is not None:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        self.abort()

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
        self._reading.start(self.transport, self.abort)

    def resume_writing(self) -> None:
        """Go on writing to a client that has read."""
        self._reading.stop()
        super().resume_writing()
        if self._is_kept and self.is_idle:  # The connection has been idle only since now.
            self._wait(self._limits.idle_seconds)

    def _wait(self, seconds: float) -> None:
        _cancel(self._waiting)
        self._waiting = self.loop.call_later(seconds, self._end_waiting)

    def _end_waiting(self) -> None:
        if self._reading.is_running:  # The client still reads the last answer, which has a limit of its own.
            self._wait(self._limits.idle_seconds)
        else:
            self.abort()

    def _stop_waiting(self) -> None:
        _cancel(self._waiting)
        self._waiting = None

    def _leave(self) -> None:
        self._stop_waiting()
        self._reading.stop()
        self._table.remove(self)


class BoundedWebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol of WebSockets, which does not wait for ever for a client that does not read.

    uvicorn closes such a connection only when all is sent, and until then the application waits too.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        write_seconds: float,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._write_seconds = write_seconds
        self._reading = _ReadingWatch(write_seconds)
        self._ending: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting for the client."""
        self._reading.stop()
        _cancel(self._ending)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Receive messages; a client that does not read is not read, as the server answers pings at once."""
        super().data_received(data)
        if self._reading.is_running:
            self.transport.pause_reading()

    def pause_writing(self) -> None:
        """Give the client some time to read."""
        super().pause_writing()
        self._reading.start(self.transport, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on writing to a client that has read, and reading what it sends."""
        self._reading.stop()
        super().resume_writing()
        if not self.read_paused:
            self.transport.resume_reading()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Close the connection, if the client does not read what is left to send."""
        super().on_task_complete(task)
        if not self.disconnected:
            self._ending = self.loop.call_later(self._write_seconds, self.transport.abort)


class _ReadingWatch:
    """A look now and then at whether a client reads what waits for it.

    Args:
        interval_seconds: Time between two looks.
    """

    def __init__(self, interval_seconds: float) -> None:
        self._interval_seconds = interval_seconds
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_running(self) -> bool:
        """Whether something waits for the client."""
        return self._timer is not None

    def start(self, transport: asyncio.Transport, abort: Callable[[], None]) -> None:
        """Begin to look; close the connection once the client has read next to nothing between two looks."""
        unsent_bytes = transport.get_write_buffer_size()

        def look() -> None:
            if unsent_bytes - transport.get_write_buffer_size() < _MIN_READ_BYTES:
                abort()
            else:
                self.start(transport, abort)

        self.stop()
        self._timer = asyncio.get_running_loop().call_later(self._interval_seconds, look)

    def stop(self) -> None:
        """Stop to look."""
        _cancel(self._timer)
        self._timer = None


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
