"""What a request for an image says: its form, who sends it, and whether its client is still there."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, TypeVar

from fastapi import Query
from pydantic import Field, WithJsonSchema

from chladni_contract.errors import ChladniError, InvalidInputError, MetadataValue, Reason
from chladni_contract.metadata import CALLER_ID_KEY, MAX_CALLER_ID_LENGTH
from chladni_gateway.creation.webhook_policy import MAX_URL_LENGTH
from chladni_gateway.domain.generation import GenerationSettings, PreviewRequest, Priority
from chladni_gateway.domain.images import ImageEncoding
from chladni_gateway.domain.recipe_options import NoiseMode, RecipeOptions
from chladni_gateway.domain.request import (
    MAX_GUIDANCE_SCALE,
    MAX_MODEL_NAME_LENGTH,
    MAX_PAGE_SIZE,
    MAX_PROMPT_LENGTH,
    MAX_SCHEDULER_NAME_LENGTH,
    MAX_SEED,
    MAX_SIDE_PIXELS,
    MAX_STEPS,
    MIN_SIDE_PIXELS,
    UPSCALES,
    CreationRequest,
    Webhook,
    parse_request_id,
)
from chladni_gateway.domain.stages import STAGE_KEY, Stage, at_stage
from chladni_gateway.rest.forms.fields import (
    MAX_ARRAY_FILE_BYTES,
    ArrayFile,
    Number,
    TrueOrFalse,
    WholeNumber,
    one_of,
)
from chladni_gateway.rest.forms.uploads import FORMAT, QUALITY, FormatField, UploadForm
from chladni_gateway.rest.middleware.authentication import principal_of
from chladni_gateway.rest.middleware.sessions import session_of
from chladni_gateway.rest.openapi import API, FIRST_API, REQUEST_ID
from chladni_runtime.server.peers import customer_of_host

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from starlette.requests import Request
    from starlette.types import Receive

    from chladni_gateway.rest.forms.uploads import UploadReader

ResultT = TypeVar("ResultT")

_PRINTABLE: Final = re.compile(r"[\x20-\x7e]*", re.ASCII)
_CALLER_HEADER: Final = "X-Caller-Id"
CALLER_PARAMETER: Final[dict[str, Any]] = {
    "name": _CALLER_HEADER,
    "in": "header",
    "required": False,
    "description": "Who asks. Callers share the model fairly; a request without this header counts as its "
    "host's. It is no proof of identity: a proxy that knows its users sets it for them.",
    "schema": {"type": "string", "maxLength": MAX_CALLER_ID_LENGTH, "pattern": "^[ -~]*$"},
    "example": "team-a",
}
"""The header, as OpenAPI describes it."""


PageSize = Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE, description="Entries at most.", examples=[20])]
PageToken = Annotated[
    str,
    WithJsonSchema(
        {"type": "string", "pattern": "^([0-9a-f]{32})?$", "examples": [REQUEST_ID.replace("-", "")]}
    ),
    Query(description="The previous answer's `next_page_token`. Absent: the first page."),
]


class GenerationForm(UploadForm):
    """The form of `POST /api/v1/generate`."""

    array_fields: ClassVar[frozenset[str]] = frozenset({"initial_latents"})
    in_place_of_file: ClassVar[str] = "initial_latents"
    examples: ClassVar[Mapping[str, Any]] = {
        "plain": {"summary": "The model's choice of everything", "value": {"file": "voice.wav"}},
        "again": {
            "summary": "An image that can be made again, bit for bit",
            "value": {"file": "voice.wav", "seed": 7, "steps": 20, "guidance_scale": 2.5},
        },
        "noise": {
            "summary": "The sound as the noise from which the image is denoised",
            "value": {
                "file": "voice.wav",
                "recipe": "latent-noise",
                "noise_mode": "blend",
                "noise_weight": 0.3,
            },
        },
        "prompt": {
            "summary": "An image that follows a prompt, from the spectrogram",
            "value": {
                "file": "voice.wav",
                "recipe": "spectrogram",
                "prompt": "a coral reef, oil on canvas",
                "strength": 0.6,
            },
        },
        "many": {
            "summary": "One of many, which may wait behind interactive requests",
            "value": {"file": "voice.wav", "priority": "batch", "reproducible": False},
        },
    }

    seed: WholeNumber = Field(
        None,
        description="Seed of the noise. Absent: random, and returned.",
        examples=[7],
        json_schema_extra={"minimum": 0, "maximum": MAX_SEED},
    )
    steps: WholeNumber = Field(
        None,
        description="Denoising steps. Absent: the model's default.",
        examples=[20],
        json_schema_extra={"minimum": 1, "maximum": MAX_STEPS},
    )
    guidance_scale: Number = Field(
        None,
        description="How closely the image follows the sound; 1 means no guidance. "
        "Absent: the model's default.",
        examples=[2.5],
        json_schema_extra={"minimum": 1, "maximum": MAX_GUIDANCE_SCALE},
    )
    recipe: str = Field("", description="Recipe by its name. Absent: the default one.", examples=["embedded"])
    scheduler: str = Field(
        "",
        description="Scheduler by its diffusers class name. Absent: the model's default.",
        examples=["DPMSolverMultistepScheduler"],
        json_schema_extra={"maxLength": MAX_SCHEDULER_NAME_LENGTH},
    )
    width_pixels: WholeNumber = Field(
        None,
        description="Width; each model has sizes that it supports. Absent: the model's native width.",
        examples=[512],
        json_schema_extra={"minimum": MIN_SIDE_PIXELS, "maximum": MAX_SIDE_PIXELS},
    )
    height_pixels: WholeNumber = Field(
        None,
        description="Height; each model has sizes that it supports. Absent: the model's native height.",
        examples=[512],
        json_schema_extra={"minimum": MIN_SIDE_PIXELS, "maximum": MAX_SIDE_PIXELS},
    )
    priority: Annotated[
        Priority, one_of(Priority), WithJsonSchema({"type": "string", "enum": [*Priority]})
    ] = Field(
        Priority.INTERACTIVE,
        description="How urgent it is: `interactive` if someone waits for the image, `batch` if it is one "
        "of many.",
        examples=["batch"],
    )
    reproducible: TrueOrFalse = Field(
        True,
        description="Whether the same request must give the same pixels whatever else the server does; "
        "without it the image may be made faster.",
        examples=[True],
    )
    bypass_cache: TrueOrFalse = Field(
        False,
        description="Whether the image must be computed again, even if an identical request gave it before.",
        examples=[False],
    )
    format: FormatField = FORMAT
    quality: WholeNumber = QUALITY
    prompt: str = Field(
        "",
        description="Text to follow, for recipes that take one. Absent: the recipe's default.",
        examples=["abstract visualization, colorful, artistic, detailed"],
        json_schema_extra={"maxLength": MAX_PROMPT_LENGTH},
    )
    negative_prompt: str = Field(
        "",
        description="Text to avoid, for recipes that take one.",
        examples=["text, watermark"],
        json_schema_extra={"maxLength": MAX_PROMPT_LENGTH},
    )
    strength: Number = Field(
        None,
        description="How far to go from the image of the sound, for recipes that start from one. "
        "Absent: 0.7.",
        examples=[0.7],
        json_schema_extra={"exclusiveMinimum": 0, "maximum": 1},
    )
    model: str = Field(
        "",
        description="Image model by its identifier, if the recipe can use several. "
        "Absent: the recipe's choice.",
        examples=["chladni-embedded"],
        json_schema_extra={"maxLength": MAX_MODEL_NAME_LENGTH},
    )
    noise_mode: Annotated[
        NoiseMode | None, one_of(NoiseMode), WithJsonSchema({"type": "string", "enum": [*NoiseMode]})
    ] = Field(
        None,
        description="How the sound becomes initial noise: `blend` mixes it into seeded noise, `mel` takes "
        "its mel image as it is, `dct` the cosine transform of that. Absent: blend.",
        examples=["blend"],
    )
    noise_weight: Number = Field(
        None,
        description="Share of the sound in the noise. Absent: 0.3 for `blend`, 1 for the others.",
        examples=[0.3],
        json_schema_extra={"minimum": 0, "maximum": 1},
    )
    calibration: str = Field(
        "",
        description="Calibration of the noise by its name. Absent: the default for its size.",
        examples=["chladni-4x64x64-mel"],
        json_schema_extra={"maxLength": MAX_MODEL_NAME_LENGTH},
    )
    initial_latents: ArrayFile = Field(
        None,
        description="Initial latents of your own in place of those of the recording, which may be left out "
        "then: a NumPy file (.npy) of floats, z-scored, of the model's latent shape (C, H, W), or its values "
        "in a row. `noise_mode` is `mel` by default then.",
        json_schema_extra={"maxLength": MAX_ARRAY_FILE_BYTES},
    )
    request_id: str = Field(
        "",
        description="Identifier of this request, a UUID that the client draws: a retry with the same "
        "identifier and equal fields gets the same seed, and the same image if it is already made. "
        "Remembered for an hour.",
        examples=[REQUEST_ID],
        json_schema_extra={"format": "uuid"},
    )
    upscale: WholeNumber = Field(
        None,
        description="Factor by which the finished image is larger than its width and height say, for "
        "models that can. Absent: 1.",
        examples=[2],
        json_schema_extra={"enum": [*UPSCALES]},
    )
    refiner_start: Number = Field(
        None,
        description="Share of the steps after which the refiner takes over, for models with one; 1 leaves "
        "it out. Absent: the model's default.",
        examples=[0.8],
        json_schema_extra={"exclusiveMinimum": 0, "maximum": 1},
    )
    look: str = Field(
        "",
        description="How the sound is shown, for models with several looks: a look by its name, several with "
        "their shares, or auto for those that fit the kind of sound. Absent: the model's first look.",
        examples=["plate:2,water:1"],
        json_schema_extra={"maxLength": MAX_MODEL_NAME_LENGTH},
    )


class JobForm(GenerationForm):
    """The form of `POST /api/v1/jobs`."""

    webhook_url: str = Field(
        "",
        description="Where the end of the job is reported to, by one signed POST request as "
        "https://www.standardwebhooks.com describes it: an https address. Absent: nowhere.",
        examples=["https://example.org/hooks"],
        json_schema_extra={"maxLength": MAX_URL_LENGTH},
    )
    webhook_secret: str = Field(
        "",
        description="What the report is signed with: `whsec_` and the base64 of 24 to 64 bytes. "
        "Absent: the server's own secret.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )

    @property
    def webhook(self) -> Webhook | None:
        """Where the end of the job is reported to; `None` for nowhere."""
        given = self.webhook_url or self.webhook_secret
        return Webhook(self.webhook_url, self.webhook_secret) if given else None


async def read_job_request(
    request: Request, uploads: UploadReader, *, previews: PreviewRequest | None
) -> CreationRequest:
    """Return what the upload of a job asks for; see `read_creation_request`."""
    form = await uploads.read(request, JobForm)
    return replace(_to_creation_request(request, form, previews), webhook=form.webhook)


async def read_creation_request(
    request: Request, uploads: UploadReader, *, previews: PreviewRequest | None
) -> CreationRequest:
    """Return what an upload asks for.

    Args:
        request: The request, its body not yet read.
        uploads: Reads it.
        previews: How previews are made; `None` for none.

    Raises:
        ChladniError: The request is wrong, or its body is too large or too slow.
    """
    return _to_creation_request(request, await uploads.read(request, GenerationForm), previews)


def _to_creation_request(
    request: Request, form: GenerationForm, previews: PreviewRequest | None
) -> CreationRequest:
    caller = caller_of(request)
    with at_stage(Stage.VALIDATION):
        request_id = parse_request_id(form.request_id)
    return CreationRequest(
        clip=form.chosen_clip,
        recipe=form.recipe,
        settings=_to_settings(form, previews),
        options=_to_options(form),
        caller=caller,
        owner=session_of(request).owner,
        request_id=request_id,
    )


def caller_of(request: Request) -> str:
    """Return who sends a request: the owner of its token, what its header X-Caller-Id says, or its host.

    `ForwardedMiddleware` has removed the header if the host is not trusted.

    Raises:
        InvalidInputError: The header is longer than `MAX_CALLER_ID_LENGTH` or not printable ASCII.
    """
    if (principal := principal_of(request)) is not None:
        return principal.owner
    given = request.headers.get(CALLER_ID_KEY, "").strip()
    if len(given) > MAX_CALLER_ID_LENGTH:
        raise _invalid_caller(
            f"has {len(given)} characters, at most {MAX_CALLER_ID_LENGTH} are allowed.",
            value=len(given),
            maximum=MAX_CALLER_ID_LENGTH,
        )
    if not _PRINTABLE.fullmatch(given):
        raise _invalid_caller("must hold printable ASCII characters only.")
    return given or customer_of_host(request.client.host if request.client else "")


def api_of(request: Request) -> str:
    """Return the path of the API that a request uses, this version or the one before it had versions."""
    return API if request.url.path.startswith(f"{API}/") else FIRST_API


async def while_connected(receive: Receive, work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Return the result of some work; cancel the work when the client leaves.

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


def _to_settings(form: GenerationForm, previews: PreviewRequest | None) -> GenerationSettings:
    return GenerationSettings(
        seed=form.seed,
        steps=form.steps,
        guidance_scale=form.guidance_scale,
        scheduler=form.scheduler,
        width_pixels=form.width_pixels,
        height_pixels=form.height_pixels,
        previews=previews,
        priority=form.priority,
        reproducible=form.reproducible,
        bypass_cache=form.bypass_cache,
        encoding=ImageEncoding(format=form.format, quality=form.quality),
    )


def _to_options(form: GenerationForm) -> RecipeOptions:
    return RecipeOptions(
        prompt=form.prompt,
        negative_prompt=form.negative_prompt,
        strength=form.strength,
        model=form.model,
        noise_mode=form.noise_mode,
        noise_weight=form.noise_weight,
        calibration=form.calibration,
        initial_latents=form.initial_latents,
        upscale=form.upscale,
        refiner_start=form.refiner_start,
        look=form.look,
    )


def _invalid_caller(description: str, **metadata: MetadataValue) -> InvalidInputError:
    return InvalidInputError(
        Reason.INVALID_FIELD,
        f"{_CALLER_HEADER} {description}",
        field=_CALLER_HEADER,
        metadata={STAGE_KEY: Stage.VALIDATION.value, **metadata},
    )


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
