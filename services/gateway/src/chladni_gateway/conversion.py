"""Messages of `chladni.gateway.v1` to and from the domain."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from google.protobuf import duration_pb2, timestamp_pb2

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.gateway.v1 import audio_to_image_service_pb2 as gateway_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.media.v1 import media_pb2
from chladni_gateway.backends.conversion import to_image_message, to_picture
from chladni_gateway.collaborators import GenerationSettings, Likeness, PreviewRequest, Priority
from chladni_gateway.creation_request import CreationRequest
from chladni_gateway.events import Analyzed, Created, CreationEvent, Progressed, Queued, Started
from chladni_gateway.image_store import StoredImage, parse_image_id
from chladni_gateway.pictures import Picture, Provenance
from chladni_gateway.recordings import AudioProperties, Recording
from chladni_gateway.stages import Stage
from chladni_runtime.errors import InvalidInputError, Reason

if TYPE_CHECKING:
    from datetime import datetime

    from chladni_gateway.image_comparison import PictureSource
    from chladni_gateway.recipes import RecipeDescription

_STAGES: Final = {
    Stage.VALIDATION: gateway_pb2.STAGE_VALIDATION,
    Stage.AUDIO_FEATURES: gateway_pb2.STAGE_AUDIO_FEATURES,
    Stage.IMAGE_GENERATION: gateway_pb2.STAGE_IMAGE_GENERATION,
    Stage.STORAGE: gateway_pb2.STAGE_STORAGE,
    Stage.SIMILARITY: gateway_pb2.STAGE_SIMILARITY,
}
_PRIORITIES: Final = {
    image_pb2.PRIORITY_UNSPECIFIED: Priority.INTERACTIVE,
    image_pb2.PRIORITY_INTERACTIVE: Priority.INTERACTIVE,
    image_pb2.PRIORITY_BATCH: Priority.BATCH,
}


def to_creation_request(message: gateway_pb2.CreateImageRequest, *, caller: str) -> CreationRequest:
    """Returns what a CreateImage request asks for.

    Args:
        message: The request.
        caller: Who asks.

    Raises:
        InvalidInputError: It names a priority that this gateway does not know.
    """
    return CreationRequest(
        recording=Recording(message.audio.content, message.audio.display_name),
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
        caller=caller,
    )


def to_event_message(event: CreationEvent) -> gateway_pb2.CreateImageResponse:
    """Returns the message of an event."""
    message = gateway_pb2.CreateImageResponse(stage=_STAGES[event.stage])
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
        case Created():
            message.created.CopyFrom(_to_created_message(event))
    return message


def to_picture_source(reference: gateway_pb2.ImageReference, *, field: str) -> PictureSource:
    """Returns the picture that a reference means.

    Raises:
        InvalidInputError: It means none, or its identifier is no UUID.
    """
    match reference.WhichOneof("source"):
        case "image_id":
            return parse_image_id(reference.image_id, field=f"{field}.image_id")
        case "image":
            return to_picture(reference.image)
        case _:
            raise InvalidInputError(
                Reason.MISSING_FIELD,
                f"{field} is missing; give the identifier of an image, or an image.",
                field=field,
            )


def to_comparison_message(likeness: Likeness) -> gateway_pb2.CompareImagesResponse:
    """Returns the message of a comparison."""
    return gateway_pb2.CompareImagesResponse(
        score=likeness.score, cosine=likeness.cosine, model=likeness.model
    )


def to_stored_image_message(image: StoredImage) -> gateway_pb2.GetImageResponse:
    """Returns the message of a stored picture."""
    record = image.record
    picture = Picture(image.content, "image/png", record.width_pixels, record.height_pixels)
    return gateway_pb2.GetImageResponse(
        image=to_image_message(picture),
        create_time=_to_timestamp(record.created_at),
        expire_time=_to_timestamp(record.expires_at),
    )


def to_recipe_message(recipe: RecipeDescription) -> gateway_pb2.Recipe:
    """Returns the message of a recipe."""
    return gateway_pb2.Recipe(
        name=recipe.name,
        description=recipe.description,
        is_available=not recipe.availability.obstacle,
        unavailable_reason=recipe.availability.obstacle,
        is_default=recipe.is_default,
        models=recipe.availability.models,
    )


def _to_preview_request(message: image_pb2.PreviewOptions) -> PreviewRequest:
    size_pixels = message.size_pixels if message.HasField("size_pixels") else None
    return PreviewRequest(message.interval_steps, size_pixels)


def _to_priority(number: image_pb2.Priority) -> Priority:
    priority = _PRIORITIES.get(number)
    if priority is None:
        raise InvalidInputError(
            Reason.INVALID_FIELD,
            f"priority is {number}, must be one of {', '.join(image_pb2.Priority.keys())}.",
            field="priority",
        )
    return priority


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


def _to_created_message(event: Created) -> gateway_pb2.ImageCreated:
    record = event.record
    return gateway_pb2.ImageCreated(
        image_id=str(record.image_id),
        image=to_image_message(event.picture),
        provenance=_to_provenance_message(record.provenance),
        processing_time=_to_duration(record.processing_seconds),
        expire_time=_to_timestamp(record.expires_at),
        is_reused=record.is_reused,
    )


def _to_provenance_message(provenance: Provenance) -> image_pb2.Provenance:
    return image_pb2.Provenance(**asdict(provenance))


def _to_duration(seconds: float) -> duration_pb2.Duration:
    message = duration_pb2.Duration()
    message.FromTimedelta(timedelta(seconds=seconds))
    return message


def _to_timestamp(moment: datetime) -> timestamp_pb2.Timestamp:
    message = timestamp_pb2.Timestamp()
    message.FromDatetime(moment)
    return message
