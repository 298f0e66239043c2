"""Domain objects as responses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from google.protobuf.duration_pb2 import Duration

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.generation.v1 import generation_pb2, moving_pb2
from chladni.media.v1 import media_pb2
from chladni.model.v1 import model_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_audio_features.analysis.clip_analysis import MelRequest
from chladni_audio_features.analysis.definitions import DescriptorDefinition
from chladni_audio_features.analysis.descriptors import Descriptors
from chladni_audio_features.analysis.spectrogram import MelSettings, power_to_decibels
from chladni_audio_features.audio.containers.recognition import Container
from chladni_audio_features.embeddings.registry import EmbeddingModels, ModelCard
from chladni_audio_features.extraction import Features, SourceProperties
from chladni_audio_features.grpc_api.requests import ImageOptions
from chladni_audio_features.latents.calibration import LatentCalibration
from chladni_audio_features.latents.catalog import CalibrationCatalog, LatentsPlan
from chladni_audio_features.latents.initial_latents import LatentBasis
from chladni_audio_features.live import LiveSummary, StreamedFrames
from chladni_audio_features.live_course import CourseSegment
from chladni_audio_features.rendering import ImageFormat
from chladni_contract.tensors import to_tensor
from chladni_contract.warnings import to_warning_message

_FORMATS: Final = {container: f"AUDIO_FORMAT_{container.name}" for container in Container}
_IMAGE_FORMATS: Final = {
    ImageFormat.PNG: media_pb2.IMAGE_FORMAT_PNG,
    ImageFormat.JPEG: media_pb2.IMAGE_FORMAT_JPEG,
    ImageFormat.WEBP: media_pb2.IMAGE_FORMAT_WEBP,
}
_MODES: Final = {
    LatentBasis.MEL: generation_pb2.NOISE_MODE_MEL,
    LatentBasis.DCT: generation_pb2.NOISE_MODE_DCT,
}
_INPUTS: Final = (model_pb2.ModelInput(name="audio", required=True),)


def to_features_message(
    features: Features,
    *,
    mel: MelRequest,
    definitions: tuple[DescriptorDefinition, ...],
    embedding_card: ModelCard,
    further_cards: Sequence[ModelCard],
    latents_plan: LatentsPlan | None,
    processing_seconds: float,
) -> audio_pb2.ExtractFeaturesResponse:
    """Convert the features of a clip, with what made its embeddings and its initial latents."""
    has_mel = features.log_mel is not None
    return audio_pb2.ExtractFeaturesResponse(
        audio=to_properties_message(features.properties),
        log_mel=None if features.log_mel is None else to_tensor(features.log_mel),
        mel_parameters=to_mel_parameters(mel.settings) if has_mel else None,
        descriptors=to_descriptor_messages(features.descriptors, definitions),
        embedding=None if features.embedding is None else _to_embedding(features.embedding, embedding_card),
        initial_latents=None if features.initial_latents is None else to_tensor(features.initial_latents),
        processing_time=to_duration(processing_seconds),
        latent_calibration=to_calibration_message(latents_plan.calibration)
        if latents_plan is not None and latents_plan.calibration is not None
        else None,
        further_embeddings=map(_to_embedding, features.further_embeddings, further_cards),
        warnings=map(to_warning_message, features.properties.warnings),
    )


def to_image_message(
    properties: SourceProperties, image: bytes, wanted: ImageOptions, mel: MelRequest
) -> audio_pb2.RenderSpectrogramResponse:
    """Convert a drawn spectrogram."""
    return audio_pb2.RenderSpectrogramResponse(
        image=media_pb2.EncodedImage(
            content=image,
            format=_IMAGE_FORMATS[wanted.encoding.format],
            width_pixels=wanted.width_pixels,
            height_pixels=wanted.height_pixels,
        ),
        audio=to_properties_message(properties),
        mel_parameters=to_mel_parameters(mel.settings),
        warnings=map(to_warning_message, properties.warnings),
    )


def to_cut_message(properties: SourceProperties, *, sample_count: int) -> audio_pb2.CutAudioResponse:
    """Convert what was cut out of a file; its samples follow."""
    return audio_pb2.CutAudioResponse(
        cut=audio_pb2.AudioCut(
            audio=to_properties_message(properties),
            sample_count=sample_count,
            warnings=map(to_warning_message, properties.warnings),
        )
    )


def to_ready_message(
    settings: MelSettings, *, max_seconds: float, max_chunk_bytes: int
) -> audio_pb2.StreamFeaturesResponse:
    """Return the first message of a stream: how frames are made, and the limits."""
    return audio_pb2.StreamFeaturesResponse(
        ready=audio_pb2.StreamReady(
            mel_parameters=to_mel_parameters(settings),
            max_duration=to_duration(max_seconds),
            max_pcm_bytes=max_chunk_bytes,
        )
    )


def to_frames_message(frames: StreamedFrames) -> audio_pb2.StreamFeaturesResponse:
    """Convert the frames that a chunk of live sound completed."""
    level = frames.level
    return audio_pb2.StreamFeaturesResponse(
        frames=audio_pb2.MelFrames(
            first_frame=frames.first_frame,
            power_db=to_tensor(power_to_decibels(frames.mel_power)),
            level=None
            if level is None
            else audio_pb2.Level(rms_dbfs=level.rms_dbfs, peak_dbfs=level.peak_dbfs),
        )
    )


def to_segment_message(segment: CourseSegment) -> audio_pb2.StreamFeaturesResponse:
    """Convert what is known of a segment of live audio."""
    return audio_pb2.StreamFeaturesResponse(
        segment=moving_pb2.CourseSegment(
            number=segment.number,
            course=segment.course.tolist(),
            overall=segment.overall.tolist(),
            heard=to_duration(segment.heard_seconds),
            level=segment.level,
            onset=None if segment.onset_seconds is None else to_duration(segment.onset_seconds),
        )
    )


def to_summary(
    summary: LiveSummary,
    *,
    settings: MelSettings,
    definitions: tuple[DescriptorDefinition, ...],
    embedding_card: ModelCard,
    limit_reached: bool = False,
) -> audio_pb2.StreamSummary:
    """Convert live sound as a whole, or so far; the card is that of the embedding of descriptors."""
    return audio_pb2.StreamSummary(
        frame_count=summary.frame_count,
        duration=to_duration(summary.duration_seconds),
        mel_parameters=to_mel_parameters(settings),
        descriptors=to_descriptor_messages(summary.descriptors, definitions),
        embedding=None if summary.embedding is None else _to_embedding(summary.embedding, embedding_card),
        limit_reached=limit_reached,
    )


def to_properties_message(properties: SourceProperties) -> media_pb2.AudioProperties:
    """Convert what was found in a file, or in samples."""
    source = properties.source
    return media_pb2.AudioProperties(
        format="AUDIO_FORMAT_PCM" if source.container is None else _FORMATS[source.container],
        sample_rate_hz=source.sample_rate_hz,
        channel_count=source.channels,
        duration=to_duration(source.duration_seconds),
        sha256=properties.sha256,
        start=None if source.start_seconds is None else to_duration(source.start_seconds),
    )


def to_mel_parameters(settings: MelSettings) -> audio_pb2.MelParameters:
    """Convert the settings of a mel spectrogram."""
    return audio_pb2.MelParameters(
        sample_rate_hz=settings.sample_rate_hz,
        fft_size=settings.fft_size,
        hop_length=settings.hop_length,
        mel_bin_count=settings.mel_bins,
        min_frequency_hz=settings.min_frequency_hz,
        max_frequency_hz=settings.top_frequency_hz,
    )


def to_descriptor_messages(
    descriptors: Descriptors | None, definitions: tuple[DescriptorDefinition, ...]
) -> list[audio_pb2.Descriptor]:
    """Convert descriptors, in the order of their definitions; none become an empty list."""
    if descriptors is None:
        return []
    return [
        audio_pb2.Descriptor(
            name=definition.name,
            value=value,
            unit=definition.unit,
            minimum=definition.minimum,
            maximum=definition.maximum,
            description=definition.description,
        )
        for definition, value in zip(definitions, descriptors.values(), strict=True)
    ]


def to_calibration_message(calibration: LatentCalibration) -> model_pb2.LatentCalibration:
    """Convert what scaled initial latents."""
    return model_pb2.LatentCalibration(
        name=calibration.name,
        digest=calibration.digest,
        clip_count=calibration.clip_count,
        value_count=calibration.value_count,
        mode=_MODES[calibration.basis],
    )


def to_models_message(
    models: EmbeddingModels, calibrations: CalibrationCatalog
) -> audio_pb2.ListModelsResponse:
    """Describe the embedding models, the default one first; it holds the calibrations of latents."""
    messages = [
        _to_model(model.card, calibrations=calibrations if model is models.default else ())
        for model in models
    ]
    messages += [_to_unavailable_model(missing.card, reason=missing.reason) for missing in models.unavailable]
    return audio_pb2.ListModelsResponse(models=messages, default_model=models.default.card.model_id)


def _to_embedding(values: npt.NDArray[np.float32], card: ModelCard) -> tensor_pb2.Embedding:
    return tensor_pb2.Embedding(
        space=card.space, values=to_tensor(values), component_names=card.component_names
    )


def _to_model(card: ModelCard, *, calibrations: Iterable[LatentCalibration]) -> model_pb2.ModelInfo:
    return model_pb2.ModelInfo(
        id=card.model_id,
        digest=card.digest,
        description=card.description,
        license=card.license,
        state=model_pb2.MODEL_STATE_READY,
        family=card.family,
        inputs=_INPUTS,
        embedding=model_pb2.EmbeddingCapabilities(
            output_space=card.space,
            dimension=card.dimension,
            latent_calibrations=map(to_calibration_message, calibrations),
        ),
        properties=card.properties,
    )


def _to_unavailable_model(card: ModelCard, *, reason: str) -> model_pb2.ModelInfo:
    return model_pb2.ModelInfo(
        id=card.model_id,
        digest=card.digest,
        description=card.description,
        license=card.license,
        state=model_pb2.MODEL_STATE_UNAVAILABLE,
        unavailable_reason=reason,
        family=card.family,
        inputs=_INPUTS,
        properties=card.properties,
    )


def to_duration(seconds: float) -> Duration:
    """Convert seconds, to the nanosecond."""
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration
