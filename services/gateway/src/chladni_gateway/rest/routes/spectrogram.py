"""`POST /api/v1/spectrogram`: the spectrogram of a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from fastapi import APIRouter, Request, Response
from pydantic import Field

from chladni_gateway.domain.images import ImageEncoding
from chladni_gateway.domain.ports import SpectrogramSize
from chladni_gateway.domain.request import MAX_SIDE_PIXELS, MIN_SIDE_PIXELS, check_clip, check_encoding
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.rest.forms.fields import WholeNumber
from chladni_gateway.rest.forms.uploads import FORMAT, QUALITY, FormatField, UploadForm
from chladni_gateway.rest.openapi import API, image_content
from chladni_gateway.rest.requests import while_connected
from chladni_gateway.rest.routes.responses import OF_A_SERVICE, OF_AN_UPLOAD, OF_THE_AUDIO, error_responses
from chladni_runtime.execution.deadlines import Deadline
from chladni_runtime.server.validation import RequestValidator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chladni_gateway.application import Application
    from chladni_gateway.domain.audio import AudioClip
    from chladni_gateway.domain.images import Image
    from chladni_gateway.rest.forms.uploads import UploadReader


class SpectrogramForm(UploadForm):
    """The form of `POST /api/v1/spectrogram`."""

    examples: ClassVar[Mapping[str, Any]] = {
        "wide": {
            "summary": "For a player's width",
            "value": {"file": "voice.wav", "width_pixels": 1024, "height_pixels": 256},
        }
    }

    width_pixels: WholeNumber = Field(
        None,
        description="Width of the image.",
        examples=[1024],
        json_schema_extra={"minimum": MIN_SIDE_PIXELS, "maximum": MAX_SIDE_PIXELS, "default": 512},
    )
    height_pixels: WholeNumber = Field(
        None,
        description="Height of the image.",
        examples=[256],
        json_schema_extra={"minimum": MIN_SIDE_PIXELS, "maximum": MAX_SIDE_PIXELS, "default": 512},
    )
    format: FormatField = FORMAT
    quality: WholeNumber = QUALITY


def spectrogram_routes(application: Application, *, uploads: UploadReader) -> APIRouter:
    """Return the routes of spectrograms.

    Args:
        application: What the gateway does.
        uploads: Reads recordings.
    """
    router = APIRouter()
    limits = application.limits

    async def render(clip: AudioClip, size: SpectrogramSize, encoding: ImageEncoding) -> Image:
        deadline = Deadline.after(limits.spectrogram_timeout_seconds)
        with at_stage(Stage.AUDIO_FEATURES):
            return await application.spectrogram_renderer.render(clip, size, deadline, encoding=encoding)

    @router.post(
        f"{API}/spectrogram",
        summary="Draw a spectrogram",
        operation_id="renderSpectrogram",
        response_class=Response,
        responses={
            200: {"description": "The spectrogram.", "content": image_content()},
            **error_responses(OF_AN_UPLOAD, OF_A_SERVICE, OF_THE_AUDIO),
        },
        openapi_extra={"requestBody": SpectrogramForm.request_body()},
    )
    async def spectrogram(request: Request) -> Response:
        """Draw a recording's log-mel spectrogram: time to the right, frequency upwards, bright is loud."""
        form = await uploads.read(request, SpectrogramForm)
        with at_stage(Stage.VALIDATION):
            check_clip(form.chosen_clip, max_audio_bytes=limits.max_audio_bytes)
            size = SpectrogramSize(form.width_pixels, form.height_pixels)
            encoding = ImageEncoding(format=form.format, quality=form.quality)
            _check(size, encoding)
        image = await while_connected(request.receive, render(form.chosen_clip, size, encoding))
        return Response(image.content, media_type=image.media_type, headers={"Cache-Control": "no-store"})

    return router


def _check(size: SpectrogramSize, encoding: ImageEncoding) -> None:
    validator = RequestValidator()
    check_encoding(validator, encoding)
    for name, side in (("width_pixels", size.width_pixels), ("height_pixels", size.height_pixels)):
        if side is not None:
            validator.check_range(name, side, minimum=MIN_SIDE_PIXELS, maximum=MAX_SIDE_PIXELS, unit="pixels")
    validator.raise_if_invalid()
