"""Sessions: an unguessable cookie, by which a browser finds its images and jobs again.

The server keeps no list of sessions. With images and jobs it keeps the SHA-256 of the cookie, their
*owner*, from which the cookie does not follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Final

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection

from chladni_gateway.rest.middleware.authentication import principal_of
from chladni_gateway.sessions import owner_of_token

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from chladni_gateway.sessions import SessionTokens

COOKIE_NAME: Final = "chladni_session"


@dataclass(frozen=True, slots=True)
class Session:
    """Who a request comes from.

    Attributes:
        owner: SHA-256 of the cookie, in hexadecimal digits, or the owner whom the token stands for; empty if
            there is none.
        is_new: Whether the cookie is given with this answer.
    """

    owner: str
    is_new: bool


def session_of(connection: HTTPConnection) -> Session:
    """Return the session of a request that has come through `SessionMiddleware`."""
    session: Session = connection.state.session
    return session


class SessionMiddleware:
    """ASGI middleware that reads the cookie, and sets or renews it with the page and with every POST.

    Args:
        app: The application.
        max_age_seconds: Time that a browser keeps the cookie; images should not outlive it.
        tokens: Issues the cookies; one that it did not issue is replaced.
    """

    def __init__(self, app: ASGIApp, *, max_age_seconds: int, tokens: SessionTokens) -> None:
        self._app = app
        self._tokens = tokens
        self._max_age_seconds = max_age_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        if (principal := principal_of(connection)) is not None:
            connection.state.session = Session(principal.owner, is_new=False)
            await self._app(scope, receive, send)
            return
        given = connection.cookies.get(COOKIE_NAME, "")
        known = given if self._tokens.is_issued(given) else ""
        token = known
        if _sets_cookie(scope):
            token = known or self._tokens.draw()
            send = self._with_cookie(token, send, is_secure=is_secure(connection))
        owner = owner_of_token(token) if token else ""
        connection.state.session = Session(owner, is_new=token != known)
        await self._app(scope, receive, send)

    def _with_cookie(self, token: str, send: Send, *, is_secure: bool) -> Send:
        cookie = SimpleCookie({COOKIE_NAME: token})
        attributes = cookie[COOKIE_NAME]
        attributes["httponly"] = True
        attributes["samesite"] = "Strict"
        attributes["path"] = "/"
        attributes["max-age"] = self._max_age_seconds
        if is_secure:
            attributes["secure"] = True

        async def setting_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("Set-Cookie", attributes.OutputString())
            await send(message)

        return setting_send


def _sets_cookie(scope: Scope) -> bool:
    if scope["type"] != "http":
        return False
    return scope["method"] == "POST" or (scope["method"], scope["path"]) == ("GET", "/")


def is_secure(connection: HTTPConnection) -> bool:
    """Return whether a browser reached the gateway by HTTPS, perhaps through a proxy that says so."""
    # A client that forges the header prevents only itself from using its cookie over HTTP.
    forwarded = connection.headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
    return "https" in {connection.url.scheme, forwarded}
