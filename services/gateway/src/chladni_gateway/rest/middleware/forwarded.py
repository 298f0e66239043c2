"""What proxies say of clients, which counts only from proxies that are trusted."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers

from chladni_contract.metadata import CALLER_ID_KEY

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from chladni_runtime.server.peers import PeerSet

_CALLER_HEADER: Final = CALLER_ID_KEY.encode()


class ForwardedMiddleware:
    """ASGI middleware that takes the client's address from a trusted proxy's header X-Forwarded-For.

    From any other host that header and X-Caller-Id mean nothing: with them one client could be many.

    Args:
        app: The application.
        trusted: The proxies.
    """

    def __init__(self, app: ASGIApp, *, trusted: PeerSet) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection."""
        if scope["type"] in {"http", "websocket"}:
            host = scope["client"][0] if scope.get("client") else ""
            if host in self._trusted:
                scope["client"] = (self._client_of(Headers(scope=scope), host), 0)
            else:
                scope["headers"] = [item for item in scope["headers"] if item[0] != _CALLER_HEADER]
        await self._app(scope, receive, send)

    def _client_of(self, headers: Headers, host: str) -> str:
        """Return the last address that no trusted proxy has; the first ones may be invented."""
        hops = [hop.strip() for line in headers.getlist("x-forwarded-for") for hop in line.split(",")]
        for hop in reversed(hops):
            try:
                host = str(ip_address(hop))
            except ValueError:
                return host
            if host not in self._trusted:
                return host
        return host
