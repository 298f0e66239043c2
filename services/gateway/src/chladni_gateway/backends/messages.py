"""Messages of the services behind the gateway, to and from the domain."""

from __future__ import annotations

import math
import struct
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Final, Protocol

from google.protobuf import duration_pb2

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.generation.v1 import generation_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.media.v1 import media_pb2
from chladni.model.v1 import model_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.errors import FaultError, Reason
from chladni_contract.provenance_messages import to_provenance, to_provenance_message
from chladni_contract.warnings import to_warning
from chladni_gateway.domain.audio import (
    AudioClip,
    AudioFeatures,
    AudioProperties,
    ClipSource,
    Descriptor,
    Embedding,
    InitialLatents,
    LatentBasis,
    PcmEncoding,
    PcmFormat,
)
from chladni_gateway.domain.events import Completed, GenerationEvent, Progressed, Queued, Started
from chladni_gateway.domain.generation import Priority
from chladni_gateway.domain.images import PNG_ENCODING, Image, ImageFormat
from chladni_gateway.domain.live import LiveEvent, LiveFrames, LiveReady, LiveSummary, MelParameters
from chladni_gateway.domain.models import ModelSummary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chladni_gateway.domain.audio import FeatureSelection
    from chladni_gateway.domain.generation import Conditioning, GenerationRequest, Origin, PreviewRequest
    from chladni_gateway.domain.images import ImageEncoding

_MEDIA_TYPES: Final = {
    media_pb2.IMAGE_FORMAT_UNSPECIFIED: "",
    media_pb2.IMAGE_FORMAT_PNG: ImageFormat.PNG.media_type,
    media_pb2.IMAGE_FORMAT_JPEG: ImageFormat.JPEG.media_type,
    media_pb2.IMAGE_FORMAT_WEBP: ImageFormat.WEBP.media_type,
    media_pb2.IMAGE_FORMAT_SVG: ImageFormat.SVG.media_type,
    media_pb2.IMAGE_FORMAT_PDF: ImageFormat.PDF.media_type,
}
_IMAGE_FORMATS: Final = {media_type: number for number, media_type in _MEDIA_TYPES.items()}
_LATENT_BASES: Final = {
    LatentBasis.MEL: generation_pb2.NOISE_MODE_MEL,
    LatentBasis.DCT: generation_pb2.NOISE_MODE_DCT,
}
_PCM_ENCODINGS: Final = {
    PcmEncoding.INT16: media_pb2.PCM_ENCODING_INT16,
    PcmEncoding.FLOAT32: media_pb2.PCM_ENCODING_FLOAT32,
}


class ModelsResponse(Protocol):
    """Response of any service's ListModels."""

    @property
    def models(self) -> Iterable[model_pb2.ModelInfo]:
        """The models."""
        ...

    @property
    def default_model(self) -> str:
        """Identifier of the model that requests get which name none."""
        ...


def to_model_summaries(response: ModelsResponse) -> tuple[ModelSummary, ...]:
    """Return the models of a response."""
    return tuple(
        _to_model_summary(model, is_default=model.id == response.default_model) for model in response.models
    )


def _to_model_summary(model: model_pb2.ModelInfo, *, is_default: bool) -> ModelSummary:
    summary = ModelSummary(
        name=model.id,
        is_default=is_default,
        is_ready=model.state == model_pb2.MODEL_STATE_READY,
        unavailable_reason=model.unavailable_reason,
        family=model.family,
        inputs=tuple(item.name for item in model.inputs),
        required_inputs=tuple(item.name for item in model.inputs if item.required),
    )
    match model.WhichOneof("capabilities"):
        case "image_generation":
            return _with_generation(summary, model.image_generation)
        case "embedding":
            embedding = model.embedding
            return replace(
                summary, input_spaces=tuple(embedding.input_spaces), output_space=embedding.output_space
            )
        case _:
            return summary


