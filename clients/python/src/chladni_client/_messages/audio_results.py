"""From messages to results: sounds and arrays."""

from __future__ import annotations

from collections.abc import Iterable

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import reconstruction_service_pb2 as reconstruction_pb2
from chladni.errors.v1 import warning_pb2
from chladni.generation.v1 import moving_pb2
from chladni.media.v1 import media_pb2
from chladni.model.v1 import model_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_client.errors import FaultError
from chladni_client.types.audio import (
    AudioFeatures,
    AudioProperties,
    AudioReconstruction,
    Descriptor,
    Embedding,
    ServerWarning,
    Spectrogram,
    Tensor,
)
from chladni_client.types.initial_latents import LatentCalibration
from chladni_client.types.live import AudioLevel, LiveEvent, LiveImage, LiveSummary, MelFrames
from chladni_contract.tensors import dtype_of


def to_warnings(messages: Iterable[warning_pb2.Warning]) -> tuple[ServerWarning, ...]:
    """Return the warnings of an answer."""
    return tuple(
        ServerWarning(
            warning_pb2.WarningReason.Name(message.reason).removeprefix("WARNING_REASON_")
            if message.reason in warning_pb2.WarningReason.values()
            else "",
            message.message,
            dict(message.metadata),
        )
        for message in messages
    )


def to_audio_properties(message: media_pb2.AudioProperties) -> AudioProperties:
    """Return the properties of a recording that a message holds."""
    name = (
        media_pb2.AudioFormat.Name(message.format)
        if message.format in media_pb2.AudioFormat.values()
        else "AUDIO_FORMAT_UNSPECIFIED"
    )
    return AudioProperties(
        format=name.removeprefix("AUDIO_FORMAT_").lower(),
        sample_rate_hz=message.sample_rate_hz,
        channel_count=message.channel_count,
        duration_seconds=message.duration.ToNanoseconds() / 1e9,
        sha256=message.sha256,
        start_seconds=message.start.ToNanoseconds() / 1e9 if message.HasField("start") else None,
    )


def to_descriptor(message: audio_pb2.Descriptor) -> Descriptor:
    """Return the descriptor that a message holds."""
    return Descriptor(
        name=message.name,
        value=message.value,
        unit=message.unit,
        minimum=message.minimum,
        maximum=message.maximum,
        description=message.description,
    )


def to_spectrogram(message: audio_pb2.RenderSpectrogramResponse) -> Spectrogram:
    """Return the spectrogram that a message holds."""
    return Spectrogram(
        content=message.image.content,
        width_pixels=message.image.width_pixels,
        height_pixels=message.image.height_pixels,
        audio=to_audio_properties(message.audio),
        warnings=to_warnings(message.warnings),
    )


def to_audio_features(message: audio_pb2.ExtractFeaturesResponse) -> AudioFeatures:
    """Return the features that a message holds."""
    return AudioFeatures(
        audio=to_audio_properties(message.audio),
        descriptors=tuple(map(to_descriptor, message.descriptors)),
        embedding=_to_embedding(message.embedding) if message.HasField("embedding") else None,
        log_mel=to_tensor(message.log_mel) if message.HasField("log_mel") else None,
        initial_latents=to_tensor(message.initial_latents) if message.HasField("initial_latents") else None,
        latent_calibration=(
            _to_latent_calibration(message.latent_calibration)
            if message.HasField("latent_calibration")
            else None
        ),
        processing_seconds=message.processing_time.ToNanoseconds() / 1e9,
        warnings=to_warnings(message.warnings),
    )


def to_audio_reconstruction(message: reconstruction_pb2.ReconstructAudioResponse) -> AudioReconstruction:
    """Return the reconstruction that a message holds."""
    figures = message.figures
    return AudioReconstruction(
        audio=to_audio_properties(message.audio),
        content=message.reconstruction.content,
        original_spectrogram=message.original_spectrogram.content,
        reconstructed_spectrogram=message.reconstructed_spectrogram.content,
        mean_squared_error=figures.mean_squared_error,
        mean_absolute_error=figures.mean_absolute_error,
        cosine=figures.cosine,
        perceptual_similarity=figures.perceptual_similarity,
        latents=to_tensor(message.latents) if message.HasField("latents") else None,
        model=message.model,
        model_digest=message.model_digest,
        window_seconds=message.window.ToNanoseconds() / 1e9,
        processing_seconds=message.processing_time.ToNanoseconds() / 1e9,
        warnings=to_warnings(message.warnings),
    )


def to_live_event(message: audio_pb2.StreamFeaturesResponse) -> LiveEvent | None:
    """Return the event of a message; `None` for one that this client does not know yet."""
    match message.WhichOneof("event"):
        case "frames":
            frames = message.frames
            return MelFrames(
                first_frame=frames.first_frame,
                power_db=to_tensor(frames.power_db),
                level=(
                    AudioLevel(frames.level.rms_dbfs, frames.level.peak_dbfs)
                    if frames.HasField("level")
                    else None
                ),
            )
        case "summary":
            summary = message.summary
            return LiveSummary(
                frame_count=summary.frame_count,
                duration_seconds=summary.duration.ToNanoseconds() / 1e9,
                descriptors=tuple(map(to_descriptor, summary.descriptors)),
                embedding=_to_embedding(summary.embedding) if summary.HasField("embedding") else None,
            )
        case _:
            return None


def _to_latent_calibration(message: model_pb2.LatentCalibration) -> LatentCalibration:
    return LatentCalibration(message.name, message.digest, message.clip_count)


def _to_embedding(message: tensor_pb2.Embedding) -> Embedding:
    return Embedding(message.space, to_tensor(message.values).values, tuple(message.component_names))


def to_tensor(message: tensor_pb2.Tensor) -> Tensor:
    """Return the array that a message holds.

    Raises:
        FaultError: Its element type is unknown to this client.
    """
    dtype = dtype_of(message)
    if dtype is None:
        raise FaultError("The server sent an array of a type unknown to this client.", reason="INTERNAL")
    return Tensor(dtype.str, tuple(message.shape), message.data)


def to_live_image(frame: moving_pb2.Frame, ready: moving_pb2.FramesReady) -> LiveImage:
    """Return an image of live audio, of a stream that began with `ready`."""
    return LiveImage(
        index=frame.index,
        time_seconds=frame.time.ToNanoseconds() / 1e9,
        content=frame.image.content,
        width_pixels=frame.image.width_pixels,
        height_pixels=frame.image.height_pixels,
        seed=ready.seed,
        window_seconds=ready.window_duration.ToNanoseconds() / 1e9,
        skipped_images=frame.skipped_frames,
        late_images=frame.late_frames,
        delay_seconds=frame.delay.ToNanoseconds() / 1e9,
    )
