"""Uploads: a recording and text fields, as a Pydantic model that is checked and documented in one place."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    InstanceOf,
    PrivateAttr,
    ValidationError,
    WithJsonSchema,
)

from chladni_contract.errors import (
    FieldViolation,
    InvalidFieldsError,
    Reason,
)
from chladni_gateway.domain.audio import AudioClip
from chladni_gateway.domain.images import PIXEL_FORMATS, ImageFormat
from chladni_gateway.domain.request import MAX_QUALITY, clip_too_large
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.rest.forms.fields import MAX_ARRAY_FILE_BYTES, Number, one_of
from chladni_gateway.rest.forms.multipart import (
    FieldRule,
    FormField,
    files_too_large,
    read_form,
    text_too_long,
)
from chladni_gateway.rest.forms.places import Upload, UploadPlaces
from chladni_gateway.rest.middleware.body_limit import read_body
from chladni_gateway.rest.middleware.byte_budget import held_bytes_of
from chladni_runtime.execution.deadlines import Deadline

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from pydantic_core import ErrorDetails
    from starlette.requests import Request

    from chladni_contract.errors import ChladniError
    from chladni_gateway.domain.ports import AudioCutter
    from chladni_gateway.rest.middleware.byte_budget import HeldBytes
    from chladni_runtime.spool import Spool, SpooledFile

_FILE: Final = "file"
_FORM_OVERHEAD_BYTES: Final = 16 * 1024  # Boundaries, headers and short text fields.
_MAX_FILES_OF_FULL_SIZE: Final = 5
"""So many files of the largest size fit a message to a service; further ones must be smaller."""
_MAX_TEXT_BYTES: Final = 256
_MAX_BYTES_PER_CHARACTER: Final = 4  # In UTF-8.
_CUT_SECONDS: Final = 120.0
"""Time for a large recording to reach audio-features, and to be cut there."""


FormatField = Annotated[
    ImageFormat, one_of(ImageFormat), WithJsonSchema({"type": "string", "enum": [*ImageFormat]})
]
PixelFormatField = Annotated[
    ImageFormat, one_of(PIXEL_FORMATS), WithJsonSchema({"type": "string", "enum": [*PIXEL_FORMATS]})
]
FORMAT: Any = Field(
    ImageFormat.PNG,
    description="Format of the image's file. SVG and PDF, exact at any size, only with look=plate.",
    examples=["webp"],
)
PIXEL_FORMAT: Any = Field(ImageFormat.PNG, description="Format of the image's file.", examples=["webp"])
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
        "beginning. The recording may be longer than a part, which has the limits of a whole one; and larger "
        "(`max_upload_bytes`) if this field or `end_seconds` comes before the file.",
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
        schema = deepcopy(_schema_of(cls))
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


@cache
def _schema_of(form: type[UploadForm]) -> dict[str, Any]:
    """Return the JSON schema of a form, which takes long to make."""
    return form.model_json_schema()


FormT = TypeVar("FormT", bound=UploadForm)


class UploadReader:
    """Reads uploads while they arrive. Recordings stay in memory, so only a few may arrive at a time.

    Args:
        places: Bounds the uploads in progress.
        max_audio_bytes: Largest recording.
        timeout_seconds: Time for an upload of one file to arrive; several have a multiple of it.
        min_bytes_per_second: Rate at which it must arrive, after its first seconds.
        spool: Keeps recordings that are larger, of which a part is chosen.
        cutter: Cuts that part out.
    """

    def __init__(
        self,
        *,
        places: UploadPlaces,
        max_audio_bytes: int,
        timeout_seconds: float,
        min_bytes_per_second: int,
        spool: Spool,
        cutter: AudioCutter,
    ) -> None:
        self._spool = spool
        self._cutter = cutter
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
        async with AsyncExitStack() as stack:
            with at_stage(Stage.VALIDATION):
                large = _LargeFile(self._spool, stack, held_bytes_of(request.scope))
                form = to_form(await self._read_fields(request, form_type, large), form_type)
            if large.file is None:
                return form
            with at_stage(Stage.AUDIO_FEATURES):
                async with self._cutter.cutting(form.chosen_clip, Deadline.after(_CUT_SECONDS)) as cut:
                    clip = await cut(large.file.pieces())
            return form.model_copy(update={"clip": clip, "start_seconds": None, "end_seconds": None})

    @asynccontextmanager
    async def hold(
        self, request: Request, form_type: type[FormT], *, check_before: Callable[[FormT], None]
    ) -> AsyncIterator[tuple[FormT, SpooledFile]]:
        """Yield an upload whose file, which may be a large one, is on disk while the context lasts.

        Args:
            request: The request, its body not yet read.
            form_type: The form that it must fill.
            check_before: Called when the file begins, with a form of the fields before it and an empty file:
                what it raises refuses the upload before the file has come.

        Raises:
            ChladniError: As `read`.
        """
        async with AsyncExitStack() as stack:
            with at_stage(Stage.VALIDATION):
                large = _LargeFile(self._spool, stack, held_bytes_of(request.scope))
                fields = await self._read_fields(
                    request,
                    form_type,
                    large,
                    takes_large=True,
                    check_before=lambda before: check_before(
                        to_form({**before, _FILE: FormField()}, form_type)
                    ),
                )
                form = to_form(fields, form_type)
                if large.file is None:
                    large.file = await stack.enter_async_context(self._spool.hold(field=_FILE))
                    await large.file.write(form.clip.content)
                await large.file.flush()
            yield form, large.file

    async def _read_fields(
        self,
        request: Request,
        form_type: type[UploadForm],
        large: _LargeFile,
        *,
        takes_large: bool = False,
        check_before: Callable[[Mapping[str, FormField]], None] | None = None,
    ) -> dict[str, FormField]:
        text_limits = form_type.text_limits()
        full_files = min(form_type.max_files, _MAX_FILES_OF_FULL_SIZE)
        chooses = _always if takes_large else _chooses_part
        may_be_larger = chooses if form_type.max_files == 1 else None
        rules = {
            _FILE: FieldRule(
                self._max_audio_bytes, self._too_large, form_type.max_files, may_be_larger, check_before
            )
        }
        max_file_bytes = full_files * self._max_audio_bytes
        if may_be_larger:
            max_file_bytes = max(max_file_bytes, self._spool.limits.max_bytes)
        rules |= {name: FieldRule(limit, text_too_long(name, limit)) for name, limit in text_limits.items()}
        if takes_large:
            too_large = self._file_too_large
        elif full_files == 1:
            too_large = self._too_large
        else:
            too_large = files_too_large(_FILE, max_file_bytes)
        pieces = read_body(
            request.receive,
            request.headers,
            limit_bytes=max_file_bytes + sum(text_limits.values()) + _FORM_OVERHEAD_BYTES,
            min_bytes_per_second=self._min_bytes_per_second,
            too_large=too_large,
        )
        async with self._places.hold(self._timeout_seconds * full_files) as upload:
            large.upload = upload
            return await read_form(
                upload.counted(pieces),
                content_type=request.headers.get("content-type", ""),
                rules=rules,
                put_aside=large.put_aside,
            )

    def _too_large(self) -> ChladniError:
        return clip_too_large(self._max_audio_bytes)

    def _file_too_large(self) -> ChladniError:
        return self._spool.limits.too_large(_FILE)


class _LargeFile:
    """The recording of a form, if it is larger than those that are kept in memory.

    Args:
        spool: Keeps it.
        stack: Removes it.
        held: What the request holds in memory.
    """

    def __init__(self, spool: Spool, stack: AsyncExitStack, held: HeldBytes | None) -> None:
        self.file: SpooledFile | None = None
        self.upload: Upload | None = None
        self._spool = spool
        self._stack = stack
        self._held = held

    async def put_aside(self, content: bytearray) -> None:
        """Put the next bytes of it on disk.

        Raises:
            ChladniError: It is too large or too slow, or the disk is full.
        """
        if self.file is None:
            self.file = await self._stack.enter_async_context(self._spool.hold(field=_FILE))
            if self.upload is not None and not self.upload.is_displaced:
                now = asyncio.get_running_loop().time()
                self.upload.timeout.reschedule(now + self._spool.limits.max_seconds)
        await self.file.write(content)
        if self._held is not None:
            self._held.give_back(len(content))


def _always(_fields: Mapping[str, FormField]) -> bool:
    return True


def _chooses_part(fields: Mapping[str, FormField]) -> bool:
    """Return whether the fields that came before the file choose a part of it."""
    return any(name in fields and fields[name].text() for name in ("start_seconds", "end_seconds"))


def _limit_bytes(json_schema_extra: object) -> int:
    extra = json_schema_extra if isinstance(json_schema_extra, dict) else {}
    return int(extra.get("maxLength", _MAX_TEXT_BYTES // _MAX_BYTES_PER_CHARACTER)) * _MAX_BYTES_PER_CHARACTER


def to_form(fields: Mapping[str, FormField], form_type: type[FormT]) -> FormT:
    """Return a form whose values are checked.

    Raises:
        InvalidFieldsError: A field is missing or wrong.
    """
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
