"""Sessions: an unguessable cookie, by which a browser gets back to what it made.

The server keeps no list of sessions. With images and jobs it keeps the SHA-256 of the cookie, their
*owner*, from which the cookie does not follow.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Final

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE_NAME: Final = "chladni_session"
_TOKEN_BYTES: Final = 32
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)  # 32 bytes in base64 without padding.


@dataclass(frozen=True, slots=True)
class Session:
    """Who a request comes from.

    Attributes:
        owner: SHA-256 of the cookie, in hexadecimal digits; empty where there is none.
        is_new: Whether the cookie is given with this answer.
    """

    owner: str
    is_new: bool


def session_of(connection: HTTPConnection) -> Session:
    """Returns the session of a request that has come through `SessionMiddleware`."""
    session: Session = connection.state.session
    return session


class SessionMiddleware:
    """Reads the cookie, and gives one, or renews it, with the page and with every POST; ASGI middleware.

    Args:
        app: The application.
        max_age_seconds: Time that a browser keeps the cookie; images should not outlive it.
    """

    def __init__(self, app: ASGIApp, *, max_age_seconds: int) -> None:
        self._app = app
        self._max_age_seconds = max_age_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        given = connection.cookies.get(COOKIE_NAME, "")
        known = given if _TOKEN.fullmatch(given) else ""
        token = known
        if _gives_cookie(scope):
            token = known or secrets.token_urlsafe(_TOKEN_BYTES)
            send = self._giving(token, send, is_secure=_is_secure(connection))
        owner = hashlib.sha256(token.encode()).hexdigest() if token else ""
        connection.state.session = Session(owner, is_new=token != known)
        await self._app(scope, receive, send)

    def _giving(self, token: str, send: Send, *, is_secure: bool) -> Send:
        cookie = SimpleCookie({COOKIE_NAME: token})
        facts = cookie[COOKIE_NAME]
        facts["httponly"] = True
        facts["samesite"] = "Strict"
        facts["path"] = "/"
        facts["max-age"] = self._max_age_seconds
        if is_secure:
            facts["secure"] = True

        async def giving_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("Set-Cookie", facts.OutputString())
            await send(message)

        return giving_send


def _gives_cookie(scope: Scope) -> bool:
    if scope["type"] != "http":
        return False
    return scope["method"] == "POST" or (scope["method"], scope["path"]) == ("GET", "/")


def _is_secure(connection: HTTPConnection) -> bool:
    # A client that forges the header keeps itself, and no one else, from using its cookie over HTTP.
    forwarded = connection.headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
    return "https" in {connection.url.scheme, forwarded}
