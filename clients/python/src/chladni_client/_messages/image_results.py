"""From messages to results: images, their events and recipes."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from chladni.gateway.v1 import audio_to_image_service_pb2 as gateway_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni_client._messages.audio_results import to_audio_properties, to_descriptor
from chladni_client.types.events import (
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


class EventConversion:
    """Converts the messages of one CreateImage stream.

    The image that comes last is described by what came before it, so a conversion belongs to one stream.
    """

    def __init__(self) -> None:
        self._analyzed: AudioAnalyzed | None = None

    def to_event(self, response: gateway_pb2.CreateImageResponse) -> CreationEvent | None:
        """Return the event of a message; `None` for one that this client does not know yet."""
        event: CreationEvent | None = None
        part = response.recipe_stage
        match response.WhichOneof("event"):
            case "analyzed":
                event = self._analyzed = AudioAnalyzed(
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
                event = RecipeFellBack(response.fell_back.reason, response.fell_back.way, part)
            case "created":
                event = ImageCreated(self._to_created_image(response.created), part)
        return event

    def _to_created_image(self, created: gateway_pb2.ImageCreated) -> CreatedImage:
        return CreatedImage(
            image_id=created.image_id,
            png=created.image.content,
            width_pixels=created.image.width_pixels,
            height_pixels=created.image.height_pixels,
            provenance=to_provenance(created.provenance),
            audio=self._analyzed.audio if self._analyzed else None,
            descriptors=self._analyzed.descriptors if self._analyzed else (),
            processing_seconds=created.processing_time.ToNanoseconds() / 1e9,
            expires_at=_to_datetime(created.expire_time) if created.HasField("expire_time") else None,
            is_reused=created.is_reused,
        )


def _to_started(started: image_pb2.GenerationStarted, recipe_stage: str) -> Started:
    return Started(started.seed, started.total_steps, started.model, started.guidance_scale, recipe_stage)


def _to_progress(progress: image_pb2.GenerationProgress, recipe_stage: str) -> Progress:
    return Progress(
        step=progress.step,
        total_steps=progress.total_steps,
        preview_jpeg=progress.preview.content if progress.HasField("preview") else None,
        elapsed_seconds=progress.elapsed.ToNanoseconds() / 1e9,
        remaining_seconds=(
            progress.remaining.ToNanoseconds() / 1e9 if progress.HasField("remaining") else None
        ),
        recipe_stage=recipe_stage,
    )


def _to_drafted(drafted: gateway_pb2.ImageDrafted, recipe_stage: str) -> ImageDrafted:
    return ImageDrafted(
        png=drafted.image.content,
        width_pixels=drafted.image.width_pixels,
        height_pixels=drafted.image.height_pixels,
        provenance=to_provenance(drafted.provenance) if drafted.HasField("provenance") else None,
        recipe_stage=recipe_stage,
    )


def to_comparison(message: gateway_pb2.CompareImagesResponse) -> Comparison:
    """Return the comparison that a message holds."""
    return Comparison(message.score, message.cosine, message.model)


def to_stored_image(image_id: str, message: gateway_pb2.GetImageResponse) -> StoredImage:
    """Return the stored image that a message holds."""
    return StoredImage(
        image_id=image_id,
        png=message.image.content,
        created_at=_to_datetime(message.create_time) if message.HasField("create_time") else None,
        expires_at=_to_datetime(message.expire_time) if message.HasField("expire_time") else None,
    )


def to_recipe(message: gateway_pb2.Recipe) -> Recipe:
    """Return the recipe that a message holds."""
    return Recipe(
        name=message.name,
        description=message.description,
        is_available=message.is_available,
        unavailable_reason=message.unavailable_reason,
        is_default=message.is_default,
        models=tuple(message.models),
        needs=tuple(map(_to_recipe_need, message.needs)),
        options=tuple(message.options),
        required_options=tuple(message.required_options),
    )


def _to_recipe_need(message: gateway_pb2.RecipeNeed) -> RecipeNeed:
    return RecipeNeed(
        description=message.description,
        is_met=message.is_met,
        is_optional=message.is_optional,
        model=message.model,
        remedy=message.remedy,
    )


def _to_datetime(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(UTC)
