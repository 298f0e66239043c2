"""Between the messages of ``chladni.image.v1`` and the domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from google.protobuf.duration_pb2 import Duration

from chladni.generation.v1 import generation_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.media.v1 import media_pb2
from chladni_contract.provenance_messages import to_provenance_message
from chladni_contract.warnings import ServiceWarning, WarningReason, new_warning, to_warning_message
from chladni_image_generation.generation import (
    MAX_SEED,
    Completed,
    GenerationEvent,
    GenerationRequest,
    Progress,
    Queued,
    Started,
)
from chladni_image_generation.grpc_api.conditioning import check_conditioning, to_conditioning
from chladni_image_generation.grpc_api.options import (
    check_jpeg_metadata,
    check_options,
    to_format_number,
    to_image_options,
)
from chladni_image_generation.grpc_api.origin import check_origin, to_origin
from chladni_image_generation.models.interface import ModelDescription
from chladni_runtime.server.validation import RequestValidator

_SHOWN_CHARACTERS: Final = 64
_OF_DISTILLED: Final = ", or do without it: this model was distilled to need no guidance"

HEARTBEAT: Final = image_pb2.GenerateImageResponse(heartbeat=generation_pb2.Heartbeat())


def to_generation_request(
    message: image_pb2.GenerateImageRequest,
    model: ModelDescription,
    *,
    max_steps: int,
    draw_seed: Callable[[], int],
) -> GenerationRequest:
    """Return the request that a message asks for, with the model's defaults for what it leaves open.

    Args:
        message: The message.
        model: The model that it is for.
        max_steps: Denoising steps at most.
        draw_seed: Gives a seed if the message has none.

    Raises:
        InvalidFieldsError: Fields are missing or out of range; all are reported.
        InvalidInputError: A tensor is malformed or the initial image cannot be used.
    """
    options = to_image_options(message.options, model)
    validator = RequestValidator()
    check_options(validator, message.options, model, max_steps=max_steps)
    check_origin(validator, message.origin)
    check_conditioning(validator, message.conditioning, model, steps=options.steps)
    check_jpeg_metadata(validator, message)
    validator.raise_if_invalid()
    latent_shape = model.latent_shape_of(options.width_pixels, options.height_pixels, upscale=options.upscale)
    return GenerationRequest(
        conditioning=to_conditioning(message.conditioning, model, latent_shape=latent_shape),
        seed=draw_seed() % (MAX_SEED + 1) if options.seed is None else options.seed,
        steps=options.steps,
        guidance_scale=options.guidance_scale,
        scheduler=options.scheduler,
        width_pixels=options.width_pixels,
        height_pixels=options.height_pixels,
        upscale=options.upscale,
        refiner_start=options.refiner_start,
        look=options.look,
        reproducible=options.reproducible,
        origin=to_origin(message.origin),
    )


def warnings_about(request: GenerationRequest, model: ModelDescription) -> list[ServiceWarning]:
    """Return what a caller should know about the image of a request: what of it had no effect."""
    conditioning = request.conditioning
    texts = {"prompt": conditioning.prompt, "negative_prompt": conditioning.negative_prompt}
    warnings = []
    if conditioning.negative_prompt and not request.is_guided:
        del texts["negative_prompt"]
        warnings.append(
            new_warning(
                WarningReason.SETTING_IGNORED,
                "The negative prompt had no effect, because the guidance scale is 1, which is no guidance: "
                f"choose a larger one{_OF_DISTILLED if model.default_guidance_scale == 1 else ''}.",
                field="conditioning.negative_prompt",
                value=conditioning.negative_prompt[:_SHOWN_CHARACTERS],
            )
        )
    for name, text in texts.items():
        reader = model.text_reader
        if not text or reader is None or (count := reader.count_tokens(text)) <= reader.max_tokens:
            continue
        warnings.append(
            new_warning(
                WarningReason.TEXT_TRUNCATED,
                f"The {name.replace('_', ' ')} has {count} tokens, of which the model {model.id} reads "
                f"{reader.max_tokens}; its end had no effect. Say the most important things first, or less.",
                field=f"conditioning.{name}",
                tokens=count,
                max_tokens=reader.max_tokens,
            )
        )
    return warnings


def to_event_message(
    event: GenerationEvent, model: ModelDescription, warnings: Sequence[ServiceWarning] = ()
) -> image_pb2.GenerateImageResponse:
    """Return the message that reports an event.

    Args:
        event: The event.
        model: The model.
        warnings: What the caller should know about the image, for the last event.
    """
    match event:
        case Queued():
            return image_pb2.GenerateImageResponse(
                queued=generation_pb2.GenerationQueued(position=event.position)
            )
        case Started():
            return image_pb2.GenerateImageResponse(
                started=generation_pb2.GenerationStarted(
                    seed=event.request.seed,
                    total_steps=event.total_steps,
                    model=model.id,
                    guidance_scale=event.request.guidance_scale,
                )
            )
        case Progress():
            progress = generation_pb2.GenerationProgress(
                step=event.step,
                total_steps=event.total_steps,
                elapsed=to_duration(event.elapsed_seconds),
                remaining=to_duration(event.remaining_seconds),
            )
            if event.preview is not None:
                progress.preview.CopyFrom(
                    media_pb2.EncodedImage(
                        content=event.preview.jpeg,
                        format=media_pb2.IMAGE_FORMAT_JPEG,
                        width_pixels=event.preview.width_pixels,
                        height_pixels=event.preview.height_pixels,
                    )
                )
            return image_pb2.GenerateImageResponse(progress=progress)
        case Completed():
            return image_pb2.GenerateImageResponse(
                completed=image_pb2.GenerationCompleted(
                    image=media_pb2.EncodedImage(
                        content=event.content,
                        format=to_format_number(event.encoding.format),
                        width_pixels=event.provenance.width_pixels * event.provenance.upscale,
                        height_pixels=event.provenance.height_pixels * event.provenance.upscale,
                    ),
                    provenance=to_provenance_message(event.provenance),
                    queue_time=to_duration(event.queue_seconds),
                    processing_time=to_duration(event.processing_seconds),
                    reused=event.is_reused,
                    warnings=map(to_warning_message, warnings),
                )
            )


def to_duration(seconds: float) -> Duration:
    """Convert seconds, to the nanosecond."""
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration
