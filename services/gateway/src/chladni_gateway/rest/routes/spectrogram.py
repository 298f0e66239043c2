"""Spectrograms of recordings: `/api/v1/spectrogram`, and `/api/v1/reconstruct` after an autoencoder."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from chladni_contract.warnings import ServiceWarning
from chladni_gateway.domain.audio import AudioReconstruction, ReconstructionOptions
from chladni_gateway.domain.images import PIXEL_FORMATS, ImageEncoding
from chladni_gateway.domain.ports import SpectrogramSize
from chladni_gateway.domain.request import MAX_SIDE_PIXELS, MIN_SIDE_PIXELS, check_clip, check_encoding
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.rest.forms.fields import TrueOrFalse, WholeNumber
from chladni_gateway.rest.forms.uploads import PIXEL_FORMAT, QUALITY, PixelFormatField, UploadForm
from chladni_gateway.rest.openapi import API, image_content, json_example
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


WAV_TYPE: Final = "audio/wav"


_RECONSTRUCTION: Final = {
    "model": "chladni-audio-autoencoder",
    "model_digest": "ab" * 32,
    "mse": 0.006,
    "mae": 0.05,
    "cosine": 0.985,
    "perceptual_similarity": 0.74,
    "window_seconds": 5.0,
    "processing_seconds": 0.4,
    "audio": "data:audio/wav;base64,UklGRg==",
    "original_spectrogram": "data:image/png;base64,iVBORw0KGgo=",
    "reconstructed_spectrogram": "data:image/png;base64,iVBORw0KGgo=",
    "warnings": [],
}


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
    format: PixelFormatField = PIXEL_FORMAT
    quality: WholeNumber = QUALITY


class ReconstructionForm(UploadForm):
    """The form of `POST /api/v1/reconstruct`."""

    examples: ClassVar[Mapping[str, Any]] = {
        "figures": {
            "summary": "The figures alone",
            "value": {"file": "voice.wav", "with_audio": False, "with_spectrograms": False},
        }
    }

    model: str = Field(
        "", description="Autoencoder. Absent: the server's.", json_schema_extra={"default": ""}
    )
    with_audio: TrueOrFalse = Field(
        True, description="Whether the answer has the reconstruction as a WAV file."
    )
    with_spectrograms: TrueOrFalse = Field(True, description="Whether it has images of both spectrograms.")
    with_latents: TrueOrFalse = Field(
        False, description="Whether it has the numbers that the reconstruction is made from."
    )


class ReconstructionBody(BaseModel):
    """A recording after the audio autoencoder."""

    model: str = Field(description="Autoencoder that was used.", examples=["chladni-audio-autoencoder"])
    model_digest: str = Field(description="SHA-256 of its weights, hexadecimal.", examples=["ab" * 32])
    mse: float = Field(description="Mean squared error of the spectrogram, 0 to 1.", examples=[0.006])
    mae: float = Field(description="Mean absolute error of it, 0 to 1.", examples=[0.05])
    cosine: float = Field(description="Cosine between both spectrograms, 0 to 1.", examples=[0.985])
    perceptual_similarity: float = Field(
        description="How alike they look to hearing, at most 1: neurogram similarity index measure (NSIM).",
        examples=[0.74],
    )
    window_seconds: float = Field(
        description="Length of the windows that are reconstructed one after the other.", examples=[5.0]
    )
    processing_seconds: float = Field(description="Time that it took.", examples=[0.4])
    audio: str | None = Field(
        None,
        description="The reconstruction as a WAV file, a data URL.",
        examples=["data:audio/wav;base64,UklGRg=="],
    )
    original_spectrogram: str | None = Field(
        None,
        description="Spectrogram of the recording as PNG, a data URL: time to the right, frequency upwards.",
        examples=["data:image/png;base64,iVBORw0KGgo="],
    )
    reconstructed_spectrogram: str | None = Field(
        None,
        description="Spectrogram of the reconstruction, in the same scale.",
        examples=["data:image/png;base64,iVBORw0KGgo="],
    )
    latents: list[list[float]] | None = Field(
        None,
        description="What the reconstruction is made from: a row for each window.",
        examples=[[[0.1, -0.4]]],
    )
    warnings: list[ServiceWarning] = Field(
        description="What the sender should know about the audio; usually empty."
    )


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
            200: {"description": "The spectrogram.", "content": image_content(PIXEL_FORMATS)},
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


def reconstruction_routes(application: Application, *, uploads: UploadReader) -> APIRouter:
    """Return the routes of the audio autoencoder.

    Args:
        application: What the gateway does.
        uploads: Reads recordings.
    """
    router = APIRouter()
    limits = application.limits

    async def reconstruct(clip: AudioClip, options: ReconstructionOptions) -> AudioReconstruction:
        deadline = Deadline.after(limits.comparison_timeout_seconds)
        with at_stage(Stage.AUDIO_FEATURES):
            return await application.audio_reconstructor.reconstruct(clip, options, deadline)

    @router.post(
        f"{API}/reconstruct",
        summary="Reconstruct audio",
        operation_id="reconstructAudio",
        response_model=ReconstructionBody,
        responses={
            200: {
                "content": {
                    **json_example(_RECONSTRUCTION),
                    WAV_TYPE: {"schema": {"type": "string", "format": "binary"}},
                }
            },
            **error_responses(OF_AN_UPLOAD, OF_A_SERVICE, OF_THE_AUDIO),
        },
        openapi_extra={"requestBody": ReconstructionForm.request_body()},
    )
    async def reconstruction(request: Request) -> Response:
        """Encode a recording in a few numbers by an autoencoder, decode them, and compare the spectrograms.

        With the header `Accept: audio/wav` the answer is the reconstruction as a WAV file alone.
        """
        form = await uploads.read(request, ReconstructionForm)
        with at_stage(Stage.VALIDATION):
            check_clip(form.chosen_clip, max_audio_bytes=limits.max_audio_bytes)
        wants_file = WAV_TYPE in request.headers.get("accept", "")
        options = ReconstructionOptions(
            model=form.model,
            with_audio=wants_file or form.with_audio,
            with_spectrograms=form.with_spectrograms and not wants_file,
            with_latents=form.with_latents and not wants_file,
        )
        made = await while_connected(request.receive, reconstruct(form.chosen_clip, options))
        headers = {"Cache-Control": "no-store"}
        if wants_file:
            return Response(made.audio, media_type=WAV_TYPE, headers=headers)
        return JSONResponse(_to_body(made).model_dump(exclude_none=True), headers=headers)

    return router


def _to_body(made: AudioReconstruction) -> ReconstructionBody:
    return ReconstructionBody(
        model=made.model,
        model_digest=made.model_digest,
        mse=made.mean_squared_error,
        mae=made.mean_absolute_error,
        cosine=made.cosine,
        perceptual_similarity=made.perceptual_similarity,
        window_seconds=made.window_seconds,
        processing_seconds=made.processing_seconds,
        audio=_data_url(WAV_TYPE, made.audio),
        original_spectrogram=_data_url("image/png", made.original_spectrogram),
        reconstructed_spectrogram=_data_url("image/png", made.reconstructed_spectrogram),
        latents=made.latents,
        warnings=list(made.warnings),
    )


def _data_url(media_type: str, content: bytes) -> str | None:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}" if content else None


def _check(size: SpectrogramSize, encoding: ImageEncoding) -> None:
    validator = RequestValidator()
    check_encoding(validator, encoding)
    for name, side in (("width_pixels", size.width_pixels), ("height_pixels", size.height_pixels)):
        if side is not None:
            validator.check_range(name, side, minimum=MIN_SIDE_PIXELS, maximum=MAX_SIDE_PIXELS, unit="pixels")
    validator.raise_if_invalid()
