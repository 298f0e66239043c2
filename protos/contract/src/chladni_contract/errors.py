"""Errors that callers may see.

    ChladniError                a reason, a message for people, and what else the reason calls for
    ├── InvalidInputError       the caller must change the request
    ├── NotFoundError           no such recipe, model or image
    ├── QueueFullError          too much work waits; try again later
    ├── UnavailableError        not ready, draining, or a dependency is down; try again later
    ├── DeadlineExceededError   the deadline passed or cannot be met
    ├── NotOfferedError         this server does not implement the call
    └── FaultError              the service failed; nothing the caller can change

Domain code raises these; `chladni_contract.status` turns them into gRPC statuses and the gateway into
HTTP answers. Any other exception reaches the caller as INTERNAL without its text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Stable reasons, one for each value of `chladni.errors.v1.ErrorReason` without its prefix."""

    MISSING_FIELD = "MISSING_FIELD"
    INVALID_FIELD = "INVALID_FIELD"
    UNSUPPORTED_AUDIO_FORMAT = "UNSUPPORTED_AUDIO_FORMAT"
    EMPTY_AUDIO = "EMPTY_AUDIO"
    CORRUPT_AUDIO = "CORRUPT_AUDIO"
    AUDIO_TOO_SHORT = "AUDIO_TOO_SHORT"
    AUDIO_TOO_LONG = "AUDIO_TOO_LONG"
    FILE_TOO_LARGE = "FILE_TOO_LARGE"
    UNSUPPORTED_AUDIO_LAYOUT = "UNSUPPORTED_AUDIO_LAYOUT"
    NON_FINITE_AUDIO = "NON_FINITE_AUDIO"
    INVALID_IMAGE = "INVALID_IMAGE"
    UNKNOWN_RECIPE = "UNKNOWN_RECIPE"
    UNKNOWN_MODEL = "UNKNOWN_MODEL"
    UNKNOWN_IMAGE = "UNKNOWN_IMAGE"
    QUEUE_FULL = "QUEUE_FULL"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    CANCELLED = "CANCELLED"
    MODEL_NOT_READY = "MODEL_NOT_READY"
    BACKEND_UNAVAILABLE = "BACKEND_UNAVAILABLE"
    DRAINING = "DRAINING"
    NOT_IMPLEMENTED = "NOT_IMPLEMENTED"
    NON_FINITE_OUTPUT = "NON_FINITE_OUTPUT"
    STORAGE_UNAVAILABLE = "STORAGE_UNAVAILABLE"
    INTERNAL = "INTERNAL"
    RECIPE_UNAVAILABLE = "RECIPE_UNAVAILABLE"
    UNKNOWN_COLLECTION = "UNKNOWN_COLLECTION"
    COLLECTION_FULL = "COLLECTION_FULL"
    COLLECTION_OUTDATED = "COLLECTION_OUTDATED"
    MODEL_UNAVAILABLE = "MODEL_UNAVAILABLE"
    IMAGE_WITHHELD = "IMAGE_WITHHELD"
    UNKNOWN_CALIBRATION = "UNKNOWN_CALIBRATION"
    UNREADABLE_MESSAGE = "UNREADABLE_MESSAGE"
    MESSAGE_TOO_LARGE = "MESSAGE_TOO_LARGE"
    WRONG_MESSAGE_COUNT = "WRONG_MESSAGE_COUNT"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """What is wrong with one field.

    Attributes:
        field: Path of the field in the request, such as ``conditioning.audio_embedding``.
        description: What is wrong, the limit, and what to do.
    """

    field: str
    description: str


class ChladniError(Exception):
    """An error that a caller may see.

    Args:
        reason: Stable reason.
        message: One or two sentences for people, without paths or internals.
        violations: What is wrong with which fields.
        retry_after_seconds: When trying again makes sense; `None` if it does not.
        metadata: Further facts for programs, such as the stage that failed.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        violations: Sequence[FieldViolation] = (),
        retry_after_seconds: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.violations = tuple(violations)
        self.retry_after_seconds = retry_after_seconds
        self.metadata = dict(metadata or {})


class InvalidInputError(ChladniError):
    """The caller must change the request.

    Args:
        reason: Stable reason.
        message: What is wrong, the limit, and what to do.
        field: Path of the field that is wrong.
        metadata: Further facts for programs.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        field: str,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(reason, message, violations=(FieldViolation(field, message),), metadata=metadata)


class InvalidFieldsError(ChladniError):
    """Several fields are wrong; all are reported together."""

    def __init__(self, reason: Reason, violations: Sequence[FieldViolation]) -> None:
        message = " ".join(f"{item.field}: {item.description}" for item in violations)
        super().__init__(reason, message, violations=violations)


class NotFoundError(ChladniError):
    """No such recipe, model or image."""


class QueueFullError(ChladniError):
    """Too much work waits already."""

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(Reason.QUEUE_FULL, message, retry_after_seconds=retry_after_seconds)


class UnavailableError(ChladniError):
    """The service, or one that it needs, cannot answer now."""


class DeadlineExceededError(ChladniError):
    """The deadline passed, or the work cannot end before it."""

    def __init__(self, message: str) -> None:
        super().__init__(Reason.DEADLINE_EXCEEDED, message)


class NotOfferedError(ChladniError):
    """This server does not implement the call."""

    def __init__(self, message: str) -> None:
        super().__init__(Reason.NOT_IMPLEMENTED, message)


class FaultError(ChladniError):
    """The service failed in a way that it knows; nothing the caller can change."""
