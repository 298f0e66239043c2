"""Domain objects as responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from google.protobuf.duration_pb2 import Duration

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.media.v1 import media_pb2
from chladni.model.v1 import model_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_audio_features.analysis.definitions import DescriptorDefinition
from chladni_audio_features.analysis.descriptors import Descriptors
from chladni_audio_features.analysis.spectrogram import MelSettings, power_to_decibels
from chladni_audio_features.audio.containers import Container
from chladni_audio_features.embeddings.registry import EmbeddingModels, ModelCard
from chladni_audio_features.extraction import Features, SourceProperties
from chladni_audio_features.grpc_api.requests import ImageOptions
from chladni_audio_features.latents.calibration import LatentCalibration
from chladni_audio_features.latents.catalog import CalibrationCatalog
from chladni_audio_features.latents.initial_latents import LatentsPlan
from chladni_audio_features.live import LiveSummary, StreamedFrames
from chladni_contract.tensors import to_tensor

_FORMATS: Final = {
    Container.WAV: media_pb2.AUDIO_FORMAT_WAV,
    Container.MP3: media_pb2.AUDIO_FORMAT_MP3,
    Container.FLAC: media_pb2.AUDIO_FORMAT_FLAC,
    Container.OGG: media_pb2.AUDIO_FORMAT_OGG,
}
_INPUTS: Final = ("audio",)


def to_features_message(
    features: Features,
    *,
    settings: MelSettings,
    definitions: tuple[DescriptorDefinition, ...],
    embedding_card: ModelCard,
    further_cards: Sequence[ModelCard],
    latents_plan: LatentsPlan | None,
    processing_seconds: float,
) -> audio_pb2.ExtractFeaturesResponse:
    """Convert the features of a clip, with what made its embeddings and its initial latents."""
    processing_time = Duration()
    processing_time.FromNanoseconds(round(processing_seconds * 1e9))
    has_mel = features.log_mel is not None
    return audio_pb2.ExtractFeaturesResponse(
        audio=to_properties_message(features.properties),
        log_mel=None if features.log_mel is None else to_tensor(features.log_mel),
        mel_parameters=to_mel_parameters(settings) if has_mel else None,
        descriptors=to_descriptor_messages(features.descriptors, definitions),
        embedding=None if features.embedding is None else _to_embedding(features.embedding, embedding_card),
        initial_latents=None if features.initial_latents is None else to_tensor(features.initial_latents),
        processing_time=processing_time,
        latent_calibration=to_calibration_message(latents_plan.calibration)
        if latents_plan is not None and latents_plan.calibration is not None
        else None,
        further_embeddings=map(_to_embedding, features.further_embeddings, further_cards),
    )


def to_image_message(
    properties: SourceProperties, image: bytes, wanted: ImageOptions
) -> audio_pb2.RenderSpectrogramResponse:
    """Convert a drawn spectrogram."""
    return audio_pb2.RenderSpectrogramResponse(
        image=media_pb2.Image(
            content=image,
            format=media_pb2.IMAGE_FORMAT_PNG,
            width_pixels=wanted.width_pixels,
            height_pixels=wanted.height_pixels,
        ),
        audio=to_properties_message(properties),
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


def to_summary_message(
    summary: LiveSummary,
    *,
    settings: MelSettings,
    definitions: tuple[DescriptorDefinition, ...],
    embedding_card: ModelCard,
) -> audio_pb2.StreamFeaturesResponse:
    """Convert the end of a live sound; the card is that of the embedding of descriptors."""
    return audio_pb2.StreamFeaturesResponse(
        summary=audio_pb2.StreamSummary(
            frame_count=summary.frame_count,
            duration_seconds=summary.duration_seconds,
            mel_parameters=to_mel_parameters(settings),
            descriptors=to_descriptor_messages(summary.descriptors, definitions),
            embedding=None if summary.embedding is None else _to_embedding(summary.embedding, embedding_card),
        )
    )


def to_properties_message(properties: SourceProperties) -> media_pb2.AudioProperties:
    """Convert what was found in a file."""
    source = properties.source
    return media_pb2.AudioProperties(
        format=_FORMATS[source.container],
        sample_rate_hz=source.sample_rate_hz,
        channel_count=source.channels,
        duration_seconds=source.duration_seconds,
        sha256=properties.sha256,
    )


def to_mel_parameters(settings: MelSettings) -> audio_pb2.MelParameters:
    """Convert the settings of a mel spectrogram."""
    return audio_pb2.MelParameters(
        sample_rate_hz=settings.sample_rate_hz,
        fft_size=settings.fft_size,
        hop_length=settings.hop_length,
        mel_bin_count=settings.mel_bins,
        minimum_frequency_hz=0.0,
        maximum_frequency_hz=settings.sample_rate_hz / 2,
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


def to_calibration_message(calibration: LatentCalibration) -> audio_pb2.LatentCalibration:
    """Convert what scaled initial latents."""
    return audio_pb2.LatentCalibration(
        name=calibration.name, digest=calibration.digest, recording_count=calibration.clip_count
    )


def to_models_message(
    models: EmbeddingModels, calibrations: CalibrationCatalog
) -> audio_pb2.GetModelsResponse:
    """Describe the embedding models, the default one first; it carries the calibrations as properties."""
    messages = [
        _to_model(
            model.card,
            properties=_calibration_properties(calibrations) if model is models.default else {},
            is_default=model is models.default,
        )
        for model in models
    ]
    messages += [_to_model(missing.card, unavailable_reason=missing.reason) for missing in models.unavailable]
    return audio_pb2.GetModelsResponse(models=messages)


def _to_embedding(values: npt.NDArray[np.float32], card: ModelCard) -> tensor_pb2.Embedding:
    return tensor_pb2.Embedding(
        space=card.space, values=to_tensor(values), component_names=card.component_names
    )


def _to_model(
    card: ModelCard,
    *,
    properties: Mapping[str, str] | None = None,
    is_default: bool = False,
    unavailable_reason: str = "",
) -> model_pb2.ModelInfo:
    return model_pb2.ModelInfo(
        id=card.model_id,
        digest=card.digest,
        description=card.description,
        license=card.license,
        is_default=is_default,
        is_ready=not unavailable_reason,
        output_space=card.space,
        properties={**card.properties, **(properties or {})},
        family=card.family,
        inputs=_INPUTS,
        required_input_count=len(_INPUTS),
        unavailable_reason=unavailable_reason,
    )


def _calibration_properties(calibrations: CalibrationCatalog) -> dict[str, str]:
    """Return one property for each calibration, and one with all their names in the order of preference."""
    properties = {
        f"latent_calibration.{item.name}": f"basis={item.basis}; values={item.value_count}; "
        f"recordings={item.clip_count}; digest={item.digest}"
        for item in calibrations
    }
    return {"latent_calibrations": ",".join(item.name for item in calibrations), **properties}
