"""The form of `POST /api/generate` and `POST /api/jobs`: a recording, and how its image is to be made."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from chladni_contract.errors import ChladniError, InvalidInputError, Reason
from chladni_contract.metadata import CALLER_ID_KEY, MAX_CALLER_ID_LENGTH
from chladni_gateway.domain.generation import GenerationSettings, PreviewRequest, Priority
from chladni_gateway.domain.recipe_options import NoiseMode, RecipeOptions
from chladni_gateway.domain.request import MAX_MODEL_NAME_LENGTH, MAX_PROMPT_LENGTH, CreationRequest
from chladni_gateway.domain.stages import STAGE_KEY, Stage
from chladni_gateway.rest.middleware.sessions import session_of
from chladni_gateway.rest.uploads import ANY_TEXT, NUMBER, TRUTH, WHOLE_NUMBER, TextForm

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from starlette.requests import Request
    from starlette.types import Receive

    from chladni_gateway.rest.uploads import Upload, UploadReader

ResultT = TypeVar("ResultT")

_PRINTABLE: Final = re.compile(r"[\x20-\x7e]*", re.ASCII)
_HEADER: Final = "X-Caller-Id"

CALLER_PARAMETER: Final[dict[str, Any]] = {
    "name": _HEADER,
    "in": "header",
    "required": False,
    "description": "Who asks. Callers share the model fairly; a request without this header counts as its "
    "host's. It is no proof of identity: a proxy that knows its users sets it for them.",
    "schema": {"type": "string", "maxLength": MAX_CALLER_ID_LENGTH, "pattern": "^[ -~]*$"},
    "example": "team-a",
}
"""The header, as OpenAPI describes it."""

_MAX_BYTES_PER_CHARACTER: Final = 4  # In UTF-8.
_PROMPT: Final = replace(ANY_TEXT, limit_bytes=MAX_PROMPT_LENGTH * _MAX_BYTES_PER_CHARACTER)
_MODEL: Final = replace(ANY_TEXT, limit_bytes=MAX_MODEL_NAME_LENGTH * _MAX_BYTES_PER_CHARACTER)
_TEXT_FORMS: Final = {
    "recipe": ANY_TEXT,
    "scheduler": ANY_TEXT,
    "seed": WHOLE_NUMBER,
    "steps": WHOLE_NUMBER,
    "guidance": NUMBER,
    "width_pixels": WHOLE_NUMBER,
    "height_pixels": WHOLE_NUMBER,
    "priority": TextForm(re.compile("|".join(Priority)), " or ".join(Priority)),
    "exact": TRUTH,
    "bypass_cache": TRUTH,
    "prompt": _PROMPT,
    "negative_prompt": _PROMPT,
    "strength": NUMBER,
    "model": _MODEL,
    "noise_mode": TextForm(re.compile("|".join(NoiseMode)), " or ".join(NoiseMode)),
    "noise_weight": NUMBER,
    "upscale": WHOLE_NUMBER,
    "refiner_start": NUMBER,
}


async def read_creation_request(
    request: Request, uploads: UploadReader, *, previews: PreviewRequest | None
) -> CreationRequest:
    """Returns what an upload asks for.

    Args:
        request: The request, its body not yet read.
        uploads: Reads it.
        previews: How previews are wanted; `None` for none.

    Raises:
        ChladniError: The request is wrong, or its body is too large or too slow.
    """
    caller = caller_of(request)
    upload = await uploads.read(request, _TEXT_FORMS)
    return CreationRequest(
        clip=upload.clip,
        recipe=upload.texts["recipe"],
        settings=_to_settings(upload, previews),
        options=_to_options(upload),
        caller=caller,
        owner=session_of(request).owner,
    )


def caller_of(request: Request) -> str:
    """Returns who sends a request: what its header X-Caller-Id says, or else the host that it comes from.

    Raises:
        InvalidInputError: The header is longer than `MAX_CALLER_ID_LENGTH` or not printable ASCII.
    """
    given = request.headers.get(CALLER_ID_KEY, "").strip()
    if len(given) > MAX_CALLER_ID_LENGTH:
        raise _unusable(f"has {len(given)} characters, at most {MAX_CALLER_ID_LENGTH} are allowed.")
    if not _PRINTABLE.fullmatch(given):
        raise _unusable("must hold printable ASCII characters only.")
    return given or (request.client.host if request.client else "")


async def while_connected(receive: Receive, work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Returns the result of some work; cancels the work when the client leaves.

    Args:
        receive: The connection, the body of its request already read.
        work: The work.

    Raises:
        ChladniError: The client left (CANCELLED).
    """
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_wait_for_disconnect(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ChladniError(Reason.CANCELLED, "The client left before its request was answered.")
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


def _to_settings(upload: Upload, previews: PreviewRequest | None) -> GenerationSettings:
    return GenerationSettings(
        seed=upload.whole_number("seed"),
        steps=upload.whole_number("steps"),
        guidance_scale=upload.number("guidance"),
        scheduler=upload.texts["scheduler"],
        width_pixels=upload.whole_number("width_pixels"),
        height_pixels=upload.whole_number("height_pixels"),
        previews=previews,
        priority=Priority(upload.texts["priority"] or Priority.INTERACTIVE),
        exact=upload.texts["exact"].lower() != "false",
        bypass_cache=upload.texts["bypass_cache"].lower() == "true",
    )


def _to_options(upload: Upload) -> RecipeOptions:
    noise_mode = upload.texts["noise_mode"]
    return RecipeOptions(
        prompt=upload.texts["prompt"],
        negative_prompt=upload.texts["negative_prompt"],
        strength=upload.number("strength"),
        model=upload.texts["model"],
        noise_mode=NoiseMode(noise_mode) if noise_mode else None,
        noise_weight=upload.number("noise_weight"),
        upscale=upload.whole_number("upscale"),
        refiner_start=upload.number("refiner_start"),
    )


def _unusable(description: str) -> InvalidInputError:
    return InvalidInputError(
        Reason.INVALID_FIELD,
        f"{_HEADER} {description}",
        field=_HEADER,
        metadata={STAGE_KEY: Stage.VALIDATION.value},
    )


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
