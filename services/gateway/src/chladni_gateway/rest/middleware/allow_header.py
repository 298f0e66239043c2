"""The complete header Allow.

The framework names only the methods of the first route of an address, even if several routes share it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.routing import Match, Route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class AllowHeaderMiddleware:
    """ASGI middleware that names every method of an address in the answers to other methods.

    Args:
        app: The application.
        routes: Its routes.
    """

    def __init__(self, app: ASGIApp, *, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._routes = [route for route in routes if isinstance(route, Route)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection."""

        async def naming_send(message: Message) -> None:
            if (
                message["type"] == "http.response.start"
                and message["status"] == HTTPStatus.METHOD_NOT_ALLOWED
            ):
                MutableHeaders(scope=message)["Allow"] = self._allowed(scope)
            await send(message)

        await self._app(scope, receive, naming_send)

    def _allowed(self, scope: Scope) -> str:
        exact: set[str] = set()
        below: set[str] = set()
        for route in self._routes:
            match, child_scope = route.matches(scope)
            if match is not Match.NONE:
                # A route of any address below its own gives way to the routes of that very address.
                is_below = any("/" in str(value) for value in child_scope["path_params"].values())
                (below if is_below else exact).update(route.methods or ())
        return ", ".join(sorted(exact or below))
