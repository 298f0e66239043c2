"""Messages of `chladni.gateway.v1` to and from the domain, and of what happens on the way to an image."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from google.protobuf import duration_pb2, timestamp_pb2

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.gateway.v1 import audio_to_image_service_pb2 as gateway_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.media.v1 import media_pb2
from chladni_contract.errors import InvalidInputError, Reason
from chladni_contract.provenance_messages import to_provenance_message
from chladni_gateway.backends.messages import to_image, to_image_message
from chladni_gateway.domain.audio import AudioClip
from chladni_gateway.domain.events import (
    Analyzed,
    Created,
    CreationEvent,
    Drafted,
    FellBack,
    Progressed,
    Queued,
    Started,
)
from chladni_gateway.domain.generation import GenerationSettings, PreviewRequest, Priority
from chladni_gateway.domain.image_store import StoredImage, parse_image_id
from chladni_gateway.domain.images import Image
from chladni_gateway.domain.recipe_options import NoiseMode, RecipeOptions
from chladni_gateway.domain.request import CreationRequest
from chladni_gateway.domain.stages import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from chladni_gateway.domain.audio import AudioProperties
    from chladni_gateway.domain.ports import ImageSimilarity
    from chladni_gateway.models.availability import Requirement
    from chladni_gateway.recipes.base import RecipeDescription
    from chladni_gateway.similarity.comparison import ImageSource

_PRIORITIES: Final = {
    image_pb2.PRIORITY_UNSPECIFIED: Priority.INTERACTIVE,
    image_pb2.PRIORITY_INTERACTIVE: Priority.INTERACTIVE,
    image_pb2.PRIORITY_BATCH: Priority.BATCH,
}
_NOISE_MODES: Final = {
    gateway_pb2.NOISE_MODE_UNSPECIFIED: None,
    gateway_pb2.NOISE_MODE_RAW: NoiseMode.RAW,
    gateway_pb2.NOISE_MODE_BLEND: NoiseMode.BLEND,
    gateway_pb2.NOISE_MODE_DCT: NoiseMode.DCT,
}


def to_creation_request(message: gateway_pb2.CreateImageRequest, *, caller: str) -> CreationRequest:
    """Return what a CreateImage request asks for.

    Args:
        message: The request.
        caller: Who asks.

    Raises:
        InvalidInputError: It names a priority or a noise mode that this gateway does not know.
    """
    return CreationRequest(
        clip=AudioClip(message.audio.content, message.audio.display_name),
        recipe=message.recipe,
        settings=GenerationSettings(
            seed=message.seed if message.HasField("seed") else None,
            steps=message.steps if message.HasField("steps") else None,
            guidance_scale=message.guidance_scale if message.HasField("guidance_scale") else None,
            scheduler=message.scheduler,
            width_pixels=message.width_pixels if message.HasField("width_pixels") else None,
            height_pixels=message.height_pixels if message.HasField("height_pixels") else None,
            previews=_to_preview_request(message.previews) if message.HasField("previews") else None,
            priority=_to_priority(message.priority),
            exact=message.exact if message.HasField("exact") else True,
            bypass_cache=message.bypass_cache,
        ),
        options=_to_options(message),
        caller=caller,
    )


def to_image_source(reference: gateway_pb2.ImageReference, *, field: str) -> ImageSource:
    """Return the image that a reference means.

    Raises:
        InvalidInputError: It means none, or its identifier is no UUID.
    """
    match reference.WhichOneof("source"):
        case "image_id":
            return parse_image_id(reference.image_id, field=f"{field}.image_id")
        case "image":
            return to_image(reference.image)
        case _:
            raise InvalidInputError(
                Reason.MISSING_FIELD,
                f"{field} is missing; give the identifier of an image, or an image.",
                field=field,
            )


def to_comparison_message(similarity: ImageSimilarity) -> gateway_pb2.CompareImagesResponse:
    """Return the message of a comparison."""
    return gateway_pb2.CompareImagesResponse(
        score=similarity.score, cosine=similarity.cosine, model=similarity.model
    )


def to_stored_image_message(stored: StoredImage) -> gateway_pb2.GetImageResponse:
    """Return the message of a stored image."""
    record = stored.record
    image = Image(stored.content, "image/png", record.width_pixels, record.height_pixels)
    return gateway_pb2.GetImageResponse(
        image=to_image_message(image),
        create_time=to_timestamp(record.created_at),
        expire_time=to_timestamp(record.expires_at),
    )


def to_recipe_message(recipe: RecipeDescription) -> gateway_pb2.Recipe:
    """Return the message of a recipe."""
    return gateway_pb2.Recipe(
        name=recipe.name,
        description=recipe.description,
        is_available=not recipe.availability.unavailable_reason,
        unavailable_reason=recipe.availability.unavailable_reason,
        is_default=recipe.is_default,
        models=recipe.availability.models,
        needs=map(_to_requirement_message, recipe.availability.requirements),
        options=recipe.options,
        required_options=recipe.required_options,
    )


def _to_options(message: gateway_pb2.CreateImageRequest) -> RecipeOptions:
    if message.noise_mode not in _NOISE_MODES:
        raise _unknown_value("noise_mode", message.noise_mode, gateway_pb2.NoiseMode.keys())
    return RecipeOptions(
        prompt=message.prompt.strip(),
        negative_prompt=message.negative_prompt.strip(),
        strength=message.strength if message.HasField("strength") else None,
        model=message.model,
        noise_mode=_NOISE_MODES[message.noise_mode],
        noise_weight=message.noise_weight if message.HasField("noise_weight") else None,
        upscale=message.upscale if message.HasField("upscale") else None,
        refiner_start=message.refiner_start if message.HasField("refiner_start") else None,
    )


def _to_requirement_message(requirement: Requirement) -> gateway_pb2.RecipeNeed:
    return gateway_pb2.RecipeNeed(
        description=requirement.description,
        is_met=requirement.is_met,
        is_optional=requirement.is_optional,
        model=requirement.model,
        remedy=requirement.remedy,
    )


def _to_preview_request(message: image_pb2.PreviewOptions) -> PreviewRequest:
    size_pixels = message.size_pixels if message.HasField("size_pixels") else None
    return PreviewRequest(message.interval_steps, size_pixels)


def _to_priority(number: image_pb2.Priority) -> Priority:
    priority = _PRIORITIES.get(number)
    if priority is None:
        raise _unknown_value("priority", number, image_pb2.Priority.keys())
    return priority


def _unknown_value(field: str, number: int, names: Iterable[str]) -> InvalidInputError:
    allowed = ", ".join(names)
    return InvalidInputError(
        Reason.INVALID_FIELD,
        f"{field} is {number}, must be one of {allowed}.",
        field=field,
        metadata={"value": number, "allowed": allowed},
    )


_STAGES: Final = {
    Stage.VALIDATION: gateway_pb2.STAGE_VALIDATION,
    Stage.AUDIO_FEATURES: gateway_pb2.STAGE_AUDIO_FEATURES,
    Stage.IMAGE_GENERATION: gateway_pb2.STAGE_IMAGE_GENERATION,
    Stage.STORAGE: gateway_pb2.STAGE_STORAGE,
    Stage.SIMILARITY: gateway_pb2.STAGE_SIMILARITY,
}


def to_event_message(event: CreationEvent) -> gateway_pb2.CreateImageResponse:
    """Return the message of an event."""
    message = gateway_pb2.CreateImageResponse(stage=_STAGES[event.stage])
    if not isinstance(event, Analyzed):
        message.recipe_stage = event.recipe_stage
    match event:
        case Analyzed():
            message.analyzed.audio.CopyFrom(_to_audio_message(event.audio))
            message.analyzed.descriptors.extend(
                audio_pb2.Descriptor(**asdict(descriptor)) for descriptor in event.descriptors
            )
        case Queued():
            message.queued.position = event.position
            message.queued.SetInParent()
        case Started():
            message.started.CopyFrom(
                image_pb2.GenerationStarted(
                    seed=event.seed,
                    total_steps=event.total_steps,
                    model=event.model,
                    guidance_scale=event.guidance_scale,
                )
            )
        case Progressed():
            message.progress.CopyFrom(_to_progress_message(event))
        case Drafted():
            message.drafted.CopyFrom(_to_drafted_message(event))
        case FellBack():
            message.fell_back.CopyFrom(gateway_pb2.RecipeFellBack(reason=event.reason, way=event.way))
        case Created():
            message.created.CopyFrom(_to_created_message(event))
    return message


def to_timestamp(moment: datetime) -> timestamp_pb2.Timestamp:
    """Return the message of a moment."""
    message = timestamp_pb2.Timestamp()
    message.FromDatetime(moment)
    return message


def _to_audio_message(audio: AudioProperties) -> media_pb2.AudioProperties:
    values = asdict(audio)
    values["format"] = media_pb2.AudioFormat.Value(f"AUDIO_FORMAT_{audio.format.upper()}")
    return media_pb2.AudioProperties(**values)


def _to_progress_message(event: Progressed) -> image_pb2.GenerationProgress:
    return image_pb2.GenerationProgress(
        step=event.step,
        total_steps=event.total_steps,
        preview=to_image_message(event.preview) if event.preview else None,
        elapsed=_to_duration(event.elapsed_seconds),
        remaining=None if event.remaining_seconds is None else _to_duration(event.remaining_seconds),
    )


def _to_drafted_message(event: Drafted) -> gateway_pb2.ImageDrafted:
    return gateway_pb2.ImageDrafted(
        image=to_image_message(event.image) if event.image else None,
        provenance=to_provenance_message(event.provenance) if event.provenance else None,
    )


def _to_created_message(event: Created) -> gateway_pb2.ImageCreated:
    record = event.record
    return gateway_pb2.ImageCreated(
        image_id=str(record.image_id),
        image=to_image_message(event.image),
        provenance=to_provenance_message(record.provenance),
        processing_time=_to_duration(record.processing_seconds),
        expire_time=to_timestamp(record.expires_at),
        is_reused=record.is_reused,
    )


def _to_duration(seconds: float) -> duration_pb2.Duration:
    message = duration_pb2.Duration()
    message.FromTimedelta(timedelta(seconds=seconds))
    return message
