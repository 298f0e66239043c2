"""Messages of what happens on the way to an image."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from google.protobuf import duration_pb2, timestamp_pb2

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.gateway.v1 import audio_to_image_service_pb2 as gateway_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.media.v1 import media_pb2
from chladni_contract.provenance_messages import to_provenance_message
from chladni_gateway.backends.messages import to_image_message
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
from chladni_gateway.domain.stages import Stage

if TYPE_CHECKING:
    from datetime import datetime

    from chladni_gateway.domain.audio import AudioProperties

_STAGES: Final = {
    Stage.VALIDATION: gateway_pb2.STAGE_VALIDATION,
    Stage.AUDIO_FEATURES: gateway_pb2.STAGE_AUDIO_FEATURES,
    Stage.IMAGE_GENERATION: gateway_pb2.STAGE_IMAGE_GENERATION,
    Stage.STORAGE: gateway_pb2.STAGE_STORAGE,
    Stage.SIMILARITY: gateway_pb2.STAGE_SIMILARITY,
}


def to_event_message(event: CreationEvent) -> gateway_pb2.CreateImageResponse:
    """Returns the message of an event."""
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
    """Returns the message of a moment."""
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
