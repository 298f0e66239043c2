"""The gRPC service of audio features: validate, call, convert."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Any

import grpc

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc
from chladni.generation.v1 import generation_pb2
from chladni_audio_features.audio.limits import DecodingLimits
from chladni_audio_features.audio.pcm import PcmReader
from chladni_audio_features.extraction import FeatureExtractor, SourceProperties
from chladni_audio_features.grpc_api.cutting import AudioCutter
from chladni_audio_features.grpc_api.requests import (
    MAX_CHUNK_BYTES,
    MAX_MEL_CELLS,
    read_chunk,
    read_clip,
    read_clip_part,
    read_feature_selection,
    read_image_options,
    read_latents_request,
    read_mel_request,
    read_pcm_format,
    read_segment_options,
)
from chladni_audio_features.grpc_api.responses import (
    to_features_message,
    to_frames_message,
    to_image_message,
    to_models_message,
    to_ready_message,
    to_segment_message,
    to_summary,
)
from chladni_audio_features.live import LiveAnalysis, LiveLimits, LiveSummary
from chladni_audio_features.live_course import MAX_COURSE_SECONDS, CourseAnalysis
from chladni_audio_features.metrics import AudioMetrics
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.heartbeats import HEARTBEAT_SECONDS, with_heartbeats
from chladni_runtime.execution.worker_pool import WorkerPool
from chladni_runtime.server.request_context import cancellation_of
from chladni_runtime.server.validation import read_piece
from chladni_runtime.spool import Spool

Context = grpc.aio.ServicerContext[Any, Any]


class AudioFeatureServicer(audio_feature_service_pb2_grpc.AudioFeatureServiceServicer):
    """Serves one feature extractor.

    Args:
        extractor: Computes features.
        workers: Threads that it runs on.
        decoding_limits: What live PCM may be, apart from its length.
        live_limits: How long live PCM may be.
        spool: Where large files wait.
        metrics: What is counted.
        heartbeat_seconds: Silence after which a live stream sends a heartbeat.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        *,
        workers: WorkerPool,
        decoding_limits: DecodingLimits,
        live_limits: LiveLimits,
        spool: Spool,
        metrics: AudioMetrics,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._extractor = extractor
        self._workers = workers
        self._decoding_limits = decoding_limits
        self._live_limits = live_limits
        self._cutter = AudioCutter(extractor, workers=workers, spool=spool, limits=decoding_limits)
        self._metrics = metrics
        self._heartbeat_seconds = heartbeat_seconds

    async def ExtractFeatures(
        self, request: audio_pb2.ExtractFeaturesRequest, context: Context
    ) -> audio_pb2.ExtractFeaturesResponse:
        """Compute the chosen features of a clip."""
        content, part = read_clip(request), read_clip_part(request)
        wanted = read_feature_selection(request)
        mel = read_mel_request(request.mel)
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

        def work(token: CancellationToken) -> audio_pb2.ExtractFeaturesResponse:
            started_at = time.perf_counter()
            features = self._extractor.extract(
                content,
                part=part,
                token=token,
                wants_log_mel=wanted.log_mel,
                wants_descriptors=wanted.descriptors,
                wants_embedding=wanted.embedding,
                embedding_model=model,
                further_models=further_models,
                latents_plan=plan,
                mel=mel,
                max_mel_cells=MAX_MEL_CELLS,
            )
            self._count(features.properties)
            return to_features_message(
                features,
                mel=mel,
                definitions=self._extractor.analyser.definitions,
                embedding_card=model.card,
                further_cards=[further.card for further in further_models],
                latents_plan=plan,
                processing_seconds=time.perf_counter() - started_at,
            )

        with cancellation_of(context) as token:
            return await self._workers.run(token, work, token)

    async def CutAudio(
        self, request_iterator: AsyncIterator[audio_pb2.CutAudioRequest], context: Context
    ) -> AsyncIterator[audio_pb2.CutAudioResponse]:
        """Cut a part out of a file that comes in pieces."""
        with cancellation_of(context) as token:
            cutting = self._cutter.cut(request_iterator, token)
            async with aclosing(with_heartbeats(cutting, self._heartbeat_seconds)) as responses:
                async for response in responses:
                    yield response or audio_pb2.CutAudioResponse(heartbeat=generation_pb2.Heartbeat())

    async def RenderSpectrogram(
        self, request: audio_pb2.RenderSpectrogramRequest, context: Context
    ) -> audio_pb2.RenderSpectrogramResponse:
        """Draw the spectrogram of a clip."""
        content, part = read_clip(request), read_clip_part(request)
        wanted = read_image_options(request)
        mel = read_mel_request(request.mel)

        def work(token: CancellationToken) -> audio_pb2.RenderSpectrogramResponse:
            properties, image = self._extractor.render(
                content,
                part=part,
                token=token,
                width_pixels=wanted.width_pixels,
                height_pixels=wanted.height_pixels,
                colormap=wanted.colormap,
                encoding=wanted.encoding,
                mel=mel,
            )
            self._count(properties)
            return to_image_message(properties, image, wanted, mel)

        with cancellation_of(context) as token:
            return await self._workers.run(token, work, token)

    async def StreamFeatures(
        self,
        request_iterator: AsyncIterator[audio_pb2.StreamFeaturesRequest],
        context: Context,
    ) -> AsyncIterator[audio_pb2.StreamFeaturesResponse]:
        """Compute mel frames of live PCM as it arrives, and a summary at its end and when it is asked for."""
        events = self._analyse_stream(request_iterator, context)
        async with aclosing(with_heartbeats(events, self._heartbeat_seconds)) as responses:
            async for response in responses:
                yield response or audio_pb2.StreamFeaturesResponse(heartbeat=generation_pb2.Heartbeat())

    async def ListModels(
        self, request: audio_pb2.ListModelsRequest, context: Context
    ) -> audio_pb2.ListModelsResponse:
        """List the embedding models, and the calibrations of initial latents with the default one."""
        return to_models_message(self._extractor.embedding_models, self._extractor.calibrations)

    async def _analyse_stream(
        self, request_iterator: AsyncIterator[audio_pb2.StreamFeaturesRequest], context: Context
    ) -> AsyncGenerator[audio_pb2.StreamFeaturesResponse, None]:
        first = await anext(request_iterator, audio_pb2.StreamFeaturesRequest())
        reader = PcmReader(read_pcm_format(first), limits=self._decoding_limits)
        if first.config.HasField("segments"):
            async with aclosing(self._trace_course(first, reader, request_iterator, context)) as responses:
                async for response in responses:
                    yield response
            return
        analysis = LiveAnalysis(self._extractor, reader, limits=self._live_limits)
        yield to_ready_message(
            self._extractor.transform.settings,
            max_seconds=self._live_limits.max_seconds,
            max_chunk_bytes=MAX_CHUNK_BYTES,
        )
        with cancellation_of(context) as token:
            async for request in request_iterator:
                chunk = read_chunk(request)
                if chunk is None:
                    so_far = await self._workers.run(token, analysis.summarise)
                    yield audio_pb2.StreamFeaturesResponse(so_far=self._to_summary(so_far))
                    continue
                frames = await self._workers.run(token, analysis.push, chunk)
                if frames.level is not None:
                    yield to_frames_message(frames)
                if analysis.is_full:
                    break
            frames, summary = await self._workers.run(token, analysis.finish)
        if frames.mel_power.shape[1]:
            yield to_frames_message(frames)
        yield audio_pb2.StreamFeaturesResponse(
            summary=self._to_summary(summary, limit_reached=analysis.is_full)
        )

    async def _trace_course(
        self,
        first: audio_pb2.StreamFeaturesRequest,
        reader: PcmReader,
        request_iterator: AsyncIterator[audio_pb2.StreamFeaturesRequest],
        context: Context,
    ) -> AsyncGenerator[audio_pb2.StreamFeaturesResponse, None]:
        """Yield the segments of live audio as they are heard."""
        lengths = read_segment_options(first)
        with cancellation_of(context) as token:
            analysis = await self._workers.run(
                token,
                partial(
                    CourseAnalysis,
                    self._extractor,
                    reader,
                    segment_seconds=lengths.segment_seconds,
                    update_seconds=lengths.update_seconds,
                ),
            )
            yield to_ready_message(
                self._extractor.transform.settings,
                max_seconds=MAX_COURSE_SECONDS,
                max_chunk_bytes=MAX_CHUNK_BYTES,
            )
            async for request in request_iterator:
                chunk = read_piece(request, field="pcm", max_bytes=MAX_CHUNK_BYTES)
                for segment in await self._workers.run(token, analysis.push, chunk):
                    yield to_segment_message(segment)

    def _to_summary(self, summary: LiveSummary, *, limit_reached: bool = False) -> audio_pb2.StreamSummary:
        return to_summary(
            summary,
            settings=self._extractor.transform.settings,
            definitions=self._extractor.analyser.definitions,
            embedding_card=self._extractor.embedding_models.default.card,
            limit_reached=limit_reached,
        )

    def _count(self, properties: SourceProperties) -> None:
        source = properties.source
        self._metrics.count_analysed(source.container, source.duration_seconds)
