"""Messages of the services behind the gateway, to and from the domain."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final, Protocol

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.media.v1 import media_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_gateway.backends.tensors import to_rows
from chladni_gateway.collaborators import GenerationOrder, ModelSummary, PreviewRequest, Priority
from chladni_gateway.events import Completed, GenerationEvent, Progressed, Queued, Started
from chladni_gateway.live_sounds import LiveEvent, LiveFrames, LiveSummary
from chladni_gateway.pictures import Picture, Provenance
from chladni_gateway.recordings import AudioProperties, Descriptor, Embedding, SoundFeatures

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chladni.model.v1 import model_pb2

_MEDIA_TYPES: Final = {
    media_pb2.IMAGE_FORMAT_UNSPECIFIED: "",
    media_pb2.IMAGE_FORMAT_PNG: "image/png",
    media_pb2.IMAGE_FORMAT_JPEG: "image/jpeg",
}
_IMAGE_FORMATS: Final = {media_type: number for number, media_type in _MEDIA_TYPES.items()}
_PRIORITIES: Final = {
    Priority.INTERACTIVE: image_pb2.PRIORITY_INTERACTIVE,
    Priority.BATCH: image_pb2.PRIORITY_BATCH,
}


class ModelsResponse(Protocol):
    """Response of any service's GetModels."""

    @property
    def models(self) -> Iterable[model_pb2.ModelInfo]:
        """The models."""
        ...


def to_model_summaries(response: ModelsResponse) -> tuple[ModelSummary, ...]:
    """Returns the models of a response."""
    return tuple(
        ModelSummary(
            name=model.id,
            is_default=model.is_default,
            is_ready=model.is_ready,
            input_spaces=tuple(model.input_spaces),
            output_space=model.output_space,
        )
        for model in response.models
    )


def to_sound_features(response: audio_pb2.ExtractFeaturesResponse) -> SoundFeatures:
    """Returns the features of a response."""
    audio, embedding = response.audio, response.embedding
    return SoundFeatures(
        audio=AudioProperties(
            format=media_pb2.AudioFormat.Name(audio.format).removeprefix("AUDIO_FORMAT_").lower(),
            sample_rate_hz=audio.sample_rate_hz,
            channel_count=audio.channel_count,
            duration_seconds=audio.duration_seconds,
            sha256=audio.sha256,
        ),
        descriptors=_to_descriptors(response.descriptors),
        embedding=Embedding(
            space=embedding.space,
            shape=tuple(embedding.values.shape),
            data=embedding.values.data,
            component_names=tuple(embedding.component_names),
        ),
    )


def to_live_event(response: audio_pb2.StreamFeaturesResponse, *, sender: str) -> LiveEvent | None:
    """Returns the event of a response; `None` for one that this gateway does not know.

    Args:
        response: The response.
        sender: Name of the service that sent it, for the error.

    Raises:
        FaultError: Its numbers are not what the contract says.
    """
    match response.WhichOneof("event"):
        case "frames":
            frames = response.frames
            has_level = frames.HasField("level")
            bins = to_rows(frames.power_db, sender=sender)
            return LiveFrames(
                first_frame=frames.first_frame,
                mel_bin_count=len(bins),
                power_db=tuple(zip(*bins, strict=True)),
                level_dbfs=frames.level.rms_dbfs if has_level else None,
                peak_dbfs=frames.level.peak_dbfs if has_level else None,
            )
        case "summary":
            summary = response.summary
            return LiveSummary(
                summary.frame_count, summary.duration_seconds, _to_descriptors(summary.descriptors)
            )
        case _:
            return None


def to_generate_request(order: GenerationOrder) -> image_pb2.GenerateImageRequest:
    """Returns the request for an order."""
    settings = order.settings
    return image_pb2.GenerateImageRequest(
        conditioning=image_pb2.Conditioning(audio_embedding=to_embedding_message(order.embedding)),
        seed=settings.seed,
        steps=settings.steps,
        guidance_scale=settings.guidance_scale,
        scheduler=settings.scheduler,
        width_pixels=settings.width_pixels,
        height_pixels=settings.height_pixels,
        previews=_to_preview_options(settings.previews),
        origin=image_pb2.Origin(recipe=order.recipe, audio_sha256=order.audio_sha256),
        priority=_PRIORITIES[settings.priority],
        exact=settings.exact,
        bypass_cache=settings.bypass_cache,
    )


def to_generation_event(response: image_pb2.GenerateImageResponse) -> GenerationEvent | None:
    """Returns the event of a response; `None` for one that this gateway does not know."""
    match response.WhichOneof("event"):
        case "queued":
            return Queued(response.queued.position)
        case "started":
            started = response.started
            return Started(started.seed, started.total_steps, started.model, started.guidance_scale)
        case "progress":
            return _to_progressed(response.progress)
        case "completed":
            completed = response.completed
            return Completed(
                to_picture(completed.image), to_provenance(completed.provenance), completed.is_reused
            )
        case _:
            return None


def to_picture(image: media_pb2.Image) -> Picture:
    """Returns the picture of a message."""
    return Picture(image.content, _MEDIA_TYPES.get(image.format, ""), image.width_pixels, image.height_pixels)


def to_image_message(picture: Picture) -> media_pb2.Image:
    """Returns the message of a picture."""
    return media_pb2.Image(
        content=picture.content,
        format=_IMAGE_FORMATS.get(picture.media_type, media_pb2.IMAGE_FORMAT_UNSPECIFIED),
        width_pixels=picture.width_pixels,
        height_pixels=picture.height_pixels,
    )


def to_embedding_message(embedding: Embedding) -> tensor_pb2.Embedding:
    """Returns the message of an embedding."""
    return tensor_pb2.Embedding(
        space=embedding.space,
        values=tensor_pb2.Tensor(
            dtype=tensor_pb2.DATA_TYPE_FLOAT32, shape=embedding.shape, data=embedding.data
        ),
        component_names=embedding.component_names,
    )


def to_provenance(message: image_pb2.Provenance) -> Provenance:
    """Returns the provenance of a message, which has the same fields."""
    values = {field.name: getattr(message, field.name) for field in fields(Provenance)}
    return Provenance(**{**values, "library_versions": dict(message.library_versions)})


def _to_descriptors(messages: Iterable[audio_pb2.Descriptor]) -> tuple[Descriptor, ...]:
    return tuple(
        Descriptor(item.name, item.value, item.unit, item.minimum, item.maximum, item.description)
        for item in messages
    )


def _to_progressed(progress: image_pb2.GenerationProgress) -> Progressed:
    return Progressed(
        step=progress.step,
        total_steps=progress.total_steps,
        preview=to_picture(progress.preview) if progress.HasField("preview") else None,
        elapsed_seconds=progress.elapsed.ToTimedelta().total_seconds(),
        remaining_seconds=progress.remaining.ToTimedelta().total_seconds()
        if progress.HasField("remaining")
        else None,
    )


def _to_preview_options(previews: PreviewRequest | None) -> image_pb2.PreviewOptions | None:
    if previews is None:
        return None
    return image_pb2.PreviewOptions(interval_steps=previews.interval_steps, size_pixels=previews.size_pixels)
