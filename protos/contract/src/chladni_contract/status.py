"""Errors on the wire: the statuses of reasons, which the contract fixes, and both directions of gRPC.

The rich error model is https://google.aip.dev/193: a `google.rpc.Status` in the trailing metadata
with `ErrorInfo` always, and `BadRequest` and `RetryInfo` if they apply.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import grpc
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2

from chladni_contract.errors import REASON_OPTIONS, ChladniError, FieldViolation, Reason
from chladni_contract.metadata import REQUEST_ID_KEY

ERROR_DOMAIN: Final = "chladni"
STATUS_DETAILS_KEY: Final = "grpc-status-details-bin"
RETRY_PUSHBACK_KEY: Final = "grpc-retry-pushback-ms"
NO_RETRY: Final = "-1"
"""Value of `RETRY_PUSHBACK_KEY` with which gRPC's own retries never come."""


class WireStatus(NamedTuple):
    """The statuses of a reason."""

    grpc: grpc.StatusCode
    http: int


class StatusDetails(NamedTuple):
    """What the details of a rich status say.

    Attributes:
        reason: Reason by its name, which may be newer than this version; empty if the status is not one of
            Chladni.
        metadata: Further facts for programs.
        violations: What is wrong with which fields.
        retry_after_seconds: When trying again makes sense; `None` if the status does not say.
        request_id: Identifier of the request in the logs of every service; empty if the status does not say.
    """

    reason: str
    metadata: Mapping[str, str]
    violations: tuple[FieldViolation, ...]
    retry_after_seconds: float | None
    request_id: str


_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}

WIRE_STATUS: Final[Mapping[Reason, WireStatus]] = {
    reason: WireStatus(_CODES[options.grpc_code], options.http_status)
    for reason, options in REASON_OPTIONS.items()
}

_REASON_OF_BARE_CODE: Final[Mapping[grpc.StatusCode, Reason]] = {
    grpc.StatusCode.INVALID_ARGUMENT: Reason.INVALID_FIELD,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Reason.QUEUE_FULL,
    grpc.StatusCode.DEADLINE_EXCEEDED: Reason.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED: Reason.CANCELLED,
    grpc.StatusCode.UNAVAILABLE: Reason.BACKEND_UNAVAILABLE,
    grpc.StatusCode.UNIMPLEMENTED: Reason.NOT_IMPLEMENTED,
}


def to_status(error: ChladniError, *, request_id: str = "") -> status_pb2.Status:
    """Return the rich status of an error; with the request's identifier if that is known."""
    status = status_pb2.Status(code=WIRE_STATUS[error.reason].grpc.value[0], message=error.message)
    status.details.add().Pack(
        error_details_pb2.ErrorInfo(reason=error.reason.value, domain=ERROR_DOMAIN, metadata=error.metadata)
    )
    if error.violations:
        bad_request = error_details_pb2.BadRequest()
        for violation in error.violations:
            bad_request.field_violations.add(field=violation.field, description=violation.description)
        status.details.add().Pack(bad_request)
    if error.retry_after_seconds is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(error.retry_after_seconds * 1000))
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    if request_id:
        status.details.add().Pack(error_details_pb2.RequestInfo(request_id=request_id))
    return status


def trailing_metadata(
    error: ChladniError, *, request_id: str = "", remaining_seconds: float | None = None
) -> tuple[tuple[str, str | bytes], ...]:
    """Return the trailing metadata that carries the rich status of an error.

    Whatever has the status of a full queue also says when the retries of gRPC itself come, in every
    language (https://github.com/grpc/proposal/blob/master/A6-client-retries.md): after the delay of a full
    queue; never, if the call would not live until then, or if waiting does not help. Other errors do not say
    it: a replica that is still loading should not hold back a retry that another replica will answer.

    Args:
        error: The error.
        request_id: Identifier of the request; empty if it is not known.
        remaining_seconds: Time until the deadline of the call; `None` if it has none.
    """
    entries: list[tuple[str, str | bytes]] = [
        (STATUS_DETAILS_KEY, to_status(error, request_id=request_id).SerializeToString())
    ]
    if request_id:
        entries.append((REQUEST_ID_KEY, request_id))
    if WIRE_STATUS[error.reason].grpc is grpc.StatusCode.RESOURCE_EXHAUSTED:
        entries.append((RETRY_PUSHBACK_KEY, _pushback(error, remaining_seconds)))
    return tuple(entries)


def _pushback(error: ChladniError, remaining_seconds: float | None) -> str:
    delay_seconds = error.retry_after_seconds
    if error.reason is not Reason.QUEUE_FULL or delay_seconds is None:
        return NO_RETRY
    if remaining_seconds is not None and delay_seconds >= remaining_seconds:
        return NO_RETRY
    # After a delay of 0 the core of gRPC for Python and C++ starts no attempt and waits for the deadline.
    return str(max(1, round(delay_seconds * 1000)))


def from_rpc_error(error: grpc.aio.AioRpcError) -> ChladniError:
    """Return the error that a service answered with, as the service raised it.

    A status without details, from a proxy or from gRPC itself, gets the reason that its code suggests.
    """
    status = rich_status_of(error)
    if status is not None:
        return from_status(status)
    reason = _REASON_OF_BARE_CODE.get(error.code(), Reason.INTERNAL)
    message = error.details() or f"The call failed with {error.code().name}."
    return ChladniError(reason, message)


def from_status(status: status_pb2.Status) -> ChladniError:
    """Return the error that a rich status carries; a reason that is not known here becomes INTERNAL."""
    details = parse_details(status)
    is_known = details.reason in set(Reason)
    error = ChladniError(
        Reason(details.reason) if is_known else Reason.INTERNAL,
        status.message,
        violations=details.violations,
        retry_after_seconds=details.retry_after_seconds,
    )
    if is_known:  # The sender may be of a later version, with keys that are not declared here.
        error.metadata = dict(details.metadata)
    return error


def rich_status_of(error: grpc.aio.AioRpcError) -> status_pb2.Status | None:
    """Return the rich status in the trailing metadata of a failed call; `None` if there is none."""
    metadata: Any = error.trailing_metadata() or ()  # the stubs do not know that it is iterable
    content = dict(metadata).get(STATUS_DETAILS_KEY)
    return status_pb2.Status.FromString(content) if isinstance(content, bytes) else None


def parse_details(status: status_pb2.Status) -> StatusDetails:
    """Return the details of a rich status."""
    reason = ""
    metadata: dict[str, str] = {}
    violations: tuple[FieldViolation, ...] = ()
    retry_after_seconds: float | None = None
    request_id = ""
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        bad_request = error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        request = error_details_pb2.RequestInfo()
        if detail.Unpack(info):
            if info.domain == ERROR_DOMAIN:
                reason, metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(bad_request):
            violations = tuple(
                FieldViolation(item.field, item.description) for item in bad_request.field_violations
            )
        elif detail.Unpack(retry):
            retry_after_seconds = retry.retry_delay.ToMilliseconds() / 1000
        elif detail.Unpack(request):
            request_id = request.request_id
    return StatusDetails(reason, metadata, violations, retry_after_seconds, request_id)
