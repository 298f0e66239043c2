"""The gRPC service of the audio autoencoder."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

import grpc
import numpy as np
import numpy.typing as npt

from chladni.audio.v1 import reconstruction_service_pb2 as reconstruction_pb2
from chladni.audio.v1 import reconstruction_service_pb2_grpc as reconstruction_grpc
from chladni.media.v1 import media_pb2
from chladni_audio_features.extraction import FeatureExtractor, SourceProperties
from chladni_audio_features.grpc_api.requests import read_clip, read_clip_part, read_colormap
from chladni_audio_features.grpc_api.responses import (
    to_duration,
    to_mel_parameters,
    to_properties_message,
)
from chladni_audio_features.metrics import AudioMetrics
from chladni_audio_features.reconstruction.autoencoder import Autoencoder, Reconstruction, wav_file
from chladni_audio_features.reconstruction.models import AutoencoderModels
from chladni_audio_features.reconstruction.windows import WINDOW_SECONDS
from chladni_audio_features.rendering import Colormap, render_spectrogram
from chladni_contract.tensors import to_tensor
from chladni_contract.warnings import to_warning_message
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.worker_pool import WorkerPool
from chladni_runtime.server.request_context import cancellation_of
from chladni_runtime.server.validation import RequestValidator

Context = grpc.aio.ServicerContext[Any, Any]

_OUTPUTS: Final = (
    reconstruction_pb2.RECONSTRUCTION_OUTPUT_AUDIO,
    reconstruction_pb2.RECONSTRUCTION_OUTPUT_SPECTROGRAMS,
    reconstruction_pb2.RECONSTRUCTION_OUTPUT_LATENTS,
)
_DEFAULT_OUTPUTS: Final = _OUTPUTS[:2]


@dataclass(frozen=True)
class _Wanted:
    """What a caller wants beside the figures."""

    audio: bool
    spectrograms: bool
    latents: bool
    colormap: Colormap


class ReconstructionServicer(reconstruction_grpc.ReconstructionServiceServicer):
    """Serves the audio autoencoder.

    Args:
        extractor: Decodes clips and reconstructs them.
        models: Autoencoders by name.
        workers: Threads that it runs on.
        metrics: What is counted.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        models: AutoencoderModels,
        *,
        workers: WorkerPool,
        metrics: AudioMetrics,
    ) -> None:
        self._extractor = extractor
        self._models = models
        self._workers = workers
        self._metrics = metrics

    async def ReconstructAudio(
        self, request: reconstruction_pb2.ReconstructAudioRequest, context: Context
    ) -> reconstruction_pb2.ReconstructAudioResponse:
        """Encode a clip and decode it again.

        Raises:
            NotFoundError: No autoencoder has the name.
            ChladniError: There is no autoencoder, or the clip cannot be used.
        """
        content, part = read_clip(request), read_clip_part(request)
        wanted = _read_wanted(request)
        model = self._models.find(request.model)

        def work(token: CancellationToken) -> reconstruction_pb2.ReconstructAudioResponse:
            started_at = time.perf_counter()
            properties, made, samples = self._extractor.reconstruct(
                content, part, model=model, wants_samples=wanted.audio, token=token
            )
            self._metrics.count_analysed(properties.source.container, properties.source.duration_seconds)
            message = _to_message(properties, made, samples, wanted, model)
            message.processing_time.CopyFrom(to_duration(time.perf_counter() - started_at))
            return message

        with cancellation_of(context) as token:
            return await self._workers.run(token, work, token)


def _read_wanted(request: reconstruction_pb2.ReconstructAudioRequest) -> _Wanted:
    """Return what a request wants.

    Raises:
        InvalidFieldsError: An output or the colour map is not known.
    """
    validator = RequestValidator()
    for index, output in enumerate(request.outputs):
        validator.check(
            f"outputs[{index}]",
            valid=output in _OUTPUTS,
            description="must be RECONSTRUCTION_OUTPUT_AUDIO, _SPECTROGRAMS or _LATENTS.",
            metadata={"value": output},
        )
    colormap = read_colormap(request.colormap, validator)
    validator.raise_if_invalid()
    outputs = set(request.outputs or _DEFAULT_OUTPUTS)
    audio, spectrograms, latents = (output in outputs for output in _OUTPUTS)
    return _Wanted(audio, spectrograms, latents, colormap)


def _to_message(
    properties: SourceProperties,
    made: Reconstruction,
    samples: npt.NDArray[np.float32] | None,
    wanted: _Wanted,
    model: Autoencoder,
) -> reconstruction_pb2.ReconstructAudioResponse:
    figures = made.figures
    return reconstruction_pb2.ReconstructAudioResponse(
        audio=to_properties_message(properties),
        reconstruction=None if samples is None else media_pb2.AudioClip(content=wav_file(samples)),
        original_spectrogram=_image(made.original, wanted.colormap) if wanted.spectrograms else None,
        reconstructed_spectrogram=_image(made.reconstructed, wanted.colormap)
        if wanted.spectrograms
        else None,
        figures=reconstruction_pb2.ReconstructionFigures(
            mean_squared_error=figures.mean_squared_error,
            mean_absolute_error=figures.mean_absolute_error,
            cosine=figures.cosine,
            perceptual_similarity=figures.perceptual_similarity,
        ),
        latents=to_tensor(made.latents) if wanted.latents else None,
        model=model.model_id,
        model_digest=model.digest,
        mel_parameters=to_mel_parameters(model.mel_settings),
        window=to_duration(WINDOW_SECONDS),
        warnings=map(to_warning_message, properties.warnings),
    )


def _image(cells: npt.NDArray[np.float32], colormap: Colormap) -> media_pb2.EncodedImage:
    height, width = cells.shape
    return media_pb2.EncodedImage(
        content=render_spectrogram(cells, width_pixels=width, height_pixels=height, colormap=colormap),
        format=media_pb2.IMAGE_FORMAT_PNG,
        width_pixels=width,
        height_pixels=height,
    )
