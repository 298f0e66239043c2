"""Uploads: a recording and text fields, as a Pydantic model that is checked and documented in one place."""

from __future__ import annotations

import ast
import asyncio
import itertools
import math
import re
import struct
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PrivateAttr,
    ValidationError,
    WithJsonSchema,
)

from chladni_contract.errors import (
    DeadlineExceededError,
    FieldViolation,
    InvalidFieldsError,
    QueueFullError,
    Reason,
)
from chladni_gateway.domain.audio import AudioClip, InitialLatents
from chladni_gateway.domain.images import ImageFormat
from chladni_gateway.domain.request import MAX_LATENT_VALUES, MAX_QUALITY, clip_too_large
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.rest.middleware.body_limit import read_body
from chladni_gateway.rest.multipart import FieldRule, FormField, files_too_large, read_form, text_too_long

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
    from enum import StrEnum

    from pydantic_core import ErrorDetails
    from starlette.requests import Request

    from chladni_contract.errors import ChladniError
    from chladni_runtime.execution.deadlines import Clock

_FILE: Final = "file"
_FORM_OVERHEAD_BYTES: Final = 16 * 1024  # Boundaries, headers and short text fields.
_MAX_FILES_OF_FULL_SIZE: Final = 5
"""So many files of the largest size fit a message to a service; further ones must be smaller."""
_MAX_TEXT_BYTES: Final = 256
_MAX_BYTES_PER_CHARACTER: Final = 4  # In UTF-8.
_SHOWN_CHARACTERS: Final = 32
_NPY_PREFIX_BYTES: Final = 8
_MAX_NPY_HEADER_BYTES: Final = 4096
_NPY_MAGIC: Final = b"\x93NUMPY"
_NPY_CODES: Final = {"<f2": "<e", ">f2": ">e", "<f4": "<f", ">f4": ">f", "<f8": "<d", ">f8": ">d"}
_UNREADABLE: Final = (
    struct.error, IndexError, ValueError, TypeError, KeyError, SyntaxError, MemoryError, RecursionError,
)  # fmt: skip
_LARGEST_FLOAT32: Final = (2 - 2**-23) * 2.0**127
MAX_ARRAY_FILE_BYTES: Final = MAX_LATENT_VALUES * 8 + 2 * _MAX_NPY_HEADER_BYTES
"""Longest NumPy file, its header included."""
_SETTLING_SECONDS: Final = 2.0
"""Time before the rate of an upload counts."""
_FAST_BYTES_PER_SECOND: Final = 256 * 1024
"""An upload of this rate keeps its place: its file of any size is there within a minute."""
_RETRY_AFTER_SECONDS: Final = 2.0


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


def read_npy(content: bytes) -> InitialLatents:
    """Return the floats of a NumPy file (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).

    Raises:
        ValueError: It is no such file, holds too many values, or one that is not finite.
    """
    shape, code, is_fortran, offset = _read_npy_header(content)
    count = math.prod(shape)
    if not 0 < count <= MAX_LATENT_VALUES:
        raise ValueError(f"holds {count} values, must hold 1 to {MAX_LATENT_VALUES}.")
    if len(content) - offset != struct.calcsize(f"{code[0]}{count}{code[1]}"):
        raise ValueError("is cut off, or goes on after its values.")
    values: Sequence[float] = struct.unpack_from(f"{code[0]}{count}{code[1]}", content, offset)
    if is_fortran:
        values = _in_row_major_order(values, shape)
    largest = max(map(abs, values))
    if not largest <= _LARGEST_FLOAT32 or not all(map(math.isfinite, values)):
        raise ValueError("holds values that are not finite in single precision.")
    return InitialLatents(shape, struct.pack(f"<{count}f", *values))


