"""Uploads: a recording and text fields, as a Pydantic model that is checked and documented in one place."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    ValidationError,
    WithJsonSchema,
)

from chladni_contract.errors import (
    DeadlineExceededError,
    FieldViolation,
    InvalidFieldsError,
    InvalidInputError,
    Reason,
)
from chladni_gateway.domain.audio import AudioClip
from chladni_gateway.domain.request import clip_too_large
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.rest.middleware.body_limit import read_body
from chladni_gateway.rest.multipart import FieldRule, FormField, read_form

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from enum import StrEnum

    from pydantic_core import ErrorDetails
    from starlette.requests import Request

    from chladni_contract.errors import ChladniError
    from chladni_runtime.execution.admission import Admission

_FILE: Final = "file"
_FORM_OVERHEAD_BYTES: Final = 16 * 1024  # Boundaries, headers and short text fields.
_MAX_TEXT_BYTES: Final = 256
_MAX_BYTES_PER_CHARACTER: Final = 4  # In UTF-8.
_SHOWN_CHARACTERS: Final = 32


def _written_as(pattern: str, meaning: str) -> BeforeValidator:
    """Return a check that all of a text matches a pattern, which `meaning` describes in words."""
    expression = re.compile(pattern, re.ASCII | re.IGNORECASE)

    def check(text: str) -> str:
        if not expression.fullmatch(text):
            raise ValueError(f"is {text[:_SHOWN_CHARACTERS]!r}, must be {meaning}.")
        return text

    return BeforeValidator(check)


def one_of(choices: type[StrEnum]) -> BeforeValidator:
    """Return a check that a text is one of the values of an enumeration."""

    def check(text: str) -> str:
        if text not in set(choices):
            raise ValueError(f"is {text[:_SHOWN_CHARACTERS]!r}, must be {' or '.join(choices)}.")
        return text

    return BeforeValidator(check)


# A field that did not come, or came empty, has the default of the model.
WholeNumber = Annotated[
    int | None, _written_as(r"[+-]?\d{1,20}", "a whole number"), WithJsonSchema({"type": "integer"})
]
Number = Annotated[
    float | None,
    _written_as(r"[+-]?(\d{1,20}(\.\d{0,20})?|\.\d{1,20})", "a decimal number"),
    WithJsonSchema({"type": "number"}),
]
TrueOrFalse = Annotated[bool, _written_as("true|false", "true or false")]


class UploadForm(BaseModel):
    """A form with a recording; subclasses add text fields.

    The form checks how values are written. The limits of values are in `json_schema_extra`, for the document
    only: the domain checks them, for requests over gRPC too.

    Attributes:
        examples: Examples for the OpenAPI document by name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    examples: ClassVar[Mapping[str, Any]] = {}

    clip: Annotated[
        InstanceOf[AudioClip], WithJsonSchema({"type": "string", "format": "binary", "minLength": 1})
    ] = Field(
        alias=_FILE, description="The recording: WAV, MP3, FLAC or OGG; GET /api/limits lists the limits."
    )

    @classmethod
    def request_body(cls) -> dict[str, Any]:
        """Return the body of a request, as OpenAPI describes it."""
        schema = cls.model_json_schema()
        for name in ("title", "description"):
            schema.pop(name, None)
        for field in schema["properties"].values():
            field.pop("title", None)
            if field.get("default", "") in {None, ""}:
                field.pop("default", None)
        encoding = {_FILE: {"contentType": "audio/wav, audio/mpeg, audio/flac, audio/ogg"}}
        content = {"schema": schema, "encoding": encoding, "examples": dict(cls.examples)}
        return {"required": True, "content": {"multipart/form-data": content}}

    @classmethod
    def text_limits(cls) -> dict[str, int]:
        """Return the most bytes of each text field."""
        return {
            name: _limit_bytes(field.json_schema_extra)
            for name, field in cls.model_fields.items()
            if field.alias != _FILE
        }


FormT = TypeVar("FormT", bound=UploadForm)


class UploadReader:
    """Reads uploads while they arrive. Recordings stay in memory, so only a few may arrive at a time.

    Args:
        admission: Bounds the uploads in progress.
        max_audio_bytes: Largest recording.
        timeout_seconds: Time for an upload to arrive.
    """

    def __init__(self, *, admission: Admission, max_audio_bytes: int, timeout_seconds: float) -> None:
        self._admission = admission
        self._max_audio_bytes = max_audio_bytes
        self._timeout_seconds = timeout_seconds

    async def read(self, request: Request, form_type: type[FormT]) -> FormT:
        """Return an upload.

        Args:
            request: The request, its body not yet read.
            form_type: The form that it must fill.

        Raises:
            ChladniError: The form is wrong, or its body is too large or too slow, with the stage validation;
                or too many uploads are in progress.
        """
        with self._admission.admit(), at_stage(Stage.VALIDATION):
            return _to_form(await self._read_fields(request, form_type.text_limits()), form_type)

    async def _read_fields(self, request: Request, text_limits: Mapping[str, int]) -> dict[str, FormField]:
        rules = {_FILE: FieldRule(self._max_audio_bytes, self._too_large)}
        rules |= {name: FieldRule(limit, _text_too_long(name, limit)) for name, limit in text_limits.items()}
        pieces = read_body(
            request.receive,
            request.headers,
            limit_bytes=self._max_audio_bytes + sum(text_limits.values()) + _FORM_OVERHEAD_BYTES,
            too_large=self._too_large,
        )
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await read_form(
                    pieces, content_type=request.headers.get("content-type", ""), rules=rules
                )
        except TimeoutError:
            raise DeadlineExceededError(
                f"The upload did not arrive within {self._timeout_seconds:g} s, the limit.",
                metadata={"timeout_seconds": self._timeout_seconds},
            ) from None

    def _too_large(self) -> ChladniError:
        return clip_too_large(self._max_audio_bytes)


def _limit_bytes(json_schema_extra: object) -> int:
    extra = json_schema_extra if isinstance(json_schema_extra, dict) else {}
    return int(extra.get("maxLength", _MAX_TEXT_BYTES // _MAX_BYTES_PER_CHARACTER)) * _MAX_BYTES_PER_CHARACTER


def _to_form(fields: Mapping[str, FormField], form_type: type[FormT]) -> FormT:
    values: dict[str, object] = {
        name: text for name, field in fields.items() if name != _FILE and (text := field.text())
    }
    if _FILE in fields:
        values[_FILE] = AudioClip(bytes(fields[_FILE].content), fields[_FILE].file_name)
    try:
        return form_type.model_validate(values)
    except ValidationError as error:
        violations = [_to_violation(details) for details in error.errors(include_url=False)]
        reason = Reason.INVALID_FIELD if _FILE in fields else Reason.MISSING_FIELD
        raise InvalidFieldsError(reason, violations) from None


def _to_violation(details: ErrorDetails) -> FieldViolation:
    name = str(details["loc"][0])
    if name == _FILE:
        return FieldViolation(name, "is missing; send the recording in this form field.")
    return FieldViolation(name, str(details["ctx"]["error"]))


def _text_too_long(name: str, limit_bytes: int) -> Callable[[], ChladniError]:
    def too_long() -> ChladniError:
        return InvalidInputError(
            Reason.INVALID_FIELD,
            f"{name} is longer than {limit_bytes} bytes, the limit.",
            field=name,
            metadata={"maximum": limit_bytes},
        )

    return too_long
