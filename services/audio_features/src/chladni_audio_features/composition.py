"""What the service is made of, put together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import numpy as np
from prometheus_client import CollectorRegistry

from chladni.audio.v1 import audio_feature_service_pb2, audio_feature_service_pb2_grpc
from chladni_audio_features.config import AudioFeaturesSettings
from chladni_audio_features.decoding import AudioDecoder, DecodingLimits
from chladni_audio_features.descriptors import DescriptorAnalyser
from chladni_audio_features.embedding import load_embedder
from chladni_audio_features.extraction import FeatureExtractor
from chladni_audio_features.memory import keep_freed_memory
from chladni_audio_features.metrics import AudioMetrics
from chladni_audio_features.servicer import AudioFeatureServicer
from chladni_audio_features.spectrogram import MelTransform
from chladni_runtime.admission import Admission
from chladni_runtime.bindings import Binding
from chladni_runtime.execution import WorkerPool
from chladni_runtime.processors import available_processor_count
from chladni_runtime.server import Compose

SERVICE_NAMES: Final = (
    audio_feature_service_pb2.DESCRIPTOR.services_by_name["AudioFeatureService"].full_name,
)

_MAX_WORKERS: Final = 4  # each may hold some 50 MB of a long recording


def composer(settings: AudioFeaturesSettings) -> Compose:
    """Returns the function that loads the embedding, warms the analyses and gives the servicer."""

    @asynccontextmanager
    async def compose(registry: CollectorRegistry) -> AsyncIterator[Sequence[Binding]]:
        keep_freed_memory()
        extractor = await asyncio.to_thread(load_extractor, settings.decoding_limits)
        metrics = AudioMetrics(registry)
        admission = Admission(settings.max_queued_requests, clock=time.monotonic)
        metrics.work_in_progress.set_function(lambda: admission.in_progress)
        thread_count = settings.worker_count or min(_MAX_WORKERS, available_processor_count())
        async with WorkerPool(thread_count, admission=admission) as workers:
            servicer = AudioFeatureServicer(
                extractor,
                workers=workers,
                decoding_limits=settings.decoding_limits,
                live_limits=settings.live_limits,
                metrics=metrics,
            )
            register = audio_feature_service_pb2_grpc.add_AudioFeatureServiceServicer_to_server
            yield [Binding(register, servicer)]

    return compose


def load_extractor(limits: DecodingLimits) -> FeatureExtractor:
    """Loads everything that the analyses need and runs them once, so that no caller waits for that.

    Raises:
        ModelFileError: The embedding's files are missing or altered.
    """
    transform = MelTransform()
    extractor = FeatureExtractor(
        decoder=AudioDecoder(limits),
        transform=transform,
        analyser=DescriptorAnalyser(transform),
        embedder=load_embedder(),
    )
    noise = np.random.default_rng(0).standard_normal(transform.settings.sample_rate_hz)
    extractor.embedder.embed(extractor.analyser.describe(noise.astype(np.float32)))
    return extractor
