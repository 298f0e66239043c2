"""The form of `POST /api/generate` and `POST /api/jobs`: a recording, and how its image is to be made."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from chladni_gateway.domain.generation import GenerationSettings, PreviewRequest, Priority
from chladni_gateway.domain.recipe_options import NoiseMode, RecipeOptions
from chladni_gateway.domain.request import MAX_MODEL_NAME_LENGTH, MAX_PROMPT_LENGTH, CreationRequest
from chladni_gateway.rest.client_identity import caller_of
from chladni_gateway.rest.middleware.sessions import session_of
from chladni_gateway.rest.uploads import ANY_TEXT, NUMBER, TRUTH, WHOLE_NUMBER, TextForm

if TYPE_CHECKING:
    from starlette.requests import Request

    from chladni_gateway.rest.uploads import Upload, UploadReader

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
        recording=upload.recording,
        recipe=upload.texts["recipe"],
        settings=_to_settings(upload, previews),
        options=_to_options(upload),
        caller=caller,
        owner=session_of(request).owner,
    )


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
