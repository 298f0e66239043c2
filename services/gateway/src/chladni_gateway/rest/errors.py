"""Errors as HTTP responses: every one has the same body and names its stage."""

from __future__ import annotations

import logging
import math
import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from chladni_contract.errors import FIELD_KEY, ChladniError, FieldViolation, InvalidFieldsError, Reason
from chladni_contract.status import WIRE_STATUS
from chladni_gateway.domain.stages import PART_KEY, STAGE_KEY, Stage
from chladni_gateway.rest.schemas import ErrorBody, ErrorDetail, ViolationBody

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI, Request

_NO_STAGE: Final = "gateway"
_MISSING: Final = "missing"
_OPTIONS: Final = "options."
"""Where image generation has what the REST API and the domain call by its name alone."""

# The REST API has names of its own for these fields of the gRPC contract.
_REST_NAMES: Final = {
    "audio.content": "file",
    "content": "file",
    "audio.display_name": "file name",
    "audio.start": "start_seconds",
    "audio.end": "end_seconds",
    "audio": "file",
    "encoding.format": "format",
    "encoding.quality": "quality",
    "options.encoding.format": "format",
    "options.encoding.quality": "quality",
    "webhook.url": "webhook_url",
    "webhook.secret": "webhook_secret",
}
_GRPC_NAME: Final = re.compile(r"\b(audio\.(?:content|display_name|start|end))\b")

_log = logging.getLogger(__name__)


def install_error_handlers(app: FastAPI) -> None:
    """Make an application answer every error with the body of this module."""
    app.add_exception_handler(ChladniError, _answer_chladni_error)
    app.add_exception_handler(RequestValidationError, _answer_validation_error)
    app.add_exception_handler(HTTPException, _answer_http_exception)


def error_response(error: ChladniError) -> JSONResponse:
    """Return the response to a request that failed."""
    headers = {}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_seconds)))
    if challenge := _challenge(error):
        headers["WWW-Authenticate"] = challenge
    return JSONResponse(error_body(error), status_code=WIRE_STATUS[error.reason].http, headers=headers)


def _challenge(error: ChladniError) -> str:
    """Return the header WWW-Authenticate as RFC 6750 has it; empty if the error is of another kind."""
    if error.reason is Reason.PERMISSION_DENIED:
        scope = error.metadata.get("scope", "")
        return f'Bearer realm="chladni", error="insufficient_scope", scope="{scope}"'
    if error.reason is not Reason.UNAUTHENTICATED:
        return ""
    if error.metadata.get("problem") == "missing":
        return 'Bearer realm="chladni"'
    return f'Bearer realm="chladni", error="invalid_token", error_description="{error.message}"'


def error_body(error: ChladniError) -> dict[str, Any]:
    """Return the body of an error: ``{"error": {code, message, stage, timestamp, ...}}``.

    If the recipe has several parts, the error names its `part` too.
    """
    if error.reason is Reason.INTERNAL:
        _log.error("a request failed", exc_info=error, extra={"reason": error.reason.value})
    return ErrorBody(error=error_detail(error)).model_dump(mode="json")


def error_detail(error: ChladniError, *, at: datetime | None = None) -> ErrorDetail:
    """Return what callers see of an error.

    Args:
        error: The error.
        at: When it happened; `None` for now.
    """
    status = WIRE_STATUS[error.reason].http
    default_stage = _NO_STAGE if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Stage.VALIDATION.value
    stage = error.metadata.get(STAGE_KEY, default_stage)
    return _detail(error.reason.value, _message_of(error), stage, at, cause=error)


def plain_error_response(
    status: HTTPStatus, *, code: str, message: str, stage: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return the response for an error that only the REST API has.

    Args:
        status: HTTP status.
        code: Reason for programs.
        message: What is wrong and what to do, for people.
        stage: Stage that failed.
        headers: Further headers.
    """
    body = ErrorBody(error=_detail(code, message, stage, None))
    return JSONResponse(body.model_dump(mode="json"), status_code=status, headers=headers)


def internal_error() -> ChladniError:
    """Return what callers see of an unexpected exception."""
    return ChladniError(
        Reason.INTERNAL, "The service failed unexpectedly. The operator's log has the details."
    )


def _detail(
    code: str, message: str, stage: str, at: datetime | None, *, cause: ChladniError | None = None
) -> ErrorDetail:
    metadata = dict(cause.metadata) if cause else {}
    if FIELD_KEY in metadata:
        metadata[FIELD_KEY] = _rest_name(metadata[FIELD_KEY])
    return ErrorDetail(
        code=code,
        message=message,
        stage=stage,
        timestamp=(at or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        part=metadata.get(PART_KEY),
        reason=code,
        metadata={STAGE_KEY: stage} | metadata,
        violations=[
            ViolationBody(
                field=_rest_name(item.field), description=_in_rest_names(item.description, item.field)
            )
            for item in (cause.violations if cause else ())
        ],
    )


def _rest_name(field: str) -> str:
    return _REST_NAMES.get(field, field).removeprefix(_OPTIONS)


def _in_rest_names(text: str, field: str) -> str:
    text = text.replace(field, _rest_name(field))
    return _GRPC_NAME.sub(lambda match: _REST_NAMES[match[0]], text)


def _message_of(error: ChladniError) -> str:
    """Return the message, with every wrong field named as the REST API names it."""
    if not error.violations:
        return error.message
    return " ".join(_describe(violation) for violation in error.violations)


def _describe(violation: FieldViolation) -> str:
    name = _rest_name(violation.field)
    text = _in_rest_names(violation.description, violation.field)
    return text if text.startswith(name) else f"{name}: {text}"


async def _answer_chladni_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ChladniError)  # noqa: S101 - registered for nothing else
    return error_response(error)


async def _answer_validation_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
    faults = error.errors()
    is_missing = any(fault["type"] == _MISSING for fault in faults)
    reason = Reason.MISSING_FIELD if is_missing else Reason.INVALID_FIELD
    return error_response(InvalidFieldsError(reason, [_to_violation(fault) for fault in faults]))


async def _answer_http_exception(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    status = HTTPStatus(error.status_code)
    return plain_error_response(
        status,
        code=status.name,
        message=_HTTP_MESSAGES.get(status, f"{status.phrase}."),
        stage=Stage.VALIDATION.value,
        headers=error.headers,
    )


def _to_violation(fault: Mapping[str, Any]) -> FieldViolation:
    # The first part of a location says where the field is; the name follows, or nothing for the whole body.
    name = ".".join(str(part) for part in fault["loc"][1:] if isinstance(part, str))
    if not name:
        return FieldViolation("body", "must be a JSON object, sent with Content-Type: application/json.")
    description = "is missing." if fault["type"] == _MISSING else f"{fault['msg']}."
    return FieldViolation(name, description)


_HTTP_MESSAGES: Final = {
    HTTPStatus.NOT_FOUND: "There is nothing at this address. GET /api/v1/openapi.json lists all addresses.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take this method. "
    "GET /api/v1/openapi.json lists the methods of each address.",
}
