"""Which pages may use the gateway: those of its own address, and of origins that settings name.

A browser lets any page send requests to any address that it reaches, a server on loopback too. A page of
another origin says so in the header Origin. A page whose name was made to point at this server (DNS
rebinding) is of the same origin to the browser, but its requests carry its name in the header Host.
"""

from __future__ import annotations

from http import HTTPStatus
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from chladni_gateway.domain.stages import Stage
from chladni_gateway.rest.errors import plain_error_response

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

_ANY: Final = "*"
_SUBDOMAINS: Final = "*."


class AllowedHosts:
    """Names and addresses under which the gateway may be asked.

    Args:
        entries: Names, names of domains with all below them (``*.example.com``), addresses, networks
            (``10.0.0.0/8``: every address of it), or ``*`` for all.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        lowered = [entry.lower().strip("[]") for entry in entries]
        self._takes_all = _ANY in lowered
        self._suffixes = tuple(entry[1:] for entry in lowered if entry.startswith(_SUBDOMAINS))
        self._names = frozenset(lowered)
        self._networks = tuple(ip_network(entry, strict=False) for entry in lowered if "/" in entry)

    def __contains__(self, header: object) -> bool:
        """Return whether a header Host, with or without a port, is allowed."""
        if not isinstance(header, str):
            return False
        if self._takes_all:
            return True
        name = _name_of(header)
        if name in self._names or (self._suffixes and name.endswith(self._suffixes)):
            return True
        try:
            address = ip_address(name)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


class OriginMiddleware:
    """ASGI middleware that refuses requests for other hosts and from pages of other origins.

    A request without the header Origin comes from no page's script, or reads from its own origin.

    Args:
        app: The application.
        allowed_hosts: Names and addresses under which the gateway may be asked.
        allowed_origins: Other origins whose pages may use the API.
    """

    def __init__(
        self, app: ASGIApp, *, allowed_hosts: AllowedHosts, allowed_origins: Collection[str]
    ) -> None:
        self._app = app
        self._allowed_hosts = allowed_hosts
        self._allowed_origins = frozenset(allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if headers.getlist("host") != [headers.get("host", "")] or headers["host"] not in self._allowed_hosts:
            response = plain_error_response(
                HTTPStatus.MISDIRECTED_REQUEST,
                code="FORBIDDEN_HOST",
                message="The server is not to be asked under this name. "
                "CHLADNI_GATEWAY_ALLOWED_HOSTS lists the names that it has.",
                stage=Stage.VALIDATION.value,
            )
        elif not self._is_allowed_origin(headers):
            response = plain_error_response(
                HTTPStatus.FORBIDDEN,
                code="FORBIDDEN_ORIGIN",
                message="Pages of other origins may not use this server, "
                "unless CHLADNI_GATEWAY_CORS_ORIGINS names them.",
                stage=Stage.VALIDATION.value,
            )
        else:
            await self._app(scope, receive, send)
            return
        await response(scope, receive, send)

    def _is_allowed_origin(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is None:
            return True
        if origin in self._allowed_origins:
            return True
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme in {"http", "https"} and parts.netloc.lower() == headers["host"].lower()


def _name_of(header: str) -> str:
    """Return the name or address in a header Host, without its port."""
    name = header.lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0].removesuffix(".")
