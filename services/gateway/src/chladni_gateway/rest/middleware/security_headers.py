"""Headers that forbid browsers what the page does not need."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",  # Previews arrive as data, recordings are played from blobs.
        "media-src 'self' blob:",
        "font-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?", re.ASCII)
_REFERRER_POLICY: Final = "Referrer-Policy"
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
}


def content_security_policy(host: str) -> str:
    """Return the content security policy of a response.

    Args:
        host: Host and port that the client sees; some browsers do not count WebSockets to it as `'self'`.
    """
    sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    return f"{_CONTENT_SECURITY_POLICY}; connect-src 'self'{sockets}"


class SecurityHeadersMiddleware:
    """ASGI middleware that adds the headers to every response.

    Args:
        app: The application.
        is_shared: Whether pages of other origins may use the answers.
    """

    def __init__(self, app: ASGIApp, *, is_shared: bool) -> None:
        self._app = app
        resource_policy = "cross-origin" if is_shared else "same-origin"
        self._headers = {**_HEADERS, "Cross-Origin-Resource-Policy": resource_policy}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection."""
        policy = content_security_policy(Headers(scope=scope).get("host", "") if "headers" in scope else "")

        async def secured_send(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers["Content-Security-Policy"] = policy
                headers.setdefault(_REFERRER_POLICY, "no-referrer")
            await send(message)

        await self._app(scope, receive, secured_send)