def _with_generation(
    summary: ModelSummary, generation: model_pb2.ImageGenerationCapabilities
) -> ModelSummary:
    width, height = generation.sizes.native_width_pixels, generation.sizes.native_height_pixels
    return replace(
        summary,
        input_spaces=tuple(generation.input_spaces),
        latent_shape=tuple(generation.latent_shape),
        native_size_pixels=(width, height) if width > 0 and height > 0 else None,
        default_steps=generation.default_steps or None,
        default_guidance_scale=generation.default_guidance_scale or None,
        upscales_by_latents=generation.upscaling_method == model_pb2.UPSCALING_METHOD_LATENTS,
    )


def to_clip_message(clip: AudioClip) -> media_pb2.AudioClip:
    """Return the message of a clip.

    One that was cut out of a file is sent as the part of its samples that begins at 0, because a part
    may have more bytes than a whole clip.
    """
    start_seconds = 0.0 if clip.source else clip.start_seconds
    start = None if start_seconds is None else to_duration(start_seconds)
    end = None if clip.end_seconds is None else to_duration(clip.end_seconds)
    if clip.pcm is None:
        return media_pb2.AudioClip(content=clip.content, display_name=clip.name, start=start, end=end)
    pcm = media_pb2.PcmAudio(
        samples=clip.content,
        sample_rate_hz=clip.pcm.sample_rate_hz,
        channel_count=clip.pcm.channel_count,
        encoding=_PCM_ENCODINGS[clip.pcm.encoding],
    )
    return media_pb2.AudioClip(pcm=pcm, display_name=clip.name, start=start, end=end)


def to_duration(seconds: float) -> duration_pb2.Duration:
    """Return the message of a length of time."""
    message = duration_pb2.Duration()
    message.FromNanoseconds(round(seconds * 1e9))
    return message


def to_extract_request(clip: AudioClip, selection: FeatureSelection) -> audio_pb2.ExtractFeaturesRequest:
    """Return the request for the descriptors of a clip and what is selected."""
    request = audio_pb2.ExtractFeaturesRequest(
        audio=to_clip_message(clip),
        features=(audio_pb2.FEATURE_DESCRIPTORS, audio_pb2.FEATURE_EMBEDDING),
        embedding_model=selection.embedding_model,
        further_embedding_models=selection.further_embedding_models,
    )
    if (latents := selection.initial_latents) is not None:
        request.features.append(audio_pb2.FEATURE_INITIAL_LATENTS)
        request.initial_latents.shape.extend(latents.shape)
        request.initial_latents.mode = _LATENT_BASES[latents.basis]
        request.initial_latents.calibration = latents.calibration
    return request


def to_cut_clip(clip: AudioClip, found: audio_pb2.AudioCut, samples: bytes) -> AudioClip:
    """Return the clip that was cut out of the file of another."""
    rate_hz = found.audio.sample_rate_hz
    source = ClipSource(_to_audio_properties(found.audio), tuple(map(to_warning, found.warnings)))
    return AudioClip(samples, clip.name, PcmFormat(rate_hz, 1, PcmEncoding.FLOAT32), source=source)


def _to_audio_properties(audio: media_pb2.AudioProperties) -> AudioProperties:
    return AudioProperties(
        format=media_pb2.AudioFormat.Name(audio.format).removeprefix("AUDIO_FORMAT_").lower(),
        sample_rate_hz=audio.sample_rate_hz,
        channel_count=audio.channel_count,
        duration_seconds=audio.duration.ToNanoseconds() / 1e9,
        sha256=audio.sha256,
        start_seconds=audio.start.ToNanoseconds() / 1e9 if audio.HasField("start") else None,
    )


def to_audio_features(response: audio_pb2.ExtractFeaturesResponse) -> AudioFeatures:
    """Return the features of a response."""
    return AudioFeatures(
        audio=_to_audio_properties(response.audio),
        descriptors=_to_descriptors(response.descriptors),
        embedding=to_embedding(response.embedding),
        further_embeddings=tuple(map(to_embedding, response.further_embeddings)),
        initial_latents=_to_initial_latents(response) if response.HasField("initial_latents") else None,
        warnings=tuple(map(to_warning, response.warnings)),
    )


