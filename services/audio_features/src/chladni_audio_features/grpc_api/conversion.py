"""Protocol buffers to domain objects and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from google.protobuf.duration_pb2 import Duration

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.media.v1 import media_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_audio_features.analysis.definitions import DescriptorDefinition
from chladni_audio_features.analysis.descriptors import Descriptors
from chladni_audio_features.analysis.spectrogram import MelSettings, power_to_decibels
from chladni_audio_features.audio.containers import Container
from chladni_audio_features.audio.pcm import PcmEncoding, PcmFormat
from chladni_audio_features.colormap import Colormap
from chladni_audio_features.embeddings.registry import ModelCard
from chladni_audio_features.extraction import Features, SourceProperties
from chladni_audio_features.grpc_api.latents import to_calibration_message
from chladni_audio_features.latents.initial_latents import LatentsPlan
from chladni_audio_features.live import LiveSummary
from chladni_audio_features.streaming import StreamedFrames
from chladni_contract.errors import InvalidInputError, Reason
from chladni_contract.tensors import to_tensor
from chladni_runtime.server.validation import RequestValidator

MIN_IMAGE_PIXELS: Final = 16
MAX_IMAGE_PIXELS: Final = 4096
DEFAULT_IMAGE_PIXELS: Final = 512
MAX_CHUNK_BYTES: Final = 1024 * 1024
_MAX_NAME_CHARACTERS: Final = 255

_FORMATS: Final = {
    Container.WAV: media_pb2.AUDIO_FORMAT_WAV,
    Container.MP3: media_pb2.AUDIO_FORMAT_MP3,
    Container.FLAC: media_pb2.AUDIO_FORMAT_FLAC,
    Container.OGG: media_pb2.AUDIO_FORMAT_OGG,
}
_COLORMAPS: Final = {
    audio_pb2.COLORMAP_UNSPECIFIED: Colormap.VIRIDIS,
    audio_pb2.COLORMAP_VIRIDIS: Colormap.VIRIDIS,
    audio_pb2.COLORMAP_GRAY: Colormap.GRAY,
}
_ENCODINGS: Final = {
    audio_pb2.PCM_ENCODING_INT16: PcmEncoding.INT16,
    audio_pb2.PCM_ENCODING_FLOAT32: PcmEncoding.FLOAT32,
}
_COMPUTED: Final = (
    audio_pb2.FEATURE_LOG_MEL,
    audio_pb2.FEATURE_DESCRIPTORS,
    audio_pb2.FEATURE_EMBEDDING,
    audio_pb2.FEATURE_INITIAL_LATENTS,
)
_DEFAULT_FEATURES: Final = (audio_pb2.FEATURE_DESCRIPTORS, audio_pb2.FEATURE_EMBEDDING)

_RecordingRequest = audio_pb2.ExtractFeaturesRequest | audio_pb2.RenderSpectrogramRequest


@dataclass(frozen=True)
class WantedFeatures:
    """Which features a caller wants."""

    log_mel: bool
    descriptors: bool
    embedding: bool
    initial_latents: bool


@dataclass(frozen=True)
class ImageRequest:
    """How a spectrogram is to be drawn."""

    width_pixels: int
    height_pixels: int
    colormap: Colormap


def read_recording(request: _RecordingRequest) -> bytes:
    """Return the file of a request; whether it is one, the decoder finds out.

    Raises:
        InvalidFieldsError: there is none, or its name is too long.
    """
    validator = RequestValidator()
    validator.require(
        "audio", present=request.HasField("audio"), hint="put the recording's bytes in audio.content"
    )
    validator.check(
        "audio.display_name",
        valid=len(request.audio.display_name) <= _MAX_NAME_CHARACTERS,
        description=f"is {len(request.audio.display_name)} characters long, "
        f"at most {_MAX_NAME_CHARACTERS} are allowed.",
    )
    validator.raise_if_invalid()
    return request.audio.content


def read_wanted_features(request: audio_pb2.ExtractFeaturesRequest) -> WantedFeatures:
    """Return which features a request wants.

    Raises:
        InvalidFieldsError: a feature is unspecified or unknown, or there are options of one that is not
            asked for.
    """
    wanted = tuple(request.features) or _DEFAULT_FEATURES
    validator = RequestValidator()
    for index, feature in enumerate(wanted):
        validator.check(
            f"features[{index}]",
            valid=feature in _COMPUTED,
            description=f"is {feature}, must be FEATURE_LOG_MEL, FEATURE_DESCRIPTORS, FEATURE_EMBEDDING or "
            "FEATURE_INITIAL_LATENTS.",
        )
    validator.check(
        "initial_latents",
        valid=audio_pb2.FEATURE_INITIAL_LATENTS in wanted or not request.HasField("initial_latents"),
        description="is set but not asked for; add FEATURE_INITIAL_LATENTS to features, or leave it out.",
    )
    validator.raise_if_invalid()
    return WantedFeatures(
        log_mel=audio_pb2.FEATURE_LOG_MEL in wanted,
        descriptors=audio_pb2.FEATURE_DESCRIPTORS in wanted,
        embedding=audio_pb2.FEATURE_EMBEDDING in wanted,
        initial_latents=audio_pb2.FEATURE_INITIAL_LATENTS in wanted,
    )


def read_image(request: audio_pb2.RenderSpectrogramRequest) -> ImageRequest:
    """Return how to draw a spectrogram.

    Raises:
        InvalidFieldsError: a size is out of range or the colour map unknown.
    """
    sizes = {
        name: getattr(request, name) if request.HasField(name) else DEFAULT_IMAGE_PIXELS
        for name in ("width_pixels", "height_pixels")
    }
    validator = RequestValidator()
    for name, size in sizes.items():
        validator.check_range(name, size, minimum=MIN_IMAGE_PIXELS, maximum=MAX_IMAGE_PIXELS, unit="pixels")
    validator.check(
        "colormap",
        valid=request.colormap in _COLORMAPS,
        description="must be COLORMAP_VIRIDIS or COLORMAP_GRAY.",
    )
    validator.raise_if_invalid()
    return ImageRequest(**sizes, colormap=_COLORMAPS[request.colormap])


def read_pcm_format(request: audio_pb2.StreamFeaturesRequest) -> PcmFormat:
    """Return what the first message of a stream says about the following ones.

    Raises:
        InvalidFieldsError: the message is no `config`, or a field of it is missing.
    """
    validator = RequestValidator()
    is_config = request.WhichOneof("payload") == "config"
    validator.require("config", present=is_config, hint="send it in the first message")
    validator.raise_if_invalid()
    validator.require(
        "config.encoding",
        present=request.config.encoding in _ENCODINGS,
        hint="send PCM_ENCODING_INT16 or PCM_ENCODING_FLOAT32",
    )
    validator.raise_if_invalid()
    return PcmFormat(
        sample_rate_hz=request.config.sample_rate_hz,
        channels=request.config.channel_count or 1,
        encoding=_ENCODINGS[request.config.encoding],
    )


def read_chunk(request: audio_pb2.StreamFeaturesRequest) -> bytes:
    """Return the PCM of a later message of a stream.

    Raises:
        InvalidInputError: the message holds no PCM, or too much.
    """
    if request.WhichOneof("payload") != "pcm":
        raise InvalidInputError(
            Reason.INVALID_FIELD, "Messages after the first one must hold pcm.", field="pcm"
        )
    if len(request.pcm) > MAX_CHUNK_BYTES:
        raise InvalidInputError(
            Reason.FILE_TOO_LARGE,
            f"pcm holds {len(request.pcm)} bytes, at most {MAX_CHUNK_BYTES} are allowed in a "
            "message; send it in several.",
            field="pcm",
        )
    return request.pcm


def to_features_message(
    features: Features,
    *,
    settings: MelSettings,
    definitions: tuple[DescriptorDefinition, ...],
    embedding_card: ModelCard,
    latents_plan: LatentsPlan | None,
    processing_seconds: float,
) -> audio_pb2.ExtractFeaturesResponse:
    """Convert the features of a recording, with what made its embedding and its initial latents."""
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
    )


def to_image_message(
    properties: SourceProperties, image: bytes, wanted: ImageRequest
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


def _to_embedding(values: npt.NDArray[np.float32], card: ModelCard) -> tensor_pb2.Embedding:
    return tensor_pb2.Embedding(
        space=card.space, values=to_tensor(values), component_names=card.component_names
    )