def _read_npy_header(content: bytes) -> tuple[tuple[int, ...], str, bool, int]:
    """Return the shape, the code of the values for `struct`, whether columns come first, and the offset."""
    try:
        version = content[len(_NPY_MAGIC)]
        length_code = "<H" if version == 1 else "<I"
        (length,) = struct.unpack_from(length_code, content, _NPY_PREFIX_BYTES)
        begin = _NPY_PREFIX_BYTES + struct.calcsize(length_code)
        header = ast.literal_eval(content[begin : begin + min(length, _MAX_NPY_HEADER_BYTES)].decode("ascii"))
        kind, is_fortran, shape = str(header["descr"]), bool(header["fortran_order"]), tuple(header["shape"])
        sizes_are_right = all(type(size) is int and size >= 0 for size in shape)
    except _UNREADABLE:
        sizes_are_right = False
    if not sizes_are_right or not content.startswith(_NPY_MAGIC):
        raise ValueError("is no NumPy file; write it with numpy.save.")
    if kind not in _NPY_CODES:
        raise ValueError(f"holds values of the type {kind[:32]}, must be float16, float32 or float64.")
    return shape, _NPY_CODES[kind], is_fortran, begin + length


def _in_row_major_order(values: Sequence[float], shape: tuple[int, ...]) -> list[float]:
    axes = (range(0, math.prod(shape[: axis + 1]), math.prod(shape[:axis])) for axis in range(len(shape)))
    return [values[sum(place)] for place in itertools.product(*axes)]


ArrayFile = Annotated[
    InstanceOf[InitialLatents] | None,
    BeforeValidator(read_npy),
    WithJsonSchema({"type": "string", "format": "binary"}),
]


FormatField = Annotated[
    ImageFormat, one_of(ImageFormat), WithJsonSchema({"type": "string", "enum": [*ImageFormat]})
]
FORMAT: Any = Field(ImageFormat.PNG, description="Format of the image's file.", examples=["webp"])
QUALITY: Any = Field(
    None,
    description="Quality of a JPEG or WebP. Absent: 90.",
    examples=[90],
    json_schema_extra={"minimum": 1, "maximum": MAX_QUALITY},
)


class UploadForm(BaseModel):
    """A form with a recording; subclasses add text fields.

    The form checks how values are written. The limits of values are in `json_schema_extra`, for the document
    only: the domain checks them, for requests over gRPC too.

    Attributes:
        examples: Examples for the OpenAPI document by name.
        array_fields: Fields that are NumPy files.
        in_place_of_file: The one that may come in place of the recording; empty for none.
        max_files: How many files the form takes, all under one name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    examples: ClassVar[Mapping[str, Any]] = {}
    array_fields: ClassVar[frozenset[str]] = frozenset()
    in_place_of_file: ClassVar[str] = ""
    max_files: ClassVar[int] = 1

    _further_clips: tuple[AudioClip, ...] = PrivateAttr(())
    clip: Annotated[
        InstanceOf[AudioClip], WithJsonSchema({"type": "string", "format": "binary", "minLength": 1})
    ] = Field(
        alias=_FILE,
        description="The recording, in any usual format: WAV, MP3, FLAC, OGG, M4A, WebM, AAC, AMR, AIFF, "
        "CAF; GET /api/v1/info lists the limits.",
    )
    start_seconds: Number = Field(
        None,
        description="Where the part of the recording that is meant begins, in seconds. Absent: at the "
        "beginning. The recording may be longer than a part, which has the limits of a whole one.",
        examples=[30],
        json_schema_extra={"minimum": 0},
    )
    end_seconds: Number = Field(
        None,
        description="Where that part ends, in seconds from the recording's beginning. Absent: at its end.",
        examples=[50],
        json_schema_extra={"exclusiveMinimum": 0},
    )

    @property
    def chosen_clip(self) -> AudioClip:
        """The recording, or the part of it that is meant."""
        return replace(self.clip, start_seconds=self.start_seconds, end_seconds=self.end_seconds)

    @property
    def clips(self) -> tuple[AudioClip, ...]:
        """All files of the form, in their order."""
        return (self.clip, *self._further_clips)

    def add_clips(self, clips: Iterable[AudioClip]) -> None:
        """Take the files after the first."""
        self._further_clips = tuple(clips)

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
        if cls.in_place_of_file:
            del schema["required"]
            schema["anyOf"] = [{"required": [_FILE]}, {"required": [cls.in_place_of_file]}]
        encoding: dict[str, Any] = {_FILE: {"contentType": "audio/*, video/mp4, video/webm"}}
        encoding |= {name: {"contentType": "application/octet-stream"} for name in cls.array_fields}
        content = {"schema": schema, "encoding": encoding, "examples": dict(cls.examples)}
        return {"required": True, "content": {"multipart/form-data": content}}

    @classmethod
    def text_limits(cls) -> dict[str, int]:
        """Return the most bytes of each text field."""
        return {
            name: MAX_ARRAY_FILE_BYTES if name in cls.array_fields else _limit_bytes(field.json_schema_extra)
            for name, field in cls.model_fields.items()
            if field.alias != _FILE
        }


FormT = TypeVar("FormT", bound=UploadForm)


@dataclass(eq=False, slots=True)
class _Upload:
    """An upload that is arriving.

    Attributes:
        started_at: When it began, in seconds on the monotonic clock.
        timeout: Ends its reading.
        received_bytes: What has come of it.
        is_displaced: Whether it was given up for another.
    """

    started_at: float
    timeout: asyncio.Timeout
    received_bytes: int = 0
    is_displaced: bool = False

    async def counted(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the pieces of the body, and count them."""
        async for piece in pieces:
            self.received_bytes += len(piece)
            yield piece


