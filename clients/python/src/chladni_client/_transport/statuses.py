"""From a gRPC status to an exception.

Servers answer with the rich error model (https://google.aip.dev/193): `ErrorInfo` always, `BadRequest` and
`RetryInfo` where they apply. Proxies and gRPC itself answer with a bare status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import grpc
from google.rpc import error_details_pb2, status_pb2

from chladni_client.errors import (
    CallCancelledError,
    ChladniError,
    DeadlineExceededError,
    FaultError,
    FieldViolation,
    InvalidInputError,
    NotFoundError,
    NotOfferedError,
    QueueFullError,
    RecipeUnavailableError,
    UnavailableError,
)

_ERROR_DOMAIN: Final = "chladni"
_STATUS_DETAILS_KEY: Final = "grpc-status-details-bin"

_ERROR_OF_CODE: Final[Mapping[grpc.StatusCode, type[ChladniError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidInputError,
    grpc.StatusCode.OUT_OF_RANGE: InvalidInputError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.FAILED_PRECONDITION: RecipeUnavailableError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: QueueFullError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceededError,
    grpc.StatusCode.CANCELLED: CallCancelledError,
    grpc.StatusCode.UNIMPLEMENTED: NotOfferedError,
}

_ERROR_OF_REASON: Final[Mapping[str, type[ChladniError]]] = {
    "OUT_OF_MEMORY": FaultError,  # its status is that of a full queue, but waiting does not help
    "IMAGE_WITHHELD": InvalidInputError,  # its status is that of a missing model, but another seed may pass
}


@contextmanager
def translated_errors(target: str) -> Iterator[None]:
    """Turns what gRPC raises into `ChladniError`; cancellation of the own task passes unchanged.

    Args:
        target: Where the call goes, for messages.
    """
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise _from_rpc_error(error, target) from None
    except grpc.aio.UsageError as error:
        raise _closed(target) from error
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # gRPC raises CancelledError also where somebody closed the channel under the call.
        raise _closed(target) from None


def _closed(target: str) -> CallCancelledError:
    return CallCancelledError(f"The client for {target} was closed during the call.", reason="CANCELLED")


def _from_rpc_error(error: grpc.aio.AioRpcError, target: str) -> ChladniError:
    metadata: Any = error.trailing_metadata() or ()  # the stubs do not know that it is iterable
    details = dict(metadata).get(_STATUS_DETAILS_KEY)
    if isinstance(details, bytes):
        rich = _from_rich_status(error.code(), status_pb2.Status.FromString(details))
        if rich is not None:
            return rich
    return _from_bare_status(error.code(), error.details() or "", target)


def _from_rich_status(code: grpc.StatusCode, status: status_pb2.Status) -> ChladniError | None:
    info: error_details_pb2.ErrorInfo | None = None
    violations: list[FieldViolation] = []
    retry_after_seconds: float | None = None
    for detail in status.details:
        for message in (
            error_details_pb2.ErrorInfo(),
            error_details_pb2.BadRequest(),
            error_details_pb2.RetryInfo(),
        ):
            if not detail.Unpack(message):
                continue
            if isinstance(message, error_details_pb2.ErrorInfo):
                info = message
            elif isinstance(message, error_details_pb2.BadRequest):
                violations = [
                    FieldViolation(item.field, item.description) for item in message.field_violations
                ]
            else:
                retry_after_seconds = message.retry_delay.ToMilliseconds() / 1000
    if info is None or info.domain != _ERROR_DOMAIN:
        return None
    error_class = _ERROR_OF_REASON.get(info.reason) or _ERROR_OF_CODE.get(code, FaultError)
    return error_class(
        status.message,
        reason=info.reason,
        stage=info.metadata.get("stage", ""),
        violations=violations,
        retry_after_seconds=retry_after_seconds,
        metadata=dict(info.metadata),
    )


def _from_bare_status(code: grpc.StatusCode, details: str, target: str) -> ChladniError:
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in details:
        return InvalidInputError("The file is larger than the server accepts.", reason="FILE_TOO_LARGE")
    error_class = _ERROR_OF_CODE.get(code, FaultError)
    message = {
        grpc.StatusCode.UNAVAILABLE: f"The server at {target} cannot be reached or closed the connection.",
        grpc.StatusCode.DEADLINE_EXCEEDED: f"The server at {target} gave no result in time.",
        grpc.StatusCode.UNIMPLEMENTED: f"The server at {target} does not offer this call.",
        grpc.StatusCode.RESOURCE_EXHAUSTED: f"The server at {target} has too much to do.",
    }.get(code, f"The call to {target} failed with {code.name}: {details or 'no explanation given'}.")
    return error_class(message, reason=code.name, metadata={"details": details})
