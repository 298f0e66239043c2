"""What can go wrong, as exceptions.

    ChladniError                  a reason, a message for people, the stage that failed
    ├── InvalidInputError         the recording, the image, the prompt or a parameter must change
    │   └── ProvenanceError       the file is not a PNG, or carries no provenance
    ├── NotFoundError             no such recipe, model, calibration or image; images expire
    ├── RecipeUnavailableError    the recipe or the model exists, but this server lacks what it needs
    ├── NotAllowedError           the server knows no such token, or it allows something else
    ├── TemporaryError            the same call may succeed later
    │   ├── QueueFullError        too much work waits already
    │   └── UnavailableError      not reachable, still loading, or shutting down
    ├── DeadlineExceededError     no result in time, or none possible in time
    ├── CallCancelledError        the client was closed, or the server cancelled
    ├── NotOfferedError           the server does not implement the call
    ├── NotInstalledError         an optional package, or a library or device that it needs, is missing
    └── FaultError                the server failed; nothing the caller can change

A file that cannot be read raises the `OSError` that Python raises for it.
"""

from __future__ import annotations

import copyreg
from collections.abc import Mapping, Sequence
from typing import Any, Final

from chladni_contract.errors import FieldViolation

_SHOWN: Final = ("reason", "stage", "violations", "retry_after_seconds", "metadata", "request_id")


class ChladniError(Exception):
    """Anything that the client or a server reports; it can be copied and pickled, so that processes share it.

    Args:
        message: One or two sentences for people.
        reason: Stable name: one of `chladni.errors.v1.ErrorReason` without its prefix, such as
            ``AUDIO_TOO_LONG``; where an answer carried none, the name of its gRPC status.
        stage: Stage that failed, such as ``audio_features``; empty if there is none.
        violations: What is wrong with which fields.
        retry_after_seconds: When the server thinks that trying again makes sense; `None` if it did not
            say.
        metadata: Further facts for programs, under the keys that the contract declares for the reason.
        request_id: Identifier of the request in the logs of every service that took part; empty if no server
            was asked.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        stage: str = "",
        violations: Sequence[FieldViolation] = (),
        retry_after_seconds: float | None = None,
        metadata: Mapping[str, str] | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.stage = stage
        self.violations = tuple(violations)
        self.retry_after_seconds = retry_after_seconds
        self.metadata = dict(metadata or {})
        self.request_id = request_id

    def __reduce__(self) -> tuple[Any, ...]:
        # What Exception has would call the class with the message alone.
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        values = ((name, getattr(self, name)) for name in _SHOWN)
        shown = (f"{name}={value!r}" for name, value in values if value not in ("", (), None, {}))
        return f"{type(self).__name__}({', '.join((repr(self.message), *shown))})"


class InvalidInputError(ChladniError):
    """The recording, the image, the prompt or a parameter must change; `violations` says how."""


class ProvenanceError(InvalidInputError):
    """The file is not a PNG, is damaged, or carries no provenance."""


class NotFoundError(ChladniError):
    """No such recipe, model, calibration or image, or the image has expired."""


class RecipeUnavailableError(ChladniError):
    """The recipe or the model exists, but this server lacks what it needs."""


class NotAllowedError(ChladniError):
    """The server wants a token, does not know the one that was sent, or it does not allow this call.

    The reason is UNAUTHENTICATED, with the ``problem`` in `metadata`, or PERMISSION_DENIED, with the
    ``scope`` that the token lacks.
    """


class TemporaryError(ChladniError):
    """The same call may succeed later; the client has tried as often as its retry policy allows."""


class QueueFullError(TemporaryError):
    """Too much work waits at the server already."""


class UnavailableError(TemporaryError):
    """The server, or one behind it, cannot be reached, is still loading or is shutting down."""


class DeadlineExceededError(ChladniError):
    """The result did not come in time.

    If the server saw beforehand that it could not, the reason is DEADLINE_TOO_SHORT, and `metadata` has the
    ``expected_seconds`` and the ``remaining_seconds``.
    """


class CallCancelledError(ChladniError):
    """The client was closed during the call, or the server cancelled it."""


class NotOfferedError(ChladniError):
    """The server does not implement the call."""


class NotInstalledError(ChladniError):
    """An optional package, or a library or device that it needs, is missing here."""


class FaultError(ChladniError):
    """The server failed; nothing the caller can change."""
