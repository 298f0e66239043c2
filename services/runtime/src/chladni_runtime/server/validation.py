"""Checks of request fields; every wrong field of a request is reported together."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from chladni_contract.errors import (
    FieldViolation,
    InvalidFieldsError,
    InvalidInputError,
    MetadataValue,
    Reason,
    plain_text,
)


class RequestValidator:
    """The faults of a request, collected.

    Call the checks, then `raise_if_invalid`. A check that fails is recorded, not raised. The metadata of the
    error are those of the first one that failed.
    """

    def __init__(self) -> None:
        self._violations: list[FieldViolation] = []
        self._reason: Reason | None = None
        self._metadata: Mapping[str, MetadataValue] = {}

    def require(self, field: str, *, present: bool, hint: str) -> None:
        """Require that a field is present; `hint` says what to put there."""
        if not present:
            self._add(Reason.MISSING_FIELD, field, f"is missing; {hint}.")

    def check_range(
        self, field: str, value: float, *, minimum: float, maximum: float, unit: str = ""
    ) -> None:
        """Require minimum <= value <= maximum, which NaN never satisfies."""
        if math.isfinite(value) and minimum <= value <= maximum:
            return
        unit = f" {unit}" if unit else ""
        self._add(
            Reason.INVALID_FIELD,
            field,
            f"is {plain_text(value)}{unit}, must be from {plain_text(minimum)} to "
            f"{plain_text(maximum)}{unit}.",
            {"value": value, "minimum": minimum, "maximum": maximum},
        )

    def check_length(self, field: str, text: str, *, maximum: int) -> None:
        """Require that a text has at most `maximum` characters."""
        if len(text) > maximum:
            self._add(
                Reason.INVALID_FIELD,
                field,
                f"has {len(text)} characters, at most {maximum} are allowed.",
                {"value": len(text), "maximum": maximum},
            )

    def check_pattern(self, field: str, value: str, *, pattern: str, meaning: str) -> None:
        """Require that a whole text matches a pattern; `meaning` describes it in words."""
        if not re.fullmatch(pattern, value):
            self._add(Reason.INVALID_FIELD, field, f"must be {meaning}.")

    def check(
        self,
        field: str,
        *,
        valid: bool,
        description: str,
        metadata: Mapping[str, MetadataValue] | None = None,
    ) -> None:
        """Require any other condition.

        Args:
            field: Path of the field.
            valid: Whether the condition is met.
            description: What is wrong and what to do.
            metadata: The numbers of the description, under keys that INVALID_FIELD declares.
        """
        if not valid:
            self._add(Reason.INVALID_FIELD, field, description, metadata)

    def raise_if_invalid(self) -> None:
        """Raise InvalidFieldsError if any check failed."""
        if self._reason is not None:
            raise InvalidFieldsError(self._reason, self._violations, metadata=self._metadata)

    def _add(
        self,
        reason: Reason,
        field: str,
        description: str,
        metadata: Mapping[str, MetadataValue] | None = None,
    ) -> None:
        if self._reason is None:
            self._reason, self._metadata = reason, metadata or {}
        self._violations.append(FieldViolation(field, description))


def read_first(message: Any, *, field: str) -> Any:
    """Return what the first message of an upload holds, before its content.

    Args:
        message: The message, with a oneof ``payload``; `None` if none came.
        field: The member of the oneof that it must hold.

    Raises:
        InvalidInputError: There is none, or it holds something else.
    """
    if message is None or message.WhichOneof("payload") != field:
        raise InvalidInputError(
            Reason.INVALID_FIELD,
            f"The first message must hold {field}; send it before content.",
            field=field,
        )
    return getattr(message, field)


def read_piece(message: Any, *, field: str, max_bytes: int, alternative: str = "") -> bytes:
    """Return the bytes that a later message of an upload holds.

    Args:
        message: The message, with a oneof ``payload``.
        field: The member of the oneof with the bytes.
        max_bytes: Bytes of a message at most.
        alternative: Another member that it may hold, which the caller has looked at; named in the error.

    Raises:
        InvalidInputError: It holds none, or too many.
    """
    if message.WhichOneof("payload") != field:
        expected = f"{field} or {alternative}" if alternative else field
        raise InvalidInputError(
            Reason.INVALID_FIELD, f"Messages after the first one must hold {expected}.", field=field
        )
    piece: bytes = getattr(message, field)
    if len(piece) > max_bytes:
        raise InvalidInputError(
            Reason.FILE_TOO_LARGE,
            f"{field} holds {len(piece)} bytes, at most {max_bytes} are allowed in a message; send it in "
            "several.",
            field=field,
            metadata={"size_bytes": len(piece), "max_bytes": max_bytes},
        )
    return piece