def to_embedding(message: tensor_pb2.Embedding) -> Embedding:
    """Return the embedding of a message."""
    return Embedding(
        space=message.space,
        shape=tuple(message.values.shape),
        data=message.values.data,
        component_names=tuple(message.component_names),
    )


def _to_initial_latents(response: audio_pb2.ExtractFeaturesResponse) -> InitialLatents:
    """Return the initial latents of a response."""
    return InitialLatents(
        shape=tuple(response.initial_latents.shape),
        data=response.initial_latents.data,
        calibration=response.latent_calibration.name,
        calibration_digest=response.latent_calibration.digest,
    )


def to_live_event(response: audio_pb2.StreamFeaturesResponse, *, sender: str) -> LiveEvent | None:
    """Return the event of a response; `None` for one that this gateway does not know.

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
        case "ready":
            ready = response.ready
            mel = MelParameters(
                **{field.name: getattr(ready.mel_parameters, field.name) for field in fields(MelParameters)}
            )
            return LiveReady(mel, ready.max_duration.ToTimedelta().total_seconds())
        case "summary":
            return _to_live_summary(response.summary, is_end=True)
        case "so_far":
            return _to_live_summary(response.so_far, is_end=False)
        case _:
            return None


def _to_live_summary(summary: audio_pb2.StreamSummary, *, is_end: bool) -> LiveSummary:
    return LiveSummary(
        summary.frame_count,
        summary.duration.ToTimedelta().total_seconds(),
        _to_descriptors(summary.descriptors),
        is_end=is_end,
        limit_reached=summary.limit_reached,
    )


def to_image(image: media_pb2.EncodedImage) -> Image:
    """Return the image of a message."""
    return Image(image.content, _MEDIA_TYPES.get(image.format, ""), image.width_pixels, image.height_pixels)


def to_image_message(image: Image) -> media_pb2.EncodedImage:
    """Return the message of an image."""
    return media_pb2.EncodedImage(
        content=image.content,
        format=_IMAGE_FORMATS.get(image.media_type, media_pb2.IMAGE_FORMAT_UNSPECIFIED),
        width_pixels=image.width_pixels,
        height_pixels=image.height_pixels,
    )


def to_encoding_message(encoding: ImageEncoding) -> media_pb2.ImageEncoding | None:
    """Return the message of an encoding; `None` for what services choose by themselves."""
    if encoding == PNG_ENCODING:
        return None
    return media_pb2.ImageEncoding(
        format=_IMAGE_FORMATS[encoding.format.media_type], quality=encoding.quality
    )


def to_format_message(form: ImageFormat) -> media_pb2.ImageFormat:
    """Return the number of a format."""
    return _IMAGE_FORMATS[form.media_type]


def to_embedding_message(embedding: Embedding) -> tensor_pb2.Embedding:
    """Return the message of an embedding."""
    return tensor_pb2.Embedding(
        space=embedding.space,
        values=to_tensor_message(embedding.shape, embedding.data),
        component_names=embedding.component_names,
    )


def to_tensor_message(shape: Iterable[int], data: bytes) -> tensor_pb2.Tensor:
    """Return the message of a float32 tensor."""
    return tensor_pb2.Tensor(dtype=tensor_pb2.DATA_TYPE_FLOAT32, shape=shape, data=data)


def _to_descriptors(messages: Iterable[audio_pb2.Descriptor]) -> tuple[Descriptor, ...]:
    return tuple(
        Descriptor(item.name, item.value, item.unit, item.minimum, item.maximum, item.description)
        for item in messages
    )


_RANK = 2
_FLOAT_BYTES = 4


def to_rows(tensor: tensor_pb2.Tensor, *, sender: str) -> Sequence[tuple[float, ...]]:
    """Return the rows of a float32 tensor of shape (N, M).

    Args:
        tensor: The message.
        sender: Name of the service that sent it, for the error.

    Raises:
        FaultError: It is no such tensor, or holds NaN or infinite values.
    """
    data = tensor.data
    shape = tuple(tensor.shape)
    is_matrix = tensor.dtype == tensor_pb2.DATA_TYPE_FLOAT32 and len(shape) == _RANK and min(shape) >= 0
    if not is_matrix or len(data) != _FLOAT_BYTES * math.prod(shape):
        raise _unusable(sender)
    row_count, width = shape
    row_bytes = _FLOAT_BYTES * width
    rows = [struct.unpack_from(f"<{width}f", data, row_bytes * index) for index in range(row_count)]
    if not all(map(math.isfinite, (value for row in rows for value in row))):
        raise _unusable(sender)
    return rows


def _unusable(sender: str) -> FaultError:
    return FaultError(Reason.INTERNAL, f"The service {sender} sent numbers that cannot be used.")


_PRIORITIES: Final = {
    Priority.INTERACTIVE: generation_pb2.PRIORITY_INTERACTIVE,
    Priority.BATCH: generation_pb2.PRIORITY_BATCH,
}


def to_generate_request(generation: GenerationRequest) -> image_pb2.GenerateImageRequest:
    """Return the request for an order."""
    settings = generation.settings
    return image_pb2.GenerateImageRequest(
        conditioning=_to_conditioning_message(generation.conditioning),
        options=generation_pb2.GenerationOptions(
            model=generation.model,
            seed=settings.seed,
            steps=settings.steps,
            guidance_scale=settings.guidance_scale,
            scheduler=settings.scheduler,
            width_pixels=settings.width_pixels,
            height_pixels=settings.height_pixels,
            upscale=settings.upscale,
            refiner_start=settings.refiner_start,
            look=settings.look,
            priority=_PRIORITIES[settings.priority],
            reproducible=settings.reproducible,
            bypass_cache=settings.bypass_cache,
            previews=_to_preview_options(settings.previews),
            encoding=to_encoding_message(settings.encoding),
        ),
        origin=_to_origin_message(generation.origin),
    )


def to_generation_event(response: image_pb2.GenerateImageResponse) -> GenerationEvent | None:
    """Return the event of a response; `None` for one that this gateway does not know."""
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
                to_image(completed.image),
                to_provenance(completed.provenance),
                completed.reused,
                warnings=tuple(map(to_warning, completed.warnings)),
            )
        case _:
            return None


def _to_conditioning_message(conditioning: Conditioning) -> image_pb2.Conditioning:
    embedding, latents = conditioning.audio_embedding, conditioning.initial_latents
    image = conditioning.initial_image
    return image_pb2.Conditioning(
        audio_embedding=to_embedding_message(embedding) if embedding else None,
        prompt=conditioning.prompt,
        negative_prompt=conditioning.negative_prompt,
        initial_latents=to_tensor_message(latents.shape, latents.data) if latents else None,
        initial_latents_weight=conditioning.initial_latents_weight,
        initial_image=to_image_message(image) if image else None,
        strength=conditioning.strength,
    )


def _to_origin_message(origin: Origin) -> image_pb2.Origin:
    return image_pb2.Origin(
        recipe=origin.recipe,
        audio_sha256=origin.audio_sha256,
        part=origin.part,
        earlier=map(to_provenance_message, origin.earlier),
        fallback=origin.fallback,
        options=origin.options,
        audio_start_seconds=origin.audio_start_seconds,
        audio_end_seconds=origin.audio_end_seconds,
    )


def _to_progressed(progress: generation_pb2.GenerationProgress) -> Progressed:
    return Progressed(
        step=progress.step,
        total_steps=progress.total_steps,
        preview=to_image(progress.preview) if progress.HasField("preview") else None,
        elapsed_seconds=progress.elapsed.ToTimedelta().total_seconds(),
        remaining_seconds=progress.remaining.ToTimedelta().total_seconds()
        if progress.HasField("remaining")
        else None,
    )


def _to_preview_options(previews: PreviewRequest | None) -> generation_pb2.PreviewOptions | None:
    if previews is None:
        return None
    return generation_pb2.PreviewOptions(
        interval_steps=previews.interval_steps, size_pixels=previews.size_pixels
    )
