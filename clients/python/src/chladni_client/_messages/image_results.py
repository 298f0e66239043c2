"""From messages to results: images, their events and recipes."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from chladni.gateway.v1 import creation_pb2, server_service_pb2
from chladni.gateway.v1 import image_service_pb2 as gateway_pb2
from chladni.generation.v1 import generation_pb2
from chladni_client._messages.audio_results import to_audio_properties, to_descriptor
from chladni_client.types.events import (
    Accepted,
    AudioAnalyzed,
    CreationEvent,
    ImageCreated,
    ImageDrafted,
    Progress,
    Queued,
    RecipeFellBack,
    Started,
)
from chladni_client.types.images import Comparison, CreatedImage, StoredImage
from chladni_client.types.services import Recipe, RecipeNeed
from chladni_contract.provenance_messages import to_provenance


def to_creation_event(response: creation_pb2.CreateImageResponse) -> CreationEvent | None:
    """Return the event of a message; `None` for a heartbeat and for one that this client does not know."""
    event: CreationEvent | None = None
    part = response.part
    match response.WhichOneof("event"):
        case "accepted":
            accepted = response.accepted
            event = Accepted(accepted.operation_id, accepted.seed, accepted.session_token)
        case "analyzed":
            event = AudioAnalyzed(
                to_audio_properties(response.analyzed.audio),
                tuple(map(to_descriptor, response.analyzed.descriptors)),
            )
        case "queued":
            event = Queued(response.queued.position, part)
        case "started":
            event = _to_started(response.started, part)
        case "progress":
            event = _to_progress(response.progress, part)
        case "drafted":
            event = _to_drafted(response.drafted, part)
        case "fell_back":
            event = RecipeFellBack(response.fell_back.reason, response.fell_back.fallback, part)
        case "created":
            event = ImageCreated(_to_created_image(response.created), part)
    return event


def _to_created_image(created: creation_pb2.ImageCreated) -> CreatedImage:
    image = created.image
    return CreatedImage(
        image_id=image.image_id,
        png=created.file.content,
        width_pixels=image.width_pixels,
        height_pixels=image.height_pixels,
        provenance=to_provenance(image.provenance),
        audio=to_audio_properties(image.audio) if image.HasField("audio") else None,
        descriptors=tuple(map(to_descriptor, image.descriptors)),
        processing_seconds=image.processing_time.ToNanoseconds() / 1e9,
        expires_at=_to_datetime(image.expire_time) if image.HasField("expire_time") else None,
        is_reused=image.reused,
    )


def _to_started(started: generation_pb2.GenerationStarted, part: str) -> Started:
    return Started(started.seed, started.total_steps, started.model, started.guidance_scale, part)


def _to_progress(progress: generation_pb2.GenerationProgress, part: str) -> Progress:
    return Progress(
        step=progress.step,
        total_steps=progress.total_steps,
        preview_jpeg=progress.preview.content if progress.HasField("preview") else None,
        elapsed_seconds=progress.elapsed.ToNanoseconds() / 1e9,
        remaining_seconds=(
            progress.remaining.ToNanoseconds() / 1e9 if progress.HasField("remaining") else None
        ),
        part=part,
    )


def _to_drafted(drafted: creation_pb2.ImageDrafted, part: str) -> ImageDrafted:
    return ImageDrafted(
        png=drafted.image.content,
        width_pixels=drafted.image.width_pixels,
        height_pixels=drafted.image.height_pixels,
        provenance=to_provenance(drafted.provenance) if drafted.HasField("provenance") else None,
        part=part,
    )


def to_comparison(message: gateway_pb2.CompareImagesResponse) -> Comparison:
    """Return the comparison that a message holds."""
    return Comparison(message.score, message.cosine, message.model)


def to_stored_image(image_id: str, message: gateway_pb2.GetImageResponse) -> StoredImage:
    """Return the stored image that a message holds."""
    return StoredImage(
        image_id=image_id,
        png=message.file.content,
        created_at=_to_datetime(message.image.create_time) if message.image.HasField("create_time") else None,
        expires_at=_to_datetime(message.image.expire_time) if message.image.HasField("expire_time") else None,
    )


def to_recipe(message: server_service_pb2.Recipe, *, is_default: bool) -> Recipe:
    """Return the recipe that a message holds."""
    return Recipe(
        name=message.name,
        description=message.description,
        is_available=message.available,
        unavailable_reason=message.unavailable_reason,
        is_default=is_default,
        models=tuple(message.models),
        needs=tuple(map(_to_recipe_need, message.requirements)),
        options=tuple(message.options),
        required_options=tuple(message.required_options),
    )


def _to_recipe_need(message: server_service_pb2.RecipeRequirement) -> RecipeNeed:
    return RecipeNeed(
        description=message.description,
        is_met=message.met,
        is_optional=message.has_fallback,
        model=message.model,
        remedy=message.remedy,
    )


def _to_datetime(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(UTC)
