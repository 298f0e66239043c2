"""What the service is made of, put together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import Final

import numpy as np
from prometheus_client import CollectorRegistry

from chladni.audio.v1 import (
    audio_feature_service_pb2,
    audio_feature_service_pb2_grpc,
    music_service_pb2,
    music_service_pb2_grpc,
    reconstruction_service_pb2,
    reconstruction_service_pb2_grpc,
)
from chladni.audio.v1alpha1 import song_service_pb2, song_service_pb2_grpc
from chladni_audio_features.analysis.descriptors import DescriptorAnalyser
from chladni_audio_features.analysis.spectrogram import MelTransform
from chladni_audio_features.audio.decoding import AudioDecoder, new_process_pool
from chladni_audio_features.audio.limits import DecodingLimits
from chladni_audio_features.config import AudioFeaturesSettings
from chladni_audio_features.embeddings.descriptors import load_embedder
from chladni_audio_features.embeddings.loading import PretrainedModels, load_embedding_models
from chladni_audio_features.extraction import FeatureExtractor
from chladni_audio_features.grpc_api.music_servicer import MusicServicer
from chladni_audio_features.grpc_api.reconstruction_servicer import ReconstructionServicer
from chladni_audio_features.grpc_api.servicer import AudioFeatureServicer
from chladni_audio_features.grpc_api.song_servicer import SongServicer
from chladni_audio_features.latents.catalog import load_calibrations
from chladni_audio_features.metrics import AudioMetrics
from chladni_audio_features.music.analysis import is_available, warm_up
from chladni_audio_features.reconstruction.autoencoder import Autoencoder
from chladni_audio_features.reconstruction.models import load_autoencoder_models
from chladni_runtime.execution.admission import Admission
from chladni_runtime.execution.memory import keep_freed_memory
from chladni_runtime.execution.process_pool import ProcessPool
from chladni_runtime.execution.processors import available_processor_count
from chladni_runtime.execution.worker_pool import WorkerPool
from chladni_runtime.models.reference import ModelReference
from chladni_runtime.server.late_binding import Binding
from chladni_runtime.server.server import Compose
from chladni_runtime.spool import Spool
from chladni_runtime.telemetry.process_metrics import ReplacedProcessCollector
from chladni_runtime.telemetry.work_metrics import ModelMetrics

_RECONSTRUCTION: Final = reconstruction_service_pb2.DESCRIPTOR.services_by_name[
    "ReconstructionService"
].full_name
_MUSIC: Final = music_service_pb2.DESCRIPTOR.services_by_name["MusicService"].full_name

SERVICE_NAMES: Final = (
    audio_feature_service_pb2.DESCRIPTOR.services_by_name["AudioFeatureService"].full_name,
    song_service_pb2.DESCRIPTOR.services_by_name["SongService"].full_name,
    _RECONSTRUCTION,
    *((_MUSIC,) if is_available() else ()),
)

_MAX_WORKERS: Final = 4  # each may hold some 50 MB of a long clip


def compose(settings: AudioFeaturesSettings, *, processes: ProcessPool | None = None) -> Compose:
    """Return the function that loads the models, warms the analyses up and yields the servicer.

    Args:
        settings: The service's settings.
        processes: Where files are decoded, already started; `None` means the service's own.
    """

    @asynccontextmanager
    async def serve(registry: CollectorRegistry) -> AsyncIterator[Sequence[Binding]]:
        keep_freed_memory()
        thread_count = settings.worker_count or min(_MAX_WORKERS, available_processor_count())
        pool = processes or new_process_pool(thread_count)
        autoencoders = await asyncio.to_thread(load_autoencoder_models, settings.autoencoder_reference)
        extractor = await asyncio.to_thread(
            load_extractor,
            settings.decoding_limits,
            autoencoder=autoencoders.default,
            pretrained=_pretrained_models(settings, thread_count),
            calibrations=settings.calibration_references,
            processes=pool,
        )
        metrics = AudioMetrics(registry)
        admission = Admission(settings.max_queued_requests, clock=time.monotonic)
        metrics.work_in_progress.set_function(lambda: admission.in_progress)
        registry.register(ReplacedProcessCollector(lambda: pool.replaced_count))
        model_metrics = ModelMetrics(registry)
        for model in extractor.embedding_models:
            model_metrics.note_loaded(model.card.model_id, model.card.digest)
        async with (
            nullcontext() if processes else _running(pool),
            WorkerPool(thread_count, admission=admission, queue="analyses") as workers,
        ):
            spool = Spool(settings.spool_limits)
            servicer = AudioFeatureServicer(
                extractor,
                workers=workers,
                decoding_limits=settings.decoding_limits,
                live_limits=settings.live_limits,
                spool=spool,
                metrics=metrics,
                heartbeat_seconds=settings.heartbeat_seconds,
            )
            songs = SongServicer(
                extractor,
                workers=workers,
                spool=spool,
                metrics=metrics,
                with_music=settings.music,
                heartbeat_seconds=settings.heartbeat_seconds,
            )
            music = MusicServicer(extractor, workers=workers, metrics=metrics, enabled=settings.music)
            reconstruction = ReconstructionServicer(extractor, autoencoders, workers=workers, metrics=metrics)
            if settings.music and is_available():
                # Of the threads' pool, not of the workers': requests for features need not wait for it.
                warming_up = asyncio.create_task(asyncio.to_thread(warm_up))
            else:
                warming_up = None
            yield [
                Binding(audio_feature_service_pb2_grpc.add_AudioFeatureServiceServicer_to_server, servicer),
                Binding(music_service_pb2_grpc.add_MusicServiceServicer_to_server, music),
                Binding(song_service_pb2_grpc.add_SongServiceServicer_to_server, songs),
                Binding(
                    reconstruction_service_pb2_grpc.add_ReconstructionServiceServicer_to_server,
                    reconstruction,
                ),
            ]
            if warming_up is not None:
                await warming_up

    return serve


@asynccontextmanager
async def _running(processes: ProcessPool) -> AsyncIterator[None]:
    """Run the processes that files are decoded in while the context lasts."""
    try:
        await asyncio.to_thread(processes.start)
        yield
    finally:
        await asyncio.to_thread(processes.close)


def load_extractor(
    limits: DecodingLimits,
    *,
    pretrained: PretrainedModels | None = None,
    autoencoder: Autoencoder | None = None,
    calibrations: Sequence[ModelReference] = (),
    processes: ProcessPool | None = None,
) -> FeatureExtractor:
    """Load everything that the analyses need and runs them once, so that no caller waits for that.

    Args:
        limits: What a clip may be.
        pretrained: Which pretrained models to load; `None` means none. One that cannot be loaded is listed
            as unavailable.
        autoencoder: Autoencoder whose latents are an embedding model too; `None` for none.
        calibrations: Calibrations of initial latents beside the embedded ones.
        processes: Where files are decoded; `None` means in this process.

    Raises:
        ModelFileError: The embedding's files are missing or altered.
        CalibrationError: A calibration cannot be used.
    """
    transform = MelTransform()
    embedder = load_embedder()
    extractor = FeatureExtractor(
        decoder=AudioDecoder(limits, processes=processes),
        transform=transform,
        analyser=DescriptorAnalyser(transform),
        embedder=embedder,
        embedding_models=load_embedding_models(embedder, pretrained or PretrainedModels(), autoencoder),
        calibrations=load_calibrations(calibrations),
    )
    noise = np.random.default_rng(0).standard_normal(transform.settings.sample_rate_hz)
    extractor.embedder.embed(extractor.analyser.describe(noise.astype(np.float32)))
    return extractor


def _pretrained_models(settings: AudioFeaturesSettings, worker_count: int) -> PretrainedModels:
    return PretrainedModels(
        clap=settings.clap_reference,
        clap_to_clip_map=settings.clap_to_clip_reference,
        device=settings.clap_device,
        thread_count=max(1, available_processor_count() // worker_count),
    )
