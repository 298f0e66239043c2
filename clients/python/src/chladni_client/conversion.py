"""From messages to results."""

from datetime import UTC, datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.gateway.v1 import audio_to_image_service_pb2 as gateway_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.media.v1 import media_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_client.errors import FaultError
from chladni_client.events import CreationEvent, ImageCreated, Progress, Queued, SoundAnalyzed, Started
from chladni_client.images import Comparison, CreatedImage, Provenance, StoredImage
from chladni_client.services import Recipe
from chladni_client.sounds import (
    Descriptor,
    Embedding,
    SoundFeatures,
    SoundProperties,
    Spectrogram,
    Tensor,
)

_DTYPES: Final = {
    tensor_pb2.DATA_TYPE_FLOAT32: "<f4",
    tensor_pb2.DATA_TYPE_FLOAT16: "<f2",
    tensor_pb2.DATA_TYPE_UINT8: "|u1",
    tensor_pb2.DATA_TYPE_INT16: "<i2",
    tensor_pb2.DATA_TYPE_INT64: "<i8",
}


class EventConversion:
    """Converts the messages of one CreateImage stream.

    The image that comes last is described by what came before it, so a conversion belongs to one stream.
    """

    def __init__(self) -> None:
        self._analyzed: SoundAnalyzed | None = None

    def to_event(self, response: gateway_pb2.CreateImageResponse) -> CreationEvent | None:
        """Returns the event of a message; `None` for one that this client does not know yet."""
        match response.WhichOneof("event"):
            case "analyzed":
                self._analyzed = SoundAnalyzed(
                    to_sound_properties(response.analyzed.audio),
                    tuple(map(to_descriptor, response.analyzed.descriptors)),
                )
                return self._analyzed
            case "queued":
                return Queued(response.queued.position)
            case "started":
                return _to_started(response.started)
            case "progress":
                return _to_progress(response.progress)
            case "created":
                return ImageCreated(self._to_created_image(response.created))
            case _:
                return None

    def _to_created_image(self, created: gateway_pb2.ImageCreated) -> CreatedImage:
        return CreatedImage(
            image_id=created.image_id,
            png=created.image.content,
            width_pixels=created.image.width_pixels,
            height_pixels=created.image.height_pixels,
            provenance=to_provenance(created.provenance),
            sound=self._analyzed.sound if self._analyzed else None,
            descriptors=self._analyzed.descriptors if self._analyzed else (),
            processing_seconds=created.processing_time.ToNanoseconds() / 1e9,
            expires_at=_to_datetime(created.expire_time) if created.HasField("expire_time") else None,
            is_reused=created.is_reused,
        )


def _to_started(started: image_pb2.GenerationStarted) -> Started:
    return Started(started.seed, started.total_steps, started.model, started.guidance_scale)


def _to_progress(progress: image_pb2.GenerationProgress) -> Progress:
    return Progress(
        step=progress.step,
        total_steps=progress.total_steps,
        preview_jpeg=progress.preview.content if progress.HasField("preview") else None,
        elapsed_seconds=progress.elapsed.ToNanoseconds() / 1e9,
        remaining_seconds=(
            progress.remaining.ToNanoseconds() / 1e9 if progress.HasField("remaining") else None
        ),
    )


def to_provenance(message: image_pb2.Provenance) -> Provenance:
    """Returns the provenance that a message holds."""
    values = {name: getattr(message, name) for name in Provenance.__dataclass_fields__}
    return Provenance(**values | {"library_versions": dict(message.library_versions)})


def to_comparison(message: gateway_pb2.CompareImagesResponse) -> Comparison:
    """Returns the comparison that a message holds."""
    return Comparison(message.score, message.cosine, message.model)


def to_stored_image(image_id: str, message: gateway_pb2.GetImageResponse) -> StoredImage:
    """Returns the stored image that a message holds."""
    return StoredImage(
        image_id=image_id,
        png=message.image.content,
        created_at=_to_datetime(message.create_time) if message.HasField("create_time") else None,
        expires_at=_to_datetime(message.expire_time) if message.HasField("expire_time") else None,
    )


def to_recipe(message: gateway_pb2.Recipe) -> Recipe:
    """Returns the recipe that a message holds."""
    return Recipe(
        name=message.name,
        description=message.description,
        is_available=message.is_available,
        unavailable_reason=message.unavailable_reason,
        is_default=message.is_default,
        models=tuple(message.models),
    )


def to_sound_properties(message: media_pb2.AudioProperties) -> SoundProperties:
    """Returns the properties of a recording that a message holds."""
    name = (
        media_pb2.AudioFormat.Name(message.format)
        if message.format in media_pb2.AudioFormat.values()
        else "AUDIO_FORMAT_UNSPECIFIED"
    )
    return SoundProperties(
        format=name.removeprefix("AUDIO_FORMAT_").lower(),
        sample_rate_hz=message.sample_rate_hz,
        channel_count=message.channel_count,
        duration_seconds=message.duration_seconds,
        sha256=message.sha256,
    )


def to_descriptor(message: audio_pb2.Descriptor) -> Descriptor:
    """Returns the descriptor that a message holds."""
    return Descriptor(
        name=message.name,
        value=message.value,
        unit=message.unit,
        minimum=message.minimum,
        maximum=message.maximum,
        description=message.description,
    )


def to_spectrogram(message: audio_pb2.RenderSpectrogramResponse) -> Spectrogram:
    """Returns the spectrogram that a message holds."""
    return Spectrogram(
        png=message.image.content,
        width_pixels=message.image.width_pixels,
        height_pixels=message.image.height_pixels,
        sound=to_sound_properties(message.audio),
    )


def to_sound_features(message: audio_pb2.ExtractFeaturesResponse) -> SoundFeatures:
    """Returns the features that a message holds."""
    return SoundFeatures(
        sound=to_sound_properties(message.audio),
        descriptors=tuple(map(to_descriptor, message.descriptors)),
        embedding=_to_embedding(message.embedding) if message.HasField("embedding") else None,
        log_mel=_to_tensor(message.log_mel) if message.HasField("log_mel") else None,
        processing_seconds=message.processing_time.ToNanoseconds() / 1e9,
    )


def _to_embedding(message: tensor_pb2.Embedding) -> Embedding:
    return Embedding(message.space, _to_tensor(message.values).values, tuple(message.component_names))


def _to_tensor(message: tensor_pb2.Tensor) -> Tensor:
    dtype = _DTYPES.get(message.dtype)
    if dtype is None:
        raise FaultError("The server sent an array of a type unknown to this client.", reason="INTERNAL")
    return Tensor(dtype, tuple(message.shape), message.data)


def _to_datetime(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(UTC)