class UploadPlaces:
    """A bounded number of uploads at a time, of which the slowest makes room. One event loop owns it.

    Clients that hold places by sending a little now and then thus keep out nobody who sends faster.

    Args:
        capacity: Number of places.
        clock: Monotonic clock in seconds.
    """

    def __init__(self, capacity: int, *, clock: Clock) -> None:
        self._capacity = capacity
        self._clock = clock
        self._uploads: set[_Upload] = set()

    @asynccontextmanager
    async def hold(self, timeout_seconds: float) -> AsyncIterator[_Upload]:
        """Hold a place while the context lasts.

        Args:
            timeout_seconds: Time for the upload to arrive.

        Raises:
            DeadlineExceededError: It did not arrive in time.
            QueueFullError: No place is free, or this upload was the slowest and had to make room.
        """
        self._make_room()
        upload = _Upload(self._clock(), asyncio.timeout(timeout_seconds))
        self._uploads.add(upload)
        try:
            async with upload.timeout:
                yield upload
        except TimeoutError:
            if upload.is_displaced:
                raise _no_place("This upload was the slowest, and another needed its place.") from None
            raise DeadlineExceededError(
                f"The upload did not arrive within {timeout_seconds:g} s, the limit.",
                metadata={"timeout_seconds": timeout_seconds},
            ) from None
        finally:
            self._uploads.discard(upload)

    def _make_room(self) -> None:
        if len(self._uploads) < self._capacity:
            return
        now = self._clock()
        rates = {
            upload: upload.received_bytes / (now - upload.started_at)
            for upload in self._uploads
            if now - upload.started_at >= _SETTLING_SECONDS
        }
        slowest = min(rates, key=rates.__getitem__, default=None)
        if slowest is None or rates[slowest] >= _FAST_BYTES_PER_SECOND:
            raise _no_place(f"{len(self._uploads)} of at most {self._capacity} uploads are arriving.")
        self._uploads.discard(slowest)
        if not slowest.timeout.expired():  # Else it is on its way out already.
            slowest.is_displaced = True
            slowest.timeout.reschedule(asyncio.get_running_loop().time())


def _no_place(fault: str) -> QueueFullError:
    return QueueFullError(f"{fault} Try again later.", retry_after_seconds=_RETRY_AFTER_SECONDS)


