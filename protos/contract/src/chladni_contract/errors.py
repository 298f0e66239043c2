"""Errors that callers may see.

    ChladniError                a reason, a message for people, and what else the reason calls for
    ├── InvalidInputError       the caller must change the request
    ├── NotFoundError           no such recipe, model or image
    ├── QueueFullError          too much work waits; try again later
    ├── UnavailableError        not ready, draining, or a dependency is down; try again later
    ├── DeadlineExceededError   the deadline passed
    ├── DeadlineTooShortError   the deadline cannot be met; the work was not begun
    ├── NotOfferedError         this server does not implement the call
    └── FaultError              the service failed; nothing the caller can change

Domain code raises these; `chladni_contract.status` turns them into gRPC statuses and the gateway into
HTTP answers. Any other exception reaches the caller as INTERNAL without its text.

What is fixed for a reason (its statuses, the keys of its metadata) is an option of its value in
`chladni.errors.v1.ErrorReason`, and read from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeAlias

from chladni.errors.v1 import error_reason_options_pb2, error_reason_pb2


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
    DEADLINE_TOO_SHORT = "DEADLINE_TOO_SHORT"
    UNKNOWN_JOB = "UNKNOWN_JOB"
    NO_ALIGNMENT = "NO_ALIGNMENT"
    REQUEST_CONFLICT = "REQUEST_CONFLICT"
    UNKNOWN_NORMAL_SET = "UNKNOWN_NORMAL_SET"
    NORMAL_SET_EXISTS = "NORMAL_SET_EXISTS"
    NORMAL_SETS_FULL = "NORMAL_SETS_FULL"
    PROMPT_REFUSED = "PROMPT_REFUSED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    RATE_LIMITED = "RATE_LIMITED"


class ReasonOptions(NamedTuple):
    """What is fixed for a reason.

    Attributes:
        grpc_code: Number of the status of a gRPC call.
        http_status: Status of an HTTP response.
        metadata_keys: Keys that the metadata may have.
    """

    grpc_code: int
    http_status: int
    metadata_keys: frozenset[str]


def _read_options() -> dict[Reason, ReasonOptions]:
    descriptor: Any = error_reason_pb2.ErrorReason.DESCRIPTOR  # the stubs do not know its options
    common = descriptor.GetOptions().Extensions[error_reason_options_pb2.reasons]
    options = {}
    for reason in Reason:
        value = descriptor.values_by_name[f"ERROR_REASON_{reason.value}"]
        own = value.GetOptions().Extensions[error_reason_options_pb2.reason]
        keys = frozenset((*own.metadata_keys, *common.metadata_keys))
        options[reason] = ReasonOptions(own.grpc_code, own.http_status, keys)
    return options


REASON_OPTIONS: Final[Mapping[Reason, ReasonOptions]] = _read_options()
FIELD_KEY: Final = "field"
"""Key of the first wrong field in the metadata of an error."""


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """What is wrong with one field.

    Attributes:
        field: Path of the field in the request, such as ``conditioning.audio_embedding``.
        description: What is wrong, the limit, and what to do.
    """

    field: str
    description: str


MetadataValue: TypeAlias = str | float
"""A fact for programs; numbers are written in decimal digits."""


def plain_text(value: MetadataValue) -> str:
    """Return a fact as text; a number in decimal digits, without an exponent if at most twelve are enough."""
    if isinstance(value, int):
        return str(value)
    return f"{value:.12g}" if isinstance(value, float) else value


class ChladniError(Exception):
    """An error that a caller may see.

    Args:
        reason: Stable reason.
        message: One or two sentences for people, without paths or internals.
        violations: What is wrong with which fields.
        retry_after_seconds: When trying again makes sense; `None` if it does not.
        metadata: Further facts for programs: every number of the message, under keys that are declared
            for the reason. The first wrong field is added.

    Raises:
        ValueError: A key is not declared for the reason.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        violations: Sequence[FieldViolation] = (),
        retry_after_seconds: float | None = None,
        metadata: Mapping[str, MetadataValue] | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.violations = tuple(violations)
        self.retry_after_seconds = retry_after_seconds
        self.metadata = {key: plain_text(value) for key, value in (metadata or {}).items()}
        if self.violations:
            self.metadata.setdefault(FIELD_KEY, self.violations[0].field)
        undeclared = self.metadata.keys() - REASON_OPTIONS[reason].metadata_keys
        if undeclared:
            raise ValueError(f"{reason} declares no metadata {', '.join(sorted(undeclared))}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how the error is made again in another process, whatever its class is constructed with."""
        return restore_error, (type(self), self.args, self.__dict__)


def restore_error(
    kind: type[ChladniError], args: tuple[Any, ...], attributes: dict[str, Any]
) -> ChladniError:
    """Return an error of a class with its arguments and attributes as they were in another process."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(attributes)
    return error


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
        metadata: Mapping[str, MetadataValue] | None = None,
    ) -> None:
        super().__init__(reason, message, violations=(FieldViolation(field, message),), metadata=metadata)


class InvalidFieldsError(ChladniError):
    """Several fields are wrong; all are reported together.

    Args:
        reason: Stable reason, of the first violation.
        violations: What is wrong with which fields.
        metadata: Further facts for programs about the first violation.
    """

    def __init__(
        self,
        reason: Reason,
        violations: Sequence[FieldViolation],
        *,
        metadata: Mapping[str, MetadataValue] | None = None,
    ) -> None:
        message = " ".join(f"{item.field}: {item.description}" for item in violations)
        super().__init__(reason, message, violations=violations, metadata=metadata)


class NotFoundError(ChladniError):
    """No such recipe, model or image."""


class QueueFullError(ChladniError):
    """Too much work waits already."""

    def __init__(
        self,
        message: str,
        *,
        retry_after_seconds: float,
        metadata: Mapping[str, MetadataValue] | None = None,
    ) -> None:
        super().__init__(
            Reason.QUEUE_FULL, message, retry_after_seconds=retry_after_seconds, metadata=metadata
        )


class UnavailableError(ChladniError):
    """The service, or one that it needs, cannot answer now."""


class DeadlineExceededError(ChladniError):
    """The deadline passed."""

    def __init__(self, message: str, *, metadata: Mapping[str, MetadataValue] | None = None) -> None:
        super().__init__(Reason.DEADLINE_EXCEEDED, message, metadata=metadata)


class DeadlineTooShortError(ChladniError):
    """The work cannot end before the deadline, and was not begun.

    Args:
        message: How long it would take, and what to do.
        expected_seconds: Time that it would take.
        remaining_seconds: Time until the deadline.
        steps: Steps that it consists of.
    """

    def __init__(
        self, message: str, *, expected_seconds: float, remaining_seconds: float, steps: int
    ) -> None:
        super().__init__(
            Reason.DEADLINE_TOO_SHORT,
            message,
            metadata={
                "expected_seconds": round(expected_seconds, 3),
                "remaining_seconds": round(remaining_seconds, 3),
                "steps": steps,
            },
        )


class NotOfferedError(ChladniError):
    """This server does not implement the call."""

    def __init__(self, message: str) -> None:
        super().__init__(Reason.NOT_IMPLEMENTED, message)


class FaultError(ChladniError):
    """The service failed in a way that it knows; nothing the caller can change."""
