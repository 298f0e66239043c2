"""Identifiers that callers write: they become `UUID` objects before anything is done with them."""

import re
from typing import Final
from uuid import UUID

from chladni_contract.errors import InvalidInputError, Reason
from chladni_gateway.domain.stages import STAGE_KEY, Stage

_UUID_PATTERN: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


def parse_uuid(text: str, *, field: str, hint: str) -> UUID:
    """Returns the identifier that a caller wrote.

    Args:
        text: What the caller wrote.
        field: Name of the field, for the error.
        hint: What to send, for the error.

    Raises:
        InvalidInputError: It is not a UUID; `field` is named.
    """
    if _UUID_PATTERN.fullmatch(text):
        return UUID(text)
    raise InvalidInputError(
        Reason.INVALID_FIELD,
        f"{field} must be a UUID such as 123e4567-e89b-42d3-a456-426614174000; {hint}.",
        field=field,
        metadata={STAGE_KEY: Stage.VALIDATION.value},
    )
