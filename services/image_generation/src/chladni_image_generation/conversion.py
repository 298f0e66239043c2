"""Between the messages of ``chladni.image.v1`` and the domain."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Final

import numpy as np
from google.protobuf.duration_pb2 import Duration

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.media.v1 import media_pb2
from chladni.model.v1 import model_pb2
from chladni_image_generation.generation import (
    MAX_SEED,
    Completed,
    GenerationEvent,
    GenerationRequest,
    PreviewWish,
    Progress,
    Queued,
    Started,
)
from chladni_image_generation.model import ImageSizes, ModelDescription
from chladni_image_generation.turns import Claim, Priority
from chladni_runtime.errors import NotFoundError, Reason
from chladni_runtime.tensors import to_array
from chladni_runtime.validation import RequestValidator

_EMBEDDING: Final = "conditioning.audio_embedding"
_MAX_GUIDANCE_SCALE: Final = 30
_MAX_RECIPE_LENGTH: Final = 64
# Fields of the contract that models of other families take; ignoring one would mislead the caller.
_FOREIGN_CONDITIONS: Final = ("initial_latents", "initial_image", "strength")
_FOREIGN_TEXTS: Final = ("prompt", "negative_prompt")
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
    """Returns the request that a message asks for, with the model's defaults where it is silent.

    Args:
        message: The message.
        model: The served model.
        max_steps: Denoising steps at most.
        draw_seed: Gives a seed where the message has none.

    Raises:
        NotFoundError: The message names another model.
        InvalidFieldsError: Fields are missing or out of range; all are reported.
        InvalidInputError: The embedding's tensor is malformed.
    """
    if message.model not in {"", model.id}:
        raise NotFoundError(
            Reason.UNKNOWN_MODEL, f"There is no model {message.model!r} here; there is {model.id!r}."
        )
    steps = message.steps if message.HasField("steps") else model.default_steps
    guidance_scale = (
        message.guidance_scale if message.HasField("guidance_scale") else model.default_guidance_scale
    )
    scheduler = message.scheduler or model.scheduler_names[0]
    native_width, native_height = model.image_size_pixels
    width_pixels = message.width_pixels if message.HasField("width_pixels") else native_width
    height_pixels = message.height_pixels if message.HasField("height_pixels") else native_height

    validator = RequestValidator()
    validator.check_range("steps", steps, minimum=1, maximum=max_steps)
    validator.check_range("guidance_scale", guidance_scale, minimum=1, maximum=_MAX_GUIDANCE_SCALE)
    validator.check(
        "scheduler",
        valid=scheduler in model.scheduler_names,
        description=f"must be one of {', '.join(model.scheduler_names)}.",
    )
    _check_side(validator, "width_pixels", width_pixels, model.sizes)
    _check_side(validator, "height_pixels", height_pixels, model.sizes)
    validator.check(
        "priority", valid=message.priority in _PRIORITIES, description="is no known priority; omit it."
    )
    _check_previews(validator, message.previews)
    validator.check(
        "origin.recipe",
        valid=len(message.origin.recipe) <= _MAX_RECIPE_LENGTH,
        description=f"must have at most {_MAX_RECIPE_LENGTH} characters.",
    )
    validator.check_pattern(
        "origin.audio_sha256",
        message.origin.audio_sha256,
        pattern="([0-9a-f]{64})?",
        meaning="64 lower-case hexadecimal digits, or empty",
    )
    _check_conditioning(validator, message.conditioning, model)
    validator.raise_if_invalid()
    embedding = to_array(
        message.conditioning.audio_embedding.values,
        field=f"{_EMBEDDING}.values",
        dtype=np.float32,
        shape=(model.embedding_size,),
    )
    validator.check(
        f"{_EMBEDDING}.values",
        valid=bool(embedding.min() >= 0 and embedding.max() <= 1),
        description="must hold values from 0 to 1.",
    )
    validator.raise_if_invalid()
    return GenerationRequest(
        audio_embedding=embedding,
        seed=message.seed if message.HasField("seed") else draw_seed() % (MAX_SEED + 1),
        steps=steps,
        guidance_scale=guidance_scale,
        scheduler=scheduler,
        width_pixels=width_pixels,
        height_pixels=height_pixels,
        exact=message.exact if message.HasField("exact") else True,
        recipe=message.origin.recipe,
        audio_sha256=message.origin.audio_sha256,
    )


def to_preview_wish(message: image_pb2.GenerateImageRequest) -> PreviewWish:
    """Returns which previews a message asks for."""
    previews = message.previews
    if not previews.HasField("size_pixels"):
        return PreviewWish(previews.interval_steps)
    return PreviewWish(previews.interval_steps, previews.size_pixels)


def to_claim(message: image_pb2.GenerateImageRequest, caller: str) -> Claim:
    """Returns a caller's claim to the model."""
    return Claim(caller, _PRIORITIES[message.priority])


