"""The upload of a recording, with how its picture is to be made."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

from chladni_gateway.collaborators import GenerationSettings, PreviewRequest, Priority
from chladni_gateway.creation_request import CreationRequest, recording_too_large
from chladni_gateway.recordings import Recording
from chladni_gateway.rest.bodies import read_body
from chladni_gateway.rest.forms import FieldRule, FormField, read_form
from chladni_gateway.stages import Stage, at_stage
from chladni_runtime.errors import DeadlineExceededError, InvalidInputError, Reason
from chladni_runtime.validation import RequestValidator

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from chladni_runtime.errors import ChladniError

FILE_FIELD: Final = "file"
_MAX_TEXT_BYTES: Final = 256
_FORM_OVERHEAD_BYTES: Final = 16 * 1024  # Boundaries, headers and text fields.
_WHOLE_NUMBER: Final = re.compile(r"[+-]?\d{1,20}", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(\d{1,20}(\.\d{0,20})?|\.\d{1,20})", re.ASCII)
_TRUTH: Final = re.compile(r"true|false", re.IGNORECASE)
_TEXT_FORMS: Final = {
    "seed": (_WHOLE_NUMBER, "a whole number"),
    "steps": (_WHOLE_NUMBER, "a whole number"),
    "guidance": (_NUMBER, "a decimal number"),
    "width_pixels": (_WHOLE_NUMBER, "a whole number"),
    "height_pixels": (_WHOLE_NUMBER, "a whole number"),
    "priority": (re.compile("|".join(Priority)), " or ".join(Priority)),
    "exact": (_TRUTH, "true or false"),
    "bypass_cache": (_TRUTH, "true or false"),
}
_TEXT_FIELDS: Final = ("recipe", "scheduler", *_TEXT_FORMS)


async def read_upload(
    request: Request,
    *,
    caller: str,
    max_audio_bytes: int,
    timeout_seconds: float,
    previews: PreviewRequest | None,
) -> CreationRequest:
    """Returns what an upload asks for; the recording stays in memory.

    Args:
        request: The request, its body not yet read.
        caller: Who sends it.
        max_audio_bytes: Largest recording.
        timeout_seconds: Time for the body to arrive.
        previews: How previews are wanted.

    Raises:
        ChladniError: The form is wrong, or its body is too large or too slow; the stage is validation.
    """

    def too_large() -> ChladniError:
        return recording_too_large(max_audio_bytes)

    rules = {FILE_FIELD: FieldRule(max_audio_bytes, too_large)}
    rules |= {name: FieldRule(_MAX_TEXT_BYTES, _text_too_long(name)) for name in _TEXT_FIELDS}
    with at_stage(Stage.VALIDATION):
        try:
            async with asyncio.timeout(timeout_seconds):
                form = await read_form(
                    read_body(
                        request.receive,
                        request.headers,
                        limit_bytes=max_audio_bytes + _FORM_OVERHEAD_BYTES,
                        too_large=too_large,
                    ),
                    content_type=request.headers.get("content-type", ""),
                    rules=rules,
                )
        except TimeoutError:
            raise DeadlineExceededError(
                f"The upload did not arrive within {timeout_seconds:g} s, the limit."
            ) from None
        return _to_request(form, previews, caller)


def _to_request(form: dict[str, FormField], previews: PreviewRequest | None, caller: str) -> CreationRequest:
    texts = {name: form[name].text() if name in form else "" for name in _TEXT_FIELDS}
    validator = RequestValidator()
    validator.require(FILE_FIELD, present=FILE_FIELD in form, hint="send the recording in this form field")
    for name, (pattern, meaning) in _TEXT_FORMS.items():
        is_valid = not texts[name] or bool(pattern.fullmatch(texts[name]))
        validator.check(name, valid=is_valid, description=f"is {texts[name][:32]!r}, must be {meaning}.")
    validator.raise_if_invalid()
    file = form[FILE_FIELD]
    return CreationRequest(
        recording=Recording(bytes(file.content), file.file_name),
        recipe=texts["recipe"],
        settings=GenerationSettings(
            seed=_whole_number(texts["seed"]),
            steps=_whole_number(texts["steps"]),
            guidance_scale=float(texts["guidance"]) if texts["guidance"] else None,
            scheduler=texts["scheduler"],
            width_pixels=_whole_number(texts["width_pixels"]),
            height_pixels=_whole_number(texts["height_pixels"]),
            previews=previews,
            priority=Priority(texts["priority"] or Priority.INTERACTIVE),
            exact=texts["exact"].lower() != "false",
            bypass_cache=texts["bypass_cache"].lower() == "true",
        ),
        caller=caller,
    )


def _whole_number(text: str) -> int | None:
    return int(text) if text else None


def _text_too_long(name: str) -> Callable[[], ChladniError]:
    def too_long() -> ChladniError:
        return InvalidInputError(
            Reason.INVALID_FIELD, f"{name} is longer than {_MAX_TEXT_BYTES} bytes, the limit.", field=name
        )

    return too_long
