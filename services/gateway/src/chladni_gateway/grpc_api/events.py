"""What happens on the way to an image, to messages of `chladni.gateway.v1`."""

from __future__ import annotations

from typing import Final

from chladni.gateway.v1 import creation_pb2
from chladni.generation.v1 import generation_pb2
from chladni_contract.provenance_messages import to_provenance_message
from chladni_contract.warnings import to_warning_message
from chladni_gateway.backends.messages import to_image_message
from chladni_gateway.creation.job import Done
from chladni_gateway.domain.events import (
    Accepted,
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
from chladni_gateway.grpc_api.images import (
    to_audio_message,
    to_descriptor_messages,
    to_duration,
    to_file_message,
    to_owned_image_message,
)

STAGES: Final = {
    Stage.VALIDATION: creation_pb2.STAGE_VALIDATION,
    Stage.AUDIO_FEATURES: creation_pb2.STAGE_AUDIO_FEATURES,
    Stage.IMAGE_GENERATION: creation_pb2.STAGE_IMAGE_GENERATION,
    Stage.STORAGE: creation_pb2.STAGE_STORAGE,
    Stage.SIMILARITY: creation_pb2.STAGE_SIMILARITY,
}


def to_event_message(
    event: CreationEvent | Done, *, session_token: str = ""
) -> creation_pb2.CreateImageResponse:
    """Return the message of an event.

    Args:
        event: The event.
        session_token: Token that was drawn for the call; empty if it brought one.
    """
    message = creation_pb2.CreateImageResponse(stage=STAGES[event.stage])
    match event:
        case Accepted():
            message.accepted.operation_id = str(event.operation_id)
            message.accepted.seed = event.seed
            message.accepted.session_token = session_token
        case Analyzed():
            message.analyzed.audio.CopyFrom(to_audio_message(event.audio))
            message.analyzed.descriptors.extend(to_descriptor_messages(event.descriptors))
            message.analyzed.warnings.extend(map(to_warning_message, event.warnings))
        case Created() | Done():
            message.part = event.part
            _set_created(message.created, event)
        case _:
            message.part = event.part
            _set_event_of_part(message, event)
    return message


def _set_event_of_part(
    message: creation_pb2.CreateImageResponse, event: Queued | Started | Progressed | Drafted | FellBack
) -> None:
    match event:
        case Queued():
            message.queued.position = event.position
            message.queued.SetInParent()
        case Started():
            message.started.CopyFrom(
                generation_pb2.GenerationStarted(
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
            message.fell_back.reason = event.reason
            message.fell_back.fallback = event.fallback


def _set_created(message: creation_pb2.ImageCreated, event: Created | Done) -> None:
    message.image.CopyFrom(to_owned_image_message(event.record))
    file = to_file_message(event.image) if isinstance(event, Created) else None
    if file is not None:
        message.file.CopyFrom(file)


def _to_progress_message(event: Progressed) -> generation_pb2.GenerationProgress:
    return generation_pb2.GenerationProgress(
        step=event.step,
        total_steps=event.total_steps,
        preview=to_image_message(event.preview) if event.preview else None,
        elapsed=to_duration(event.elapsed_seconds),
        remaining=None if event.remaining_seconds is None else to_duration(event.remaining_seconds),
    )


def _to_drafted_message(event: Drafted) -> creation_pb2.ImageDrafted:
    return creation_pb2.ImageDrafted(
        image=to_image_message(event.image) if event.image else None,
        provenance=to_provenance_message(event.provenance) if event.provenance else None,
    )
