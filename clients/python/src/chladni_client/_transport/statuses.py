"""From a gRPC status to an exception.

Servers answer with the rich error model (https://google.aip.dev/193): `ErrorInfo` always, `BadRequest` and
`RetryInfo` if they apply. Proxies and gRPC itself answer with a bare status.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import grpc

from chladni_client.errors import (
    CallCancelledError,
    ChladniError,
    DeadlineExceededError,
    FaultError,
    InvalidInputError,
    NotAllowedError,
    NotFoundError,
    NotOfferedError,
    QueueFullError,
    RecipeUnavailableError,
    UnavailableError,
)
from chladni_contract.errors import Reason
from chladni_contract.metadata import REQUEST_ID_KEY
from chladni_contract.status import parse_details, rich_status_of

_ERROR_OF_CODE: Final[Mapping[grpc.StatusCode, type[ChladniError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidInputError,
    grpc.StatusCode.OUT_OF_RANGE: InvalidInputError,
    grpc.StatusCode.ALREADY_EXISTS: InvalidInputError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.FAILED_PRECONDITION: RecipeUnavailableError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: QueueFullError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceededError,
    grpc.StatusCode.CANCELLED: CallCancelledError,
    grpc.StatusCode.UNIMPLEMENTED: NotOfferedError,
    grpc.StatusCode.UNAUTHENTICATED: NotAllowedError,
    grpc.StatusCode.PERMISSION_DENIED: NotAllowedError,
}

_ERROR_OF_REASON: Final[Mapping[str, type[ChladniError]]] = {
    Reason.OUT_OF_MEMORY: FaultError,  # has the status of a full queue, but waiting does not help
    Reason.COLLECTION_FULL: InvalidInputError,  # likewise; the caller must make room
    Reason.IMAGE_WITHHELD: InvalidInputError,  # has the status of a missing model, but another seed may pass
}

_PAGE: Final = re.compile("Failed parsing HTTP/2|http1|HTTP/1|header with status: 4", re.IGNORECASE)
"""What gRPC says of a server that answers in HTTP/1."""
_GRPC_PORT: Final = 50050

_UNHEALTHY: Final = "backend unhealthy"
"""What gRPC says of a server that it reaches, and whose health service says that it does not serve."""


@contextmanager
def translated_errors(target: str, request_id: str = "") -> Iterator[None]:
    """Turn what gRPC raises into `ChladniError`; cancellation of the own task passes unchanged.

    Args:
        target: Where the call goes, for messages.
        request_id: Identifier that the call sends, unless the server answers with another one.
    """
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise _from_rpc_error(error, target, request_id) from None
    except grpc.aio.UsageError as error:
        raise _closed(target, request_id) from error
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # gRPC raises CancelledError also if the client closed the channel under the call.
        raise _closed(target, request_id) from None


def error_class_of(reason: str, grpc_code: int) -> type[ChladniError]:
    """Return the kind of error that a reason and the number of a gRPC status code mean."""
    of_code = {code.value[0]: error_class for code, error_class in _ERROR_OF_CODE.items()}
    return _ERROR_OF_REASON.get(reason) or of_code.get(grpc_code, FaultError)


def _closed(target: str, request_id: str) -> CallCancelledError:
    return CallCancelledError(
        f"The client for {target} was closed during the call.", reason="CANCELLED", request_id=request_id
    )


def _from_rpc_error(error: grpc.aio.AioRpcError, target: str, request_id: str) -> ChladniError:
    request_id = _request_id_in(error) or request_id
    status = rich_status_of(error)
    details = parse_details(status) if status is not None else None
    if status is None or details is None or not details.reason:
        return _from_bare_status(error.code(), error.details() or "", target, request_id)
    error_class = error_class_of(details.reason, error.code().value[0])
    return error_class(
        status.message,
        reason=details.reason,
        stage=details.metadata.get("stage", ""),
        violations=details.violations,
        retry_after_seconds=details.retry_after_seconds,
        metadata=details.metadata,
        request_id=details.request_id or request_id,
    )


def _request_id_in(error: grpc.aio.AioRpcError) -> str:
    """Return the identifier that the server sent back with an error; empty if there is none."""
    for metadata in (error.trailing_metadata(), error.initial_metadata()):
        entries: Any = metadata or ()  # the stubs do not know that it is iterable
        for key, value in entries:
            if key == REQUEST_ID_KEY and isinstance(value, str):
                return value
    return ""


def _from_bare_status(code: grpc.StatusCode, details: str, target: str, request_id: str) -> ChladniError:
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in details:
        message = (
            "The file is larger than the server accepts; shorten it or use a compressed format, or choose a "
            "part of it (start_seconds and end_seconds, --from and --to)."
        )
        return InvalidInputError(message, reason="FILE_TOO_LARGE", request_id=request_id)
    if code is grpc.StatusCode.UNAVAILABLE and _UNHEALTHY in details:
        message = f"The server at {target} is starting or shutting down."
        return UnavailableError(message, reason="NOT_SERVING", request_id=request_id)
    if _PAGE.search(details):
        message = (
            f"The server at {target} speaks no gRPC: it may be that of the web page. gRPC has a port of its "
            f"own ({_GRPC_PORT} by default)."
        )
        return UnavailableError(message, reason="NOT_GRPC", request_id=request_id)
    error_class = _ERROR_OF_CODE.get(code, FaultError)
    message = {
        grpc.StatusCode.UNAVAILABLE: f"The server at {target} cannot be reached or closed the connection.",
        grpc.StatusCode.DEADLINE_EXCEEDED: f"The server at {target} gave no result in time.",
        grpc.StatusCode.UNIMPLEMENTED: f"The server at {target} does not offer this call.",
        grpc.StatusCode.RESOURCE_EXHAUSTED: f"The server at {target} has too much to do.",
    }.get(code, f"The call to {target} failed with {code.name}: {details or 'no explanation given'}.")
    return error_class(message, reason=code.name, metadata={"details": details}, request_id=request_id)