class UploadReader:
    """Reads uploads while they arrive. Recordings stay in memory, so only a few may arrive at a time.

    Args:
        places: Bounds the uploads in progress.
        max_audio_bytes: Largest recording.
        timeout_seconds: Time for an upload of one file to arrive; several have a multiple of it.
        min_bytes_per_second: Rate at which it must arrive, after its first seconds.
    """

    def __init__(
        self,
        *,
        places: UploadPlaces,
        max_audio_bytes: int,
        timeout_seconds: float,
        min_bytes_per_second: int,
    ) -> None:
        self._places = places
        self._max_audio_bytes = max_audio_bytes
        self._timeout_seconds = timeout_seconds
        self._min_bytes_per_second = min_bytes_per_second

    async def read(self, request: Request, form_type: type[FormT]) -> FormT:
        """Return an upload.

        Args:
            request: The request, its body not yet read.
            form_type: The form that it must fill.

        Raises:
            ChladniError: The form is wrong, or its body is too large or too slow, with the stage validation;
                or too many uploads are in progress.
        """
        with at_stage(Stage.VALIDATION):
            return _to_form(await self._read_fields(request, form_type), form_type)

    async def _read_fields(self, request: Request, form_type: type[UploadForm]) -> dict[str, FormField]:
        text_limits = form_type.text_limits()
        rules = {_FILE: FieldRule(self._max_audio_bytes, self._too_large, form_type.max_files)}
        full_files = min(form_type.max_files, _MAX_FILES_OF_FULL_SIZE)
        max_file_bytes = full_files * self._max_audio_bytes
        rules |= {name: FieldRule(limit, text_too_long(name, limit)) for name, limit in text_limits.items()}
        pieces = read_body(
            request.receive,
            request.headers,
            limit_bytes=max_file_bytes + sum(text_limits.values()) + _FORM_OVERHEAD_BYTES,
            min_bytes_per_second=self._min_bytes_per_second,
            too_large=self._too_large if full_files == 1 else files_too_large(_FILE, max_file_bytes),
        )
        async with self._places.hold(self._timeout_seconds * full_files) as upload:
            return await read_form(
                upload.counted(pieces), content_type=request.headers.get("content-type", ""), rules=rules
            )

    def _too_large(self) -> ChladniError:
        return clip_too_large(self._max_audio_bytes)


def _limit_bytes(json_schema_extra: object) -> int:
    extra = json_schema_extra if isinstance(json_schema_extra, dict) else {}
    return int(extra.get("maxLength", _MAX_TEXT_BYTES // _MAX_BYTES_PER_CHARACTER)) * _MAX_BYTES_PER_CHARACTER


def _to_form(fields: Mapping[str, FormField], form_type: type[FormT]) -> FormT:
    values: dict[str, object] = {
        name: value
        for name, field in fields.items()
        if name != _FILE
        and (value := bytes(field.content) if name in form_type.array_fields else field.text())
    }
    if _FILE not in fields and form_type.in_place_of_file in values:
        values[_FILE] = AudioClip(b"")
    if _FILE in fields:
        values[_FILE] = AudioClip(bytes(fields[_FILE].content), fields[_FILE].file_name)
    try:
        form = form_type.model_validate(values)
    except ValidationError as error:
        violations = [_to_violation(details) for details in error.errors(include_url=False)]
        reason = Reason.INVALID_FIELD if _FILE in values else Reason.MISSING_FIELD
        raise InvalidFieldsError(reason, violations) from None
    if _FILE in fields:
        form.add_clips(AudioClip(bytes(item.content), item.file_name) for item in fields[_FILE].further)
    return form


def _to_violation(details: ErrorDetails) -> FieldViolation:
    name = str(details["loc"][0])
    if name == _FILE:
        return FieldViolation(name, "is missing; send the recording in this form field.")
    return FieldViolation(name, str(details["ctx"]["error"]))
