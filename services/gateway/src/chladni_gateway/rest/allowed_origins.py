"""Which pages may open a WebSocket, to which browsers do not apply the rules for other requests."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import HTTPConnection


def is_welcome(connection: HTTPConnection, *, friends: Collection[str]) -> bool:
    """Returns whether the page that a request comes from is one of ours, or a configured friend's.

    A request without the header Origin comes from no browser, and thus acts for nobody but its sender.

    Args:
        connection: The request.
        friends: Other origins whose pages may use the API.
    """
    origin = connection.headers.get("origin")
    if origin is None or origin in friends:
        return True
    parts = urlsplit(origin)
    return parts.scheme in {"http", "https"} and parts.netloc == connection.headers.get("host", "")
