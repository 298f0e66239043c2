"""The gRPC service of music analysis."""

from __future__ import annotations

import time
from typing import Any

import grpc

from chladni.audio.v1 import music_service_pb2 as music_pb2
from chladni.audio.v1 import music_service_pb2_grpc
from chladni_audio_features.extraction import FeatureExtractor
from chladni_audio_features.grpc_api.music_messages import to_music_message
from chladni_audio_features.grpc_api.requests import read_clip, read_clip_part
from chladni_audio_features.metrics import AudioMetrics
from chladni_audio_features.music.analysis import check_available
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.worker_pool import WorkerPool
from chladni_runtime.server.request_context import cancellation_of

Context = grpc.aio.ServicerContext[Any, Any]


class MusicServicer(music_service_pb2_grpc.MusicServiceServicer):
    """Serves the analyses of music.

    Args:
        extractor: Decodes and analyses.
        workers: Threads that it runs on.
        metrics: What is counted.
        enabled: Whether the settings allow it.
    """

    def __init__(
        self, extractor: FeatureExtractor, *, workers: WorkerPool, metrics: AudioMetrics, enabled: bool = True
    ) -> None:
        self._extractor = extractor
        self._workers = workers
        self._metrics = metrics
        self._enabled = enabled

    async def AnalyzeMusic(
        self, request: music_pb2.AnalyzeMusicRequest, context: Context
    ) -> music_pb2.AnalyzeMusicResponse:
        """Analyse the music of a clip.

        Raises:
            NotOfferedError: The settings do not allow it.
            ChladniError: librosa is not installed, or the clip cannot be used.
        """
        check_available(enabled=self._enabled)
        content, part = read_clip(request), read_clip_part(request)

        def work(token: CancellationToken) -> music_pb2.AnalyzeMusicResponse:
            started_at = time.perf_counter()
            properties, analysis = self._extractor.analyse_music(content, part, token=token)
            self._metrics.count_analysed(properties.source.container, properties.source.duration_seconds)
            return to_music_message(properties, analysis, processing_seconds=time.perf_counter() - started_at)

        with cancellation_of(context) as token:
            return await self._workers.run(token, work, token)
