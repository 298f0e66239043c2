"""Who sends an HTTP request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from chladni_contract.errors import InvalidInputError, Reason
from chladni_contract.metadata import CALLER_ID_KEY, MAX_CALLER_ID_LENGTH
from chladni_gateway.domain.stages import STAGE_KEY, Stage

if TYPE_CHECKING:
    from starlette.requests import Request

_PRINTABLE: Final = re.compile(r"[\x20-\x7e]*", re.ASCII)
_HEADER: Final = "X-Caller-Id"

CALLER_PARAMETER: Final[dict[str, Any]] = {
    "name": _HEADER,
    "in": "header",
    "required": False,
    "description": "Who asks. Callers share the model fairly; a request without this header counts as its "
    "host's. It is no proof of identity: a proxy that knows its users sets it for them.",
    "schema": {"type": "string", "maxLength": MAX_CALLER_ID_LENGTH, "pattern": "^[ -~]*$"},
    "example": "team-a",
}
"""The header, as OpenAPI describes it."""


def caller_of(request: Request) -> str:
    """Returns who sends a request: what its header X-Caller-Id says, or else the host that it comes from.

    Raises:
        InvalidInputError: The header is longer than `MAX_CALLER_ID_LENGTH` or not printable ASCII.
    """
    given = request.headers.get(CALLER_ID_KEY, "").strip()
    if len(given) > MAX_CALLER_ID_LENGTH:
        raise _unusable(f"has {len(given)} characters, at most {MAX_CALLER_ID_LENGTH} are allowed.")
    if not _PRINTABLE.fullmatch(given):
        raise _unusable("must hold printable ASCII characters only.")
    return given or (request.client.host if request.client else "")


def _unusable(description: str) -> InvalidInputError:
    return InvalidInputError(
        Reason.INVALID_FIELD,
        f"{_HEADER} {description}",
        field=_HEADER,
        metadata={STAGE_KEY: Stage.VALIDATION.value},
    )
