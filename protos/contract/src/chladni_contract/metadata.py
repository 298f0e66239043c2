"""Metadata that goes with calls: keys, limits, and the check of what callers send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chladni_contract.errors import InvalidInputError, MetadataValue, Reason

REQUEST_ID_KEY: Final = "x-request-id"
"""Names one request in the logs of every service that takes part in it; echoed in the initial metadata."""

CALLER_ID_KEY: Final = "x-caller-id"
"""Names who shares a service with others, given by a caller or by a gateway for it; proves nothing."""

SESSION_TOKEN_KEY: Final = "x-session-token"  # noqa: S105 - a key, no token
"""An unguessable text to which images and jobs belong; see `chladni.gateway.v1.ImageService`."""

MAX_REQUEST_ID_LENGTH: Final = 128
MAX_CALLER_ID_LENGTH: Final = 128


def check_identifier(key: str, value: str | bytes, *, max_length: int) -> str:
    """Return the value of a metadata entry that names a request or a caller.

    Args:
        key: Key of the entry, for the error.
        value: What the caller sent; gRPC gives bytes if it is not UTF-8.
        max_length: Largest number of characters.

    Raises:
        InvalidInputError: It holds other characters than printable ASCII, or is too long. HTTP/2 carries such
            values, but a service that passed them on would fail in its own client.
    """
    if isinstance(value, bytes) or not (value.isascii() and value.isprintable()):
        raise _invalid(key, "holds characters other than printable ASCII")
    if len(value) > max_length:
        problem = f"has {len(value)} characters, at most {max_length} are allowed"
        raise _invalid(key, problem, {"value": len(value), "maximum": max_length})
    return value


def _invalid(key: str, what: str, metadata: Mapping[str, MetadataValue] | None = None) -> InvalidInputError:
    return InvalidInputError(
        Reason.INVALID_FIELD, f"The metadata {key} {what}.", field=f"metadata.{key}", metadata=metadata
    )
