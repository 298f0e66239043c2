"""The errors that operations answer with, for the OpenAPI document; their statuses are those of reasons."""

from __future__ import annotations

from collections import defaultdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from chladni_contract.errors import Reason
from chladni_contract.status import WIRE_STATUS
from chladni_gateway.rest.openapi import error_example
from chladni_gateway.rest.schemas import ErrorBody

if TYPE_CHECKING:
    from collections.abc import Iterable

_SCHEMAS: Final = "#/components/schemas/"
_ERROR_SCHEMA: Final = {"$ref": f"{_SCHEMAS}{ErrorBody.__name__}"}
_FORBIDDEN_ORIGIN: Final = "FORBIDDEN_ORIGIN"
_FORBIDDEN_HOST: Final = "FORBIDDEN_HOST"
_REST_ONLY: Final = {
    _FORBIDDEN_ORIGIN: HTTPStatus.FORBIDDEN,
    _FORBIDDEN_HOST: HTTPStatus.MISDIRECTED_REQUEST,
}
_EVERYWHERE: Final = frozenset(
    {
        Reason.INTERNAL,
        Reason.UNAUTHENTICATED,
        Reason.PERMISSION_DENIED,
        _FORBIDDEN_ORIGIN,
        _FORBIDDEN_HOST,
    }
)
OF_AN_IMAGE: Final = frozenset({Reason.INVALID_FIELD, Reason.UNKNOWN_IMAGE, Reason.STORAGE_UNAVAILABLE})
"""Errors of operations on a stored image."""
OF_A_JOB: Final = frozenset({Reason.INVALID_FIELD, Reason.UNKNOWN_JOB})
"""Errors of operations on a job."""
OF_A_BODY: Final = frozenset(
    {
        Reason.INVALID_FIELD,
        Reason.MISSING_FIELD,
        Reason.MESSAGE_TOO_LARGE,
        Reason.DEADLINE_EXCEEDED,
        Reason.RATE_LIMITED,
    }
)
"""Errors of a body in JSON."""
OF_AN_UPLOAD: Final = frozenset(
    {
        Reason.INVALID_FIELD,
        Reason.MISSING_FIELD,
        Reason.EMPTY_AUDIO,
        Reason.FILE_TOO_LARGE,
        Reason.QUEUE_FULL,
        Reason.DEADLINE_EXCEEDED,
        Reason.RATE_LIMITED,
    }
)
"""Errors of a form with a recording, before a service gets it."""
OF_A_SERVICE: Final = frozenset(
    {
        Reason.INVALID_FIELD,
        Reason.UNKNOWN_MODEL,
        Reason.MODEL_NOT_READY,
        Reason.MODEL_UNAVAILABLE,
        Reason.BACKEND_UNAVAILABLE,
        Reason.DRAINING,
        Reason.QUEUE_FULL,
        Reason.OUT_OF_MEMORY,
        Reason.MESSAGE_TOO_LARGE,
        Reason.DEADLINE_EXCEEDED,
        Reason.NOT_IMPLEMENTED,
    }
)
"""Errors of the services behind the gateway."""
OF_THE_AUDIO: Final = frozenset(
    {
        Reason.UNSUPPORTED_AUDIO_FORMAT,
        Reason.EMPTY_AUDIO,
        Reason.CORRUPT_AUDIO,
        Reason.AUDIO_TOO_SHORT,
        Reason.AUDIO_TOO_LONG,
        Reason.UNSUPPORTED_AUDIO_LAYOUT,
        Reason.NON_FINITE_AUDIO,
    }
)
"""Errors of audio that cannot be analysed."""
OF_A_REQUEST: Final = frozenset({Reason.UNKNOWN_RECIPE, Reason.REQUEST_CONFLICT})
"""Errors of a request for an image, before the work begins."""
OF_A_CREATION: Final = (
    OF_A_REQUEST
    | OF_A_SERVICE
    | OF_THE_AUDIO
    | {
        Reason.RECIPE_UNAVAILABLE,
        Reason.UNKNOWN_CALIBRATION,
        Reason.DEADLINE_TOO_SHORT,
        Reason.NON_FINITE_OUTPUT,
        Reason.IMAGE_WITHHELD,
        Reason.STORAGE_UNAVAILABLE,
    }
)
"""Errors of the creation of an image."""


def error_responses(*codes: Iterable[str]) -> dict[int | str, dict[str, Any]]:
    """Return the answers of an operation that fails, by their statuses.

    They name the schema of their body instead of its model: FastAPI would build a validator for each of them.

    Args:
        codes: Codes of its errors; those of every operation are added.
    """
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in sorted(_EVERYWHERE.union(*codes)):
        by_status[_status_of(code)].append(str(code))
    return {
        status: {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(names)}.",
            "content": {"application/json": {"schema": _ERROR_SCHEMA, "example": error_example(names[0])}},
        }
        for status, names in sorted(by_status.items())
    }


def error_schemas() -> dict[str, Any]:
    """Return the schemas of the body of errors and of its parts, by name."""
    schema = ErrorBody.model_json_schema(mode="serialization", ref_template=_SCHEMAS + "{model}")
    schemas = {**schema.pop("$defs"), ErrorBody.__name__: schema}
    for field in (field for part in schemas.values() for field in part["properties"].values()):
        if field.get("default", "") is None:
            del field["default"]  # FastAPI describes its own models so.
    return schemas


def _status_of(code: str) -> int:
    return WIRE_STATUS[code].http if isinstance(code, Reason) else _REST_ONLY[code]