def _check_side(validator: RequestValidator, field: str, pixels: int, sizes: ImageSizes) -> None:
    if sizes.minimum_pixels == sizes.maximum_pixels:
        wanted = f"{sizes.minimum_pixels} pixels, the only size of this model; or leave it out"
    else:
        limits = f"from {sizes.minimum_pixels} to {sizes.maximum_pixels}"
        wanted = f"a multiple of {sizes.multiple_pixels} pixels {limits}"
    validator.check(field, valid=pixels in sizes, description=f"is {pixels}, must be {wanted}.")


def _check_previews(validator: RequestValidator, previews: image_pb2.PreviewOptions) -> None:
    if previews.HasField("size_pixels"):
        validator.check_range(
            "previews.size_pixels", previews.size_pixels, minimum=16, maximum=512, unit="pixels"
        )


def _check_conditioning(
    validator: RequestValidator, conditioning: image_pb2.Conditioning, model: ModelDescription
) -> None:
    foreign = [field for field in _FOREIGN_CONDITIONS if conditioning.HasField(field)]
    foreign += [field for field in _FOREIGN_TEXTS if getattr(conditioning, field)]
    for field in foreign:
        validator.check(
            f"conditioning.{field}",
            valid=False,
            description=f"is not taken by model {model.id!r}; leave it out.",
        )
    has_embedding = conditioning.HasField("audio_embedding")
    validator.require(
        _EMBEDDING,
        present=has_embedding,
        hint=f"send an embedding in space {model.embedding_space!r}, as ExtractFeatures returns it",
    )
    if has_embedding:
        validator.check(
            f"{_EMBEDDING}.space",
            valid=conditioning.audio_embedding.space == model.embedding_space,
            description=f"must be {model.embedding_space!r}, the space that model {model.id!r} takes.",
        )


def to_event_message(event: GenerationEvent, model: ModelDescription) -> image_pb2.GenerateImageResponse:
    """Returns the message that tells of an event."""
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
                        width_pixels=event.provenance.width_pixels,
                        height_pixels=event.provenance.height_pixels,
                    ),
                    provenance=image_pb2.Provenance(**asdict(event.provenance)),
                    queue_time=_duration(event.queue_seconds),
                    processing_time=_duration(event.processing_seconds),
                    is_reused=event.is_reused,
                )
            )


def to_model_info(model: ModelDescription) -> model_pb2.ModelInfo:
    """Returns the message that describes a model."""
    return model_pb2.ModelInfo(
        id=model.id,
        digest=model.digest,
        description=model.description,
        license=model.license,
        is_default=True,
        is_ready=True,
        input_spaces=[model.embedding_space],
        properties={
            "latent_shape": "x".join(map(str, model.latent_shape)),
            "image_size_pixels": "x".join(map(str, model.image_size_pixels)),
            "side_pixels": f"{model.sizes.minimum_pixels} to {model.sizes.maximum_pixels} by "
            f"{model.sizes.multiple_pixels}",
            "default_steps": str(model.default_steps),
            "default_guidance_scale": f"{model.default_guidance_scale:g}",
            "schedulers": " ".join(model.scheduler_names),
        },
    )


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration
