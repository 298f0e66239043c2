"""Pages of long answers: their sizes, and the tokens that lead from one page to the next.

A token holds where its page begins, and a digest of that and of the request it was given for. So a token that
is cut off, altered or sent with another request is refused, and leads to no wrong page.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Final, Protocol

from google.protobuf.message import Message

from chladni_runtime.server.validation import RequestValidator

_DIGEST_BYTES: Final = 12
_PAGE_FIELDS: Final = ("page_size", "page_token")


class PagedRequest(Protocol):
    """A request for one page of a long answer."""

    page_size: int
    page_token: str


def read_page_size(
    request: PagedRequest, validator: RequestValidator, *, default: int, maximum: int, unit: str
) -> int:
    """Return how many items a page has at most; `default` if the request does not say."""
    size = request.page_size or default
    validator.check_range("page_size", size, minimum=1, maximum=maximum, unit=unit)
    return size


def page_token(request: Message, start: str) -> str:
    """Return the token of the page of an otherwise equal request that begins at `start`."""
    content = start.encode()
    return base64.urlsafe_b64encode(_digest(request, content) + content).decode()


def read_page_start(request: Message, token: str, validator: RequestValidator) -> str:
    """Return where the page of a request begins, as `page_token` was given it; empty for the first page."""
    if not token:
        return ""
    try:
        content = base64.b64decode(token, altchars=b"-_", validate=True)
        start = content[_DIGEST_BYTES:].decode()
    except (binascii.Error, ValueError):
        content, start = b"", ""
    is_valid = bool(start) and content[:_DIGEST_BYTES] == _digest(request, start.encode())
    validator.check(
        "page_token",
        valid=is_valid,
        description="is no token of this request; send the next_page_token of the answer to an otherwise "
        "equal request, or none for the first page.",
    )
    return start if is_valid else ""


def _digest(request: Message, content: bytes) -> bytes:
    """Return a digest of where a page begins, and of a request apart from its page."""
    same = type(request)()
    same.CopyFrom(request)
    for field in _PAGE_FIELDS:
        same.ClearField(field)
    digest = hashlib.sha256(request.DESCRIPTOR.full_name.encode() + b"\0" + content + b"\0")
    digest.update(same.SerializeToString(deterministic=True))
    return digest.digest()[:_DIGEST_BYTES]
