"""Checks of request fields; every wrong field of a request is reported together."""

from __future__ import annotations

import math
import re

from chladni_contract.errors import FieldViolation, InvalidFieldsError, Reason


class RequestValidator:
    """The faults of a request, collected.

    Call the checks, then `raise_if_invalid`. A check that fails is recorded, not raised.
    """

    def __init__(self) -> None:
        self._violations: list[FieldViolation] = []
        self._reason: Reason | None = None

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
            f"is {_plain(value)}{unit}, must be from {_plain(minimum)} to {_plain(maximum)}{unit}.",
        )

    def check_pattern(self, field: str, value: str, *, pattern: str, meaning: str) -> None:
        """Require that a whole text matches a pattern; `meaning` describes it in words."""
        if not re.fullmatch(pattern, value):
            self._add(Reason.INVALID_FIELD, field, f"must be {meaning}.")

    def check(self, field: str, *, valid: bool, description: str) -> None:
        """Require any other condition; `description` says what is wrong and what to do."""
        if not valid:
            self._add(Reason.INVALID_FIELD, field, description)

    def raise_if_invalid(self) -> None:
        """Raise InvalidFieldsError if any check failed."""
        if self._reason is not None:
            raise InvalidFieldsError(self._reason, self._violations)

    def _add(self, reason: Reason, field: str, description: str) -> None:
        self._reason = self._reason or reason
        self._violations.append(FieldViolation(field, description))


def _plain(number: float) -> str:
    """Return the decimal digits of a number, without an exponent if there are at most twelve."""
    return f"{number:.12g}"
