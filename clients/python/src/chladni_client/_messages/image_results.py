"""From messages to results: images, their events, and how alike they are."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from chladni.gateway.v1 import creation_pb2, image_pb2
from chladni.gateway.v1 import image_service_pb2 as gateway_pb2
from chladni.generation.v1 import generation_pb2
from chladni.media.v1 import media_pb2
from chladni_client._messages.audio_results import to_audio_properties, to_descriptor, to_tensor, to_warnings
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
from chladni_client.types.images import CreatedImage, Image, StoredImage
from chladni_client.types.similarity import Alignment, Comparison, ComparisonMatrix, Match
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
                to_warnings(response.analyzed.warnings),
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
        content=created.file.content,
        width_pixels=image.width_pixels,
        height_pixels=image.height_pixels,
        provenance=to_provenance(image.provenance),
        audio=to_audio_properties(image.audio) if image.HasField("audio") else None,
        descriptors=tuple(map(to_descriptor, image.descriptors)),
        processing_seconds=image.processing_time.ToNanoseconds() / 1e9,
        expires_at=to_datetime(image.expire_time) if image.HasField("expire_time") else None,
        is_reused=image.reused,
        warnings=to_warnings(image.warnings),
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
        content=drafted.image.content,
        width_pixels=drafted.image.width_pixels,
        height_pixels=drafted.image.height_pixels,
        provenance=to_provenance(drafted.provenance) if drafted.HasField("provenance") else None,
        part=part,
    )


def to_comparison(message: gateway_pb2.CompareImagesResponse) -> Comparison:
    """Return the comparison that a message holds."""
    return Comparison(message.score, message.cosine, message.model)


def to_comparison_matrix(message: gateway_pb2.CompareImageMatrixResponse) -> ComparisonMatrix:
    """Return the scores that a message holds."""
    return ComparisonMatrix(tuple(message.image_ids), to_tensor(message.scores), message.model)


def to_match(message: gateway_pb2.ImageMatch) -> Match:
    """Return the image that was found."""
    return Match(to_image(message.image), message.score)


def to_alignment(message: gateway_pb2.ScoreAlignmentResponse) -> Alignment:
    """Return the alignment that a message holds."""
    return Alignment(message.score, message.cosine, message.model)


def to_image(message: image_pb2.Image) -> Image:
    """Return the description of an image that a message holds."""
    return Image(
        image_id=message.image_id,
        format=_format_name(message.format),
        size_bytes=message.size_bytes,
        sha256=message.sha256,
        width_pixels=message.width_pixels,
        height_pixels=message.height_pixels,
        created_at=to_datetime(message.create_time) if message.HasField("create_time") else None,
        expires_at=to_datetime(message.expire_time) if message.HasField("expire_time") else None,
        recipe=message.recipe,
        provenance=to_provenance(message.provenance) if message.HasField("provenance") else None,
        audio=to_audio_properties(message.audio) if message.HasField("audio") else None,
        descriptors=tuple(map(to_descriptor, message.descriptors)),
        display_name=message.display_name,
        processing_seconds=message.processing_time.ToNanoseconds() / 1e9,
        is_reused=message.reused,
        warnings=to_warnings(message.warnings),
        is_pinned=message.pinned,
    )


def to_stored_image(message: gateway_pb2.GetImageResponse, content: bytes) -> StoredImage:
    """Return the stored image that a message describes, with its file."""
    return StoredImage(content, to_image(message.image))


def _format_name(number: int) -> str:
    name = (
        media_pb2.ImageFormat.Name(number)
        if number in media_pb2.ImageFormat.values()
        else "IMAGE_FORMAT_UNSPECIFIED"
    )
    return name.removeprefix("IMAGE_FORMAT_").lower()


def to_datetime(timestamp: Timestamp) -> datetime:
    """Return a time in UTC."""
    return timestamp.ToDatetime(UTC)
