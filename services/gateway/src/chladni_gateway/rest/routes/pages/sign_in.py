"""The page on which people enter their token, and get a cookie for it; it works without scripts."""

from __future__ import annotations

import time
from html import escape
from http import HTTPStatus
from string import Template
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from chladni_contract.errors import ChladniError
from chladni_contract.status import WIRE_STATUS
from chladni_gateway.access.principals import Scope
from chladni_gateway.rest.middleware.authentication import (
    ENDED_QUERY,
    SIGN_IN_COOKIE,
    SIGN_IN_PATH,
    SIGN_OUT_PATH,
)
from chladni_gateway.rest.middleware.sessions import is_secure

if TYPE_CHECKING:
    from chladni_gateway.access.authenticator import Authenticator, SignInCookies
    from chladni_gateway.access.principals import Principal

_PAGE: Final = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in - Chladni</title>
<main>
<h1>Sign in</h1>
<p>This server wants to know who uses it. Its operator gives out tokens.</p>
$problem<form method="post" action="/sign-in">
<p><label for="token">Token</label><br>
<input id="token" name="token" type="password" autocomplete="current-password" required size="48"></p>
<p><button>Sign in</button></p>
</form>
</main>
</html>
""")
_SIGNED_IN_COOKIE: Final = "chladni_signed_in"
"""Lets the page show the button that signs out; it says nothing else, and nothing depends on it."""
_ENDED: Final = "The sign-in has ended. Enter the token again, or a new one."
# Without a referrer, browsers send the form with the origin `null`, which is refused as a foreign one.
_HEADERS: Final = {"Cache-Control": "no-store", "Referrer-Policy": "same-origin"}


def sign_in_routes(
    authenticator: Authenticator, cookies: SignInCookies, *, max_age_seconds: int
) -> APIRouter:
    """Return the routes that sign a browser in and out.

    Args:
        authenticator: Knows tokens.
        cookies: Issues the cookies.
        max_age_seconds: Time that a browser stays signed in, if its token does not end before.
    """
    router = APIRouter(include_in_schema=False)

    @router.get(SIGN_IN_PATH)
    async def page(request: Request) -> Response:
        return _page(_ENDED if ENDED_QUERY in request.query_params else "")

    @router.post(SIGN_IN_PATH)
    async def sign_in(request: Request) -> Response:
        form = await request.form(max_files=0, max_fields=1)
        token = form.get("token", "")
        try:
            principal = await authenticator.authenticate(token.strip() if isinstance(token, str) else "")
            principal.require(Scope.READ)  # The page would send whoever lacks it back here.
        except ChladniError as error:
            return _page(error.message, status=WIRE_STATUS[error.reason].http)
        response = RedirectResponse("/", HTTPStatus.SEE_OTHER)
        age_seconds = _age_seconds(principal)
        response.set_cookie(
            SIGN_IN_COOKIE,
            cookies.issue(principal, age_seconds=age_seconds),
            max_age=age_seconds,
            httponly=True,
            samesite="strict",
            secure=is_secure(request),
        )
        response.set_cookie(
            _SIGNED_IN_COOKIE, "1", max_age=age_seconds, samesite="strict", secure=is_secure(request)
        )
        return response

    @router.post(SIGN_OUT_PATH)
    async def sign_out() -> Response:
        response = RedirectResponse(SIGN_IN_PATH, HTTPStatus.SEE_OTHER)
        response.delete_cookie(SIGN_IN_COOKIE, httponly=True, samesite="strict")
        response.delete_cookie(_SIGNED_IN_COOKIE, samesite="strict")
        return response

    def _age_seconds(principal: Principal) -> int:
        if principal.expires_at is None:
            return max_age_seconds
        return max(0, min(max_age_seconds, int(principal.expires_at - time.time())))

    return router


def _page(problem: str, *, status: int = HTTPStatus.OK) -> HTMLResponse:
    paragraph = f'<p role="alert">{escape(problem)}</p>\n' if problem else ""
    content = _PAGE.substitute(problem=paragraph)
    return HTMLResponse(content, status_code=status, headers=_HEADERS)
