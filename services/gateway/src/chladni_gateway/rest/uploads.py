"""The upload of a recording, with what is to be done with it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chladni_contract.errors import DeadlineExceededError, InvalidInputError, Reason
from chladni_gateway.domain.audio import AudioClip
from chladni_gateway.domain.request import clip_too_large
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.rest.middleware.body_limit import read_body
from chladni_gateway.rest.multipart import FieldRule, FormField, read_form
from chladni_runtime.server.validation import RequestValidator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from chladni_contract.errors import ChladniError
    from chladni_runtime.execution.admission import Admission

FILE_FIELD: Final = "file"
_FORM_OVERHEAD_BYTES: Final = 16 * 1024  # Boundaries, headers and short text fields.


@dataclass(frozen=True, slots=True)
class TextForm:
    """How a text field is written: a pattern for all of it, what that means in words, and its most bytes."""

    pattern: re.Pattern[str]
    meaning: str
    limit_bytes: int = 256


ANY_TEXT: Final = TextForm(re.compile(r".*", re.DOTALL), "text")
WHOLE_NUMBER: Final = TextForm(re.compile(r"[+-]?\d{1,20}", re.ASCII), "a whole number")
NUMBER: Final = TextForm(re.compile(r"[+-]?(\d{1,20}(\.\d{0,20})?|\.\d{1,20})", re.ASCII), "a decimal number")
TRUTH: Final = TextForm(re.compile(r"true|false", re.IGNORECASE), "true or false")


@dataclass(frozen=True, slots=True)
class Upload:
    """A recording and the text fields that came with it; those that did not come are empty."""

    clip: AudioClip
    texts: Mapping[str, str]

    def whole_number(self, name: str) -> int | None:
        """Returns the number in a field; `None` where it is empty."""
        return int(self.texts[name]) if self.texts[name] else None

    def number(self, name: str) -> float | None:
        """Returns the number in a field; `None` where it is empty."""
        return float(self.texts[name]) if self.texts[name] else None


class UploadReader:
    """Reads uploads while they arrive. Recordings stay in memory, so few may arrive at a time.

    Args:
        admission: Bounds the uploads in progress.
        max_audio_bytes: Largest recording.
        timeout_seconds: Time for an upload to arrive.
    """

    def __init__(self, *, admission: Admission, max_audio_bytes: int, timeout_seconds: float) -> None:
        self._admission = admission
        self._max_audio_bytes = max_audio_bytes
        self._timeout_seconds = timeout_seconds

    async def read(self, request: Request, text_forms: Mapping[str, TextForm]) -> Upload:
        """Returns an upload.

        Args:
            request: The request, its body not yet read.
            text_forms: The text fields that the form may have besides the file.

        Raises:
            ChladniError: The form is wrong, or its body is too large or too slow, with the stage validation;
                or too many uploads are in progress.
        """
        with self._admission.admit(), at_stage(Stage.VALIDATION):
            return _to_upload(await self._read_form(request, text_forms), text_forms)

    async def _read_form(self, request: Request, text_forms: Mapping[str, TextForm]) -> dict[str, FormField]:
        rules = {FILE_FIELD: FieldRule(self._max_audio_bytes, self._too_large)}
        rules |= {
            name: FieldRule(form.limit_bytes, _text_too_long(name, form.limit_bytes))
            for name, form in text_forms.items()
        }
        text_bytes = sum(form.limit_bytes for form in text_forms.values())
        pieces = read_body(
            request.receive,
            request.headers,
            limit_bytes=self._max_audio_bytes + text_bytes + _FORM_OVERHEAD_BYTES,
            too_large=self._too_large,
        )
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await read_form(
                    pieces, content_type=request.headers.get("content-type", ""), rules=rules
                )
        except TimeoutError:
            raise DeadlineExceededError(
                f"The upload did not arrive within {self._timeout_seconds:g} s, the limit."
            ) from None

    def _too_large(self) -> ChladniError:
        return clip_too_large(self._max_audio_bytes)


def _to_upload(form: Mapping[str, FormField], text_forms: Mapping[str, TextForm]) -> Upload:
    texts = {name: form[name].text() if name in form else "" for name in text_forms}
    validator = RequestValidator()
    validator.require(FILE_FIELD, present=FILE_FIELD in form, hint="send the recording in this form field")
    for name, text_form in text_forms.items():
        text = texts[name]
        is_valid = not text or bool(text_form.pattern.fullmatch(text))
        validator.check(name, valid=is_valid, description=f"is {text[:32]!r}, must be {text_form.meaning}.")
    validator.raise_if_invalid()
    file = form[FILE_FIELD]
    return Upload(AudioClip(bytes(file.content), file.file_name), texts)


def _text_too_long(name: str, limit_bytes: int) -> Callable[[], ChladniError]:
    def too_long() -> ChladniError:
        return InvalidInputError(
            Reason.INVALID_FIELD, f"{name} is longer than {limit_bytes} bytes, the limit.", field=name
        )

    return too_long
