"""Between the messages of ``chladni.image.v1`` and the domain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from google.protobuf.duration_pb2 import Duration

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.media.v1 import media_pb2
from chladni.model.v1 import model_pb2
from chladni_contract.provenance_messages import to_provenance_message
from chladni_image_generation.engine.registry import UnavailableModel
from chladni_image_generation.engine.scheduler import Priority, SchedulingParameters
from chladni_image_generation.generation import (
    MAX_SEED,
    Completed,
    GenerationEvent,
    GenerationRequest,
    PreviewOptions,
    Progress,
    Queued,
    Started,
)
from chladni_image_generation.grpc_api.conditioning import check_conditioning, to_conditioning
from chladni_image_generation.grpc_api.origin import check_origin, to_origin
from chladni_image_generation.models.interface import ImageSizes, ModelDescription
from chladni_runtime.server.validation import RequestValidator

_MAX_GUIDANCE_SCALE: Final = 30
_PRIORITIES: Final = {
    image_pb2.PRIORITY_UNSPECIFIED: Priority.INTERACTIVE,
    image_pb2.PRIORITY_INTERACTIVE: Priority.INTERACTIVE,
    image_pb2.PRIORITY_BATCH: Priority.BATCH,
}


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
    steps = message.steps if message.HasField("steps") else model.default_steps
    guidance_scale = (
        message.guidance_scale if message.HasField("guidance_scale") else model.default_guidance_scale
    )
    scheduler = message.scheduler or model.scheduler_names[0]
    native_width, native_height = model.image_size_pixels
    width_pixels = message.width_pixels if message.HasField("width_pixels") else native_width
    height_pixels = message.height_pixels if message.HasField("height_pixels") else native_height
    upscale = message.upscale if message.HasField("upscale") else 1

    validator = RequestValidator()
    validator.check_range("steps", steps, minimum=1, maximum=max_steps)
    validator.check_range("guidance_scale", guidance_scale, minimum=1, maximum=_MAX_GUIDANCE_SCALE)
    validator.check(
        "scheduler",
        valid=scheduler in model.scheduler_names,
        description=f"must be one of {', '.join(model.scheduler_names)}.",
        metadata={"value": scheduler, "allowed": ", ".join(model.scheduler_names)},
    )
    _check_side(validator, "width_pixels", width_pixels, model.sizes)
    _check_side(validator, "height_pixels", height_pixels, model.sizes)
    _check_upscale(validator, upscale, (width_pixels, height_pixels), model)
    _check_refiner_start(validator, message, model)
    validator.check(
        "priority", valid=message.priority in _PRIORITIES, description="is no known priority; omit it."
    )
    _check_previews(validator, message.previews)
    check_origin(validator, message.origin)
    check_conditioning(validator, message.conditioning, model, steps=steps)
    validator.raise_if_invalid()
    latent_shape = model.latent_shape_of(width_pixels, height_pixels, upscale=upscale)
    return GenerationRequest(
        conditioning=to_conditioning(message.conditioning, model, latent_shape=latent_shape),
        seed=message.seed if message.HasField("seed") else draw_seed() % (MAX_SEED + 1),
        steps=steps,
        guidance_scale=guidance_scale,
        scheduler=scheduler,
        width_pixels=width_pixels,
        height_pixels=height_pixels,
        upscale=upscale,
        refiner_start=(
            message.refiner_start if message.HasField("refiner_start") else model.default_refiner_start
        ),
        exact=message.exact if message.HasField("exact") else True,
        origin=to_origin(message.origin),
    )


def to_preview_options(message: image_pb2.GenerateImageRequest) -> PreviewOptions:
    """Return which previews a message asks for."""
    previews = message.previews
    if not previews.HasField("size_pixels"):
        return PreviewOptions(previews.interval_steps)
    return PreviewOptions(previews.interval_steps, previews.size_pixels)


def to_scheduling_parameters(message: image_pb2.GenerateImageRequest, caller: str) -> SchedulingParameters:
    """Return what a request's place in the schedule depends on besides its length."""
    return SchedulingParameters(caller, _PRIORITIES[message.priority])


def _check_side(validator: RequestValidator, field: str, pixels: int, sizes: ImageSizes) -> None:
    if sizes.minimum_pixels == sizes.maximum_pixels:
        wanted = f"{sizes.minimum_pixels} pixels, the only size of this model; or leave it out"
    else:
        limits = f"from {sizes.minimum_pixels} to {sizes.maximum_pixels}"
        wanted = f"a multiple of {sizes.multiple_pixels} pixels {limits}"
    validator.check(
        field,
        valid=pixels in sizes,
        description=f"is {pixels}, must be {wanted}.",
        metadata={
            "value": pixels,
            "minimum": sizes.minimum_pixels,
            "maximum": sizes.maximum_pixels,
            "multiple": sizes.multiple_pixels,
        },
    )


