"""Pages of lists: sizes, and tokens that say where the next page begins."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from chladni_contract.errors import InvalidInputError, Reason
from chladni_runtime.server.validation import RequestValidator

_DEFAULT_SIZE: Final = 100
_MAX_SIZE: Final = 200


def page_size_of(size: int) -> int:
    """Return the size of a page that a request asks for.

    Raises:
        InvalidFieldsError: It is outside 0 to 200.
    """
    validator = RequestValidator()
    validator.check_range("page_size", size, minimum=0, maximum=_MAX_SIZE)
    validator.raise_if_invalid()
    return size or _DEFAULT_SIZE


def last_seen_of(token: str) -> UUID | None:
    """Return the identifier after which a page begins; `None` for the first page.

    Raises:
        InvalidInputError: The server did not give this token.
    """
    if not token:
        return None
    try:
        return UUID(hex=token)
    except ValueError:
        raise InvalidInputError(
            Reason.INVALID_FIELD,
            "page_token is not one that this server gave; send the next_page_token of the previous answer.",
            field="page_token",
        ) from None


def token_after(identifier: UUID) -> str:
    """Return the token of the page that begins after an identifier."""
    return identifier.hex
