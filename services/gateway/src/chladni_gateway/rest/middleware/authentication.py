"""Who HTTP requests come from, if the server wants tokens: a header, or the cookie of a browser."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse

from chladni_contract.errors import ChladniError
from chladni_gateway.access.principals import Scope
from chladni_gateway.rest.errors import error_response
from chladni_gateway.rest.http_connections import BREAK_OFF_KEY
from chladni_gateway.rest.openapi import API, FIRST_API

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Send
    from starlette.types import Scope as AsgiScope

    from chladni_gateway.access.authenticator import Authenticator, SignInCookies
    from chladni_gateway.access.principals import Principal

SIGN_IN_COOKIE: Final = "chladni_sign_in"
SIGN_IN_PATH: Final = "/sign-in"
SIGN_OUT_PATH: Final = "/sign-out"
ENDED_QUERY: Final = "ended"
"""Query of the sign-in page after a sign-in that has ended."""
OPEN_PATHS: Final = frozenset(
    {SIGN_IN_PATH, SIGN_OUT_PATH, f"{API}/health", f"{FIRST_API}/health", f"{API}/openapi.json"}
)
"""Paths that need no token."""

_OPEN_FOLDERS: Final = ("/static/", "/f/")
"""Where a GET needs no token: files of the page, and images that their owners share by a link."""
_PAGE: Final = "/"
_POLICY_VIOLATION: Final = 1008  # of RFC 6455
_READING_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_READING_POSTS: Final = frozenset(
    {
        "alignment",
        "anomaly",
        "compare",
        "matrix",
        "music",
        "prompts",
        "reconstruct",
        "search",
        "score",
        "spectrogram",
    }
)
"""Last parts of paths whose POST computes something, and keeps and changes nothing."""


def principal_of(connection: HTTPConnection) -> Principal | None:
    """Return who a request comes from; `None` if the server asks for no tokens, or not for this path."""
    principal: Principal | None = getattr(connection.state, "principal", None)
    return principal


def scope_of_request(method: str, path: str) -> Scope:
    """Return the scope that a request needs: whatever is not known to change nothing needs to write."""
    is_reading_post = method == "POST" and path.rpartition("/")[2] in _READING_POSTS
    return Scope.READ if method in _READING_METHODS or is_reading_post else Scope.WRITE


class AuthenticationMiddleware:
    """ASGI middleware that refuses requests without a good token, unless they need none.

    Args:
        app: The application.
        authenticator: Knows tokens.
        cookies: Knows the cookies that browsers got for tokens.
    """

    def __init__(self, app: ASGIApp, *, authenticator: Authenticator, cookies: SignInCookies) -> None:
        self._app = app
        self._authenticator = authenticator
        self._cookies = cookies

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Handle a connection."""
        if scope["type"] not in {"http", "websocket"} or _is_open(scope):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        try:
            principal = await self._authenticate(connection)
            principal.require(scope_of_request(scope.get("method", "GET"), scope["path"]))
        except ChladniError as error:
            is_page = (scope["path"], scope.get("method")) == (_PAGE, "GET")
            response = _to_sign_in(connection) if is_page else error_response(error)
            await response(scope, receive, send)
            return
        connection.state.principal = principal
        answer = _Answer(send)
        try:
            with self._authenticator.open_calls.holding(principal):
                await self._app(scope, receive, answer.send)
        except ChladniError as error:  # The token was withdrawn meanwhile.
            await answer.end(scope, receive, error)

    async def _authenticate(self, connection: HTTPConnection) -> Principal:
        authorization = connection.headers.get("authorization", "")
        cookie = connection.cookies.get(SIGN_IN_COOKIE, "")
        if cookie and not authorization:
            return self._cookies.authenticate(cookie)
        return await self._authenticator.authenticate_header(authorization)


class _Answer:
    """What is sent to a client, whose end may have to come early.

    Args:
        send: Sends to the client.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._has_begun = False
        self._has_ended = False

    async def send(self, message: Message) -> None:
        """Send a message of ASGI."""
        self._has_begun = True
        is_body = message["type"] == "http.response.body"
        self._has_ended = (is_body and not message.get("more_body")) or message["type"] == "websocket.close"
        await self._send(message)

    async def end(self, scope: AsgiScope, receive: Receive, error: ChladniError) -> None:
        """End the connection: by the error if nothing was sent yet, else in a way that shows the cut."""
        if self._has_ended:
            return
        if scope["type"] == "websocket":
            await self._send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        elif self._has_begun:
            # An end would make a whole answer of the part. A server that cannot break it off closes the
            # connection, as this one returns without an end.
            break_off = scope.get("state", {}).get(BREAK_OFF_KEY)
            if break_off is not None:
                break_off()
        else:
            await error_response(error)(scope, receive, self._send)


def _to_sign_in(connection: HTTPConnection) -> RedirectResponse:
    """Return the way to the page that asks for the token, and says so if an earlier one has ended."""
    query = f"?{ENDED_QUERY}" if connection.cookies.get(SIGN_IN_COOKIE) else ""
    return RedirectResponse(SIGN_IN_PATH + query, HTTPStatus.SEE_OTHER)


def _is_open(scope: AsgiScope) -> bool:
    path = scope["path"]
    is_reading = scope.get("method") in _READING_METHODS
    return path in OPEN_PATHS or (is_reading and path.startswith(_OPEN_FOLDERS))