def _check_previews(validator: RequestValidator, previews: image_pb2.PreviewOptions) -> None:
    if previews.HasField("size_pixels"):
        validator.check_range(
            "previews.size_pixels", previews.size_pixels, minimum=16, maximum=512, unit="pixels"
        )


def _check_upscale(
    validator: RequestValidator, upscale: int, size_pixels: tuple[int, int], model: ModelDescription
) -> None:
    offered = " or ".join(map(str, model.upscales))
    validator.check(
        "upscale",
        valid=upscale in model.upscales,
        description=f"is {upscale}, must be {offered} for model {model.id!r}.",
        metadata={"value": upscale, "allowed": ", ".join(map(str, model.upscales))},
    )
    enlarged = [side * upscale for side in size_pixels]
    validator.check(
        "upscale",
        valid=upscale == 1 or model.has_upscaler or all(side in model.sizes for side in enlarged),
        description=f"would make {enlarged[0]} x {enlarged[1]} pixels of the image; sides have at most "
        f"{model.sizes.maximum_pixels}. Ask for a smaller width and height.",
        metadata={"value": max(enlarged), "maximum": model.sizes.maximum_pixels},
    )


def _check_refiner_start(
    validator: RequestValidator, message: image_pb2.GenerateImageRequest, model: ModelDescription
) -> None:
    if not message.HasField("refiner_start"):
        return
    validator.check(
        "refiner_start",
        valid=model.default_refiner_start is not None,
        description=f"is not taken by model {model.id!r}, which has no refiner; leave it out.",
    )
    validator.check(
        "refiner_start",
        valid=0 < message.refiner_start <= 1,
        description="must be more than 0 and at most 1.",
        metadata={"value": message.refiner_start, "minimum": 0, "maximum": 1},
    )


def to_event_message(event: GenerationEvent, model: ModelDescription) -> image_pb2.GenerateImageResponse:
    """Return the message that reports an event."""
    match event:
        case Queued():
            return image_pb2.GenerateImageResponse(queued=image_pb2.GenerationQueued(position=event.position))
        case Started():
            return image_pb2.GenerateImageResponse(
                started=image_pb2.GenerationStarted(
                    seed=event.request.seed,
                    total_steps=event.total_steps,
                    model=model.id,
                    guidance_scale=event.request.guidance_scale,
                )
            )
        case Progress():
            progress = image_pb2.GenerationProgress(
                step=event.step,
                total_steps=event.total_steps,
                elapsed=_duration(event.elapsed_seconds),
                remaining=_duration(event.remaining_seconds),
            )
            if event.preview is not None:
                progress.preview.CopyFrom(
                    media_pb2.Image(
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
                    image=media_pb2.Image(
                        content=event.png,
                        format=media_pb2.IMAGE_FORMAT_PNG,
                        width_pixels=event.provenance.width_pixels * event.provenance.upscale,
                        height_pixels=event.provenance.height_pixels * event.provenance.upscale,
                    ),
                    provenance=to_provenance_message(event.provenance),
                    queue_time=_duration(event.queue_seconds),
                    processing_time=_duration(event.processing_seconds),
                    is_reused=event.is_reused,
                )
            )


def to_model_info(model: ModelDescription, *, is_default: bool) -> model_pb2.ModelInfo:
    """Return the message that describes a model."""
    required = sorted(model.required_inputs)
    optional = model.inputs - model.required_inputs
    upscaling = {}
    if len(model.upscales) > 1:
        optional |= {"upscale"}
        # The shape of initial latents depends on it.
        upscaling = {"upscaling": "network" if model.has_upscaler else "latents"}
    if model.default_refiner_start is not None:
        optional |= {"refiner_start"}
    return model_pb2.ModelInfo(
        id=model.id,
        digest=model.digest,
        description=model.description,
        license=model.license,
        is_default=is_default,
        is_ready=True,
        input_spaces=[model.embedding_space.name] if model.embedding_space else [],
        family=model.family,
        inputs=[*required, *sorted(optional)],
        required_input_count=len(required),
        properties={
            "latent_shape": "x".join(map(str, model.latent_shape)),
            "image_size_pixels": "x".join(map(str, model.image_size_pixels)),
            "side_pixels": f"{model.sizes.minimum_pixels} to {model.sizes.maximum_pixels} by "
            f"{model.sizes.multiple_pixels}",
            "default_steps": str(model.default_steps),
            "default_guidance_scale": f"{model.default_guidance_scale:g}",
            "schedulers": " ".join(model.scheduler_names),
            **upscaling,
        },
    )


def to_unavailable_model_info(model: UnavailableModel) -> model_pb2.ModelInfo:
    """Return the message that describes a model which could not be loaded."""
    return model_pb2.ModelInfo(
        id=model.id, is_ready=False, unavailable_reason=model.reason, family=model.family
    )


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration
