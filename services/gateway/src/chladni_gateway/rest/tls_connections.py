"""Connections of HTTPS, which count among the others from their first byte on.

asyncio tells a protocol of a connection only when its handshake is done, so that any number of clients
could hold sockets without it. `Handshake` is the protocol until then.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from chladni_gateway.rest.http_connections import ConnectionTable
    from chladni_runtime.security.credentials import ServerContext

HANDSHAKE_SECONDS: Final = 10.0
CLOSING_SECONDS: Final = 2.0


class Handshake(asyncio.Protocol):
    """A connection until its handshake is done; then it is that of the protocol which speaks HTTP.

    Args:
        make: Returns that protocol.
        table: Counts connections.
        context: What the connection is secured by.
    """

    makes_room: Final = True

    def __init__(
        self,
        make: Callable[[], asyncio.Protocol],
        *,
        table: ConnectionTable,
        context: ServerContext,
    ) -> None:
        self._make = make
        self._table = table
        self._context = context
        self._transport: Any = None
        self._securing: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a place, or close the connection if there is none; then begin the handshake."""
        self._transport = transport
        peer = transport.get_extra_info("peername")
        if not self._table.add(self, peer[0] if peer else ""):
            self.abort()
            return
        self._securing = asyncio.get_running_loop().create_task(self._secure())

    def abort(self) -> None:
        """Close the connection at once."""
        self._table.remove(self)
        self._transport.abort()

    async def _secure(self) -> None:
        early = _EarlyData()
        try:
            secured = await asyncio.get_running_loop().start_tls(
                self._transport,
                early,
                self._context,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=CLOSING_SECONDS,
            )
        except OSError:  # The client went, took too long, or does not speak TLS as wanted.
            self._transport.abort()
            return
        finally:
            self._table.remove(self)
        if secured is None or secured.is_closing():  # Aborted meanwhile.
            return
        if self._context.client_names.permits(secured.get_extra_info("peercert")):
            early.hand_over(secured, self._make())
        else:
            secured.abort()


class _EarlyData(asyncio.Protocol):
    """Keeps what comes between the end of a handshake and the beginning of HTTP."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._has_ended = False
        self._error: Exception | None = None

    def data_received(self, data: bytes) -> None:
        """Keep data."""
        self._data += data

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the client has gone."""
        self._has_ended = True
        self._error = exc

    def hand_over(self, transport: Any, protocol: asyncio.Protocol) -> None:
        """Give the connection to a protocol, as if it had been its own from the beginning."""
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if self._data and not transport.is_closing():
            protocol.data_received(bytes(self._data))
        if self._has_ended:
            protocol.connection_lost(self._error)
