"""The gRPC service of audio features: validate, call, convert."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import grpc

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc
from chladni_audio_features.audio.decoding import DecodingLimits
from chladni_audio_features.audio.pcm import PcmReader
from chladni_audio_features.extraction import FeatureExtractor, SourceProperties
from chladni_audio_features.grpc_api.requests import (
    read_chunk,
    read_clip,
    read_feature_selection,
    read_image_options,
    read_latents_request,
    read_pcm_format,
)
from chladni_audio_features.grpc_api.responses import (
    to_features_message,
    to_frames_message,
    to_image_message,
    to_models_message,
    to_summary_message,
)
from chladni_audio_features.live import LiveAnalysis, LiveLimits
from chladni_audio_features.metrics import AudioMetrics
from chladni_runtime.execution.worker_pool import WorkerPool
from chladni_runtime.server.request_context import cancellation_of

Context = grpc.aio.ServicerContext[Any, Any]


class AudioFeatureServicer(audio_feature_service_pb2_grpc.AudioFeatureServiceServicer):
    """Serves one feature extractor.

    Args:
        extractor: Computes features.
        workers: Threads that it runs on.
        decoding_limits: What live PCM may be, apart from its length.
        live_limits: How long live PCM may be.
        metrics: What is counted.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        *,
        workers: WorkerPool,
        decoding_limits: DecodingLimits,
        live_limits: LiveLimits,
        metrics: AudioMetrics,
    ) -> None:
        self._extractor = extractor
        self._workers = workers
        self._decoding_limits = decoding_limits
        self._live_limits = live_limits
        self._metrics = metrics

    async def ExtractFeatures(
        self, request: audio_pb2.ExtractFeaturesRequest, context: Context
    ) -> audio_pb2.ExtractFeaturesResponse:
        """Compute the chosen features of a clip."""
        content = read_clip(request)
        wanted = read_feature_selection(request)
        model = self._extractor.embedding_models.find(request.embedding_model)
        further_models = [
            self._extractor.embedding_models.find(name, field=f"further_embedding_models[{index}]")
            for index, name in enumerate(request.further_embedding_models)
        ]
        plan = (
            self._extractor.calibrations.plan(read_latents_request(request.initial_latents))
            if wanted.initial_latents
            else None
        )

        def work() -> audio_pb2.ExtractFeaturesResponse:
            started_at = time.perf_counter()
            features = self._extractor.extract(
                content,
                wants_log_mel=wanted.log_mel,
                wants_descriptors=wanted.descriptors,
                wants_embedding=wanted.embedding,
                embedding_model=model,
                further_models=further_models,
                latents_plan=plan,
            )
            self._count(features.properties)
            return to_features_message(
                features,
                settings=self._extractor.transform.settings,
                definitions=self._extractor.analyser.definitions,
                embedding_card=model.card,
                further_cards=[further.card for further in further_models],
                latents_plan=plan,
                processing_seconds=time.perf_counter() - started_at,
            )

        with cancellation_of(context) as token:
            return await self._workers.run(token, work)

    async def RenderSpectrogram(
        self, request: audio_pb2.RenderSpectrogramRequest, context: Context
    ) -> audio_pb2.RenderSpectrogramResponse:
        """Draw the spectrogram of a clip."""
        content = read_clip(request)
        wanted = read_image_options(request)

        def work() -> audio_pb2.RenderSpectrogramResponse:
            properties, image = self._extractor.render(
                content,
                width_pixels=wanted.width_pixels,
                height_pixels=wanted.height_pixels,
                colormap=wanted.colormap,
            )
            self._count(properties)
            return to_image_message(properties, image, wanted)

        with cancellation_of(context) as token:
            return await self._workers.run(token, work)

    async def StreamFeatures(
        self,
        request_iterator: AsyncIterator[audio_pb2.StreamFeaturesRequest],
        context: Context,
    ) -> AsyncIterator[audio_pb2.StreamFeaturesResponse]:
        """Compute mel frames of live PCM as it arrives, and a summary at its end."""
        first = await anext(request_iterator, audio_pb2.StreamFeaturesRequest())
        reader = PcmReader(read_pcm_format(first), limits=self._decoding_limits)
        analysis = LiveAnalysis(self._extractor, reader, limits=self._live_limits)
        with cancellation_of(context) as token:
            async for request in request_iterator:
                frames = await self._workers.run(token, analysis.push, read_chunk(request))
                if frames.level is not None:
                    yield to_frames_message(frames)
            frames, summary = await self._workers.run(token, analysis.finish)
        if frames.mel_power.shape[1]:
            yield to_frames_message(frames)
        yield to_summary_message(
            summary,
            settings=self._extractor.transform.settings,
            definitions=self._extractor.analyser.definitions,
            embedding_card=self._extractor.embedding_models.default.card,
        )

    async def ListModels(
        self, request: audio_pb2.ListModelsRequest, context: Context
    ) -> audio_pb2.ListModelsResponse:
        """List the embedding models, and the calibrations of initial latents with the default one."""
        return to_models_message(self._extractor.embedding_models, self._extractor.calibrations)

    def _count(self, properties: SourceProperties) -> None:
        source = properties.source
        self._metrics.count_analysed(source.container, source.duration_seconds)
