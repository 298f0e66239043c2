"""Checks of request fields; every wrong field of a request is reported together."""

import math
import re

from chladni_contract.errors import FieldViolation, InvalidFieldsError, Reason


class RequestValidator:
    """Collects what is wrong with a request.

    Use: call the checks, then `raise_if_invalid`. A check that fails is remembered, not raised.
    """

    def __init__(self) -> None:
        self._violations: list[FieldViolation] = []
        self._reason: Reason | None = None

    def require(self, field: str, *, present: bool, hint: str) -> None:
        """Demands that a field is present; `hint` says what to put there."""
        if not present:
            self._add(Reason.MISSING_FIELD, field, f"is missing; {hint}.")

    def check_range(
        self, field: str, value: float, *, minimum: float, maximum: float, unit: str = ""
    ) -> None:
        """Demands minimum <= value <= maximum, which NaN never satisfies."""
        if math.isfinite(value) and minimum <= value <= maximum:
            return
        unit = f" {unit}" if unit else ""
        self._add(
            Reason.INVALID_FIELD,
            field,
            f"is {_plain(value)}{unit}, must be from {_plain(minimum)} to {_plain(maximum)}{unit}.",
        )

    def check_pattern(self, field: str, value: str, *, pattern: str, meaning: str) -> None:
        """Demands that all of a text matches a pattern, which `meaning` tells in words."""
        if not re.fullmatch(pattern, value):
            self._add(Reason.INVALID_FIELD, field, f"must be {meaning}.")

    def check(self, field: str, *, valid: bool, description: str) -> None:
        """Demands anything else; `description` says what is wrong and what to do."""
        if not valid:
            self._add(Reason.INVALID_FIELD, field, description)

    def raise_if_invalid(self) -> None:
        """Raises InvalidFieldsError if any check failed."""
        if self._reason is not None:
            raise InvalidFieldsError(self._reason, self._violations)

    def _add(self, reason: Reason, field: str, description: str) -> None:
        self._reason = self._reason or reason
        self._violations.append(FieldViolation(field, description))


def _plain(number: float) -> str:
    """Returns a number without an exponent where it has at most twelve digits."""
    return f"{number:.12g}"
