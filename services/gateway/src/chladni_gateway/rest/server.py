"""The HTTP server, in the event loop of the gRPC server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import socket
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import uvicorn

from chladni_gateway.rest.http_connections import (
    DEFAULT_LIMITS,
    BoundedHttpProtocol,
    BoundedWebSocketProtocol,
    ConnectionTable,
)
from chladni_gateway.rest.tls_connections import CLOSING_SECONDS, Handshake

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.types import ASGIApp

    from chladni_gateway.rest.http_connections import ConnectionLimits
    from chladni_runtime.security.credentials import ServerContext

_BACKLOG: Final = 512
_MAX_WEBSOCKET_MESSAGE_BYTES: Final = (
    128 * 1024
)  # Twice what any route accepts, so that routes can refuse it with a reason.

_log = logging.getLogger(__name__)


class _QuietServer(uvicorn.Server):
    """A server that leaves signals to the process that it is part of.

    Args:
        config: What uvicorn is to do.
        table: Counts connections.
        tls: What they are secured by; `None` for clear text.
    """

    def __init__(self, config: uvicorn.Config, *, table: ConnectionTable, tls: ServerContext | None) -> None:
        super().__init__(config)
        self._table = table
        self._tls = tls

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture no signals."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve the sockets; unlike uvicorn, with limits for the handshakes of TLS."""
        await self.lifespan.startup()
        loop = asyncio.get_running_loop()
        make = self._new_protocol if self._tls is None else self._new_handshake
        self.servers = [
            await loop.create_server(make, sock=listener, backlog=self.config.backlog)
            for listener in sockets or ()
        ]
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop to serve; connections whose handshake is not done are closed at once."""
        self._table.abort_handshakes()
        await super().shutdown(sockets)

    def _new_handshake(self) -> asyncio.Protocol:
        if self._tls is None:
            raise RuntimeError("a connection in clear text has no handshake")
        return Handshake(self._new_protocol, table=self._table, context=self._tls)

    def _new_protocol(self) -> asyncio.Protocol:
        make: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = make(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol


@asynccontextmanager
async def http_server(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    limits: ConnectionLimits = DEFAULT_LIMITS,
    tls: ServerContext | None = None,
) -> AsyncIterator[int]:
    """Serve an application while the context lasts; yield the port.

    On exit no new connection is taken. Work has ended by then; what is still being sent gets a moment.

    Args:
        app: The application.
        host: Address to listen on.
        port: Port; 0 picks a free one.
        limits: Limits of connections.
        tls: What connections are secured by; `None` for clear text.

    Raises:
        OSError: The port cannot be opened.
    """
    listener = _listen(host, port)
    bound_port: int = listener.getsockname()[1]
    table = ConnectionTable(limits)
    server = _QuietServer(
        uvicorn.Config(
            app,
            http=cast("Any", partial(BoundedHttpProtocol, table=table)),
            log_config=None,
            log_level="warning",
            access_log=False,  # The application logs its requests itself, in more detail.
            lifespan="off",
            ws=cast("Any", partial(BoundedWebSocketProtocol, write_seconds=limits.write_seconds)),
            ws_max_size=_MAX_WEBSOCKET_MESSAGE_BYTES,
            ws_per_message_deflate=False,  # Audio hardly shrinks, and a small message could grow large.
            server_header=False,
            timeout_keep_alive=math.ceil(limits.idle_seconds),
            proxy_headers=False,
            timeout_graceful_shutdown=math.ceil(CLOSING_SECONDS),
            ssl_context_factory=None if tls is None else lambda *_: tls,
        ),
        table=table,
        tls=tls,
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    # The socket listens already: connections that come before the task has begun wait in its backlog.
    _log.info("listening for HTTP", extra={"http_port": bound_port})
    try:
        yield bound_port
    finally:
        server.should_exit = True
        await serving


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends without Nagle's delay only if the protocol is given.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
