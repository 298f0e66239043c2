"""The composition of the service."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import numpy as np
from prometheus_client import CollectorRegistry

from chladni.similarity.v1 import (
    anomaly_service_pb2,
    anomaly_service_pb2_grpc,
    similarity_service_pb2,
    similarity_service_pb2_grpc,
)
from chladni_runtime.batching.batcher import DynamicBatcher
from chladni_runtime.batching.queue import BatchLimits
from chladni_runtime.execution.admission import Admission
from chladni_runtime.execution.processors import available_processor_count
from chladni_runtime.execution.worker_pool import WorkerPool
from chladni_runtime.models.devices import choose_device
from chladni_runtime.security.credentials import ChannelSecurity
from chladni_runtime.server.late_binding import Binding
from chladni_runtime.server.server import Compose
from chladni_runtime.telemetry.process_metrics import GpuCollector, ReplacedProcessCollector
from chladni_runtime.telemetry.work_metrics import ModelMetrics
from chladni_similarity.alignment import Aligner
from chladni_similarity.anomaly.detector import AnomalyDetector
from chladni_similarity.anomaly.encoders import EncoderLoader
from chladni_similarity.anomaly.normal_set_store import NormalSetStore
from chladni_similarity.audio_features import AudioFeaturesClient
from chladni_similarity.collections.interface import OpenStore
from chladni_similarity.collections.metrics import CollectionMetrics
from chladni_similarity.comparison import ImageComparer
from chladni_similarity.config import COLLECTIONS_OFF, NORMAL_SETS_OFF, SimilaritySettings
from chladni_similarity.embedders.catalog import ModelCatalog, load_catalog
from chladni_similarity.embedders.interface import AudioEmbedder
from chladni_similarity.embedding.cache import EmbeddingCache
from chladni_similarity.embedding.engine import EmbeddingBatcher, EmbeddingEngine, EmbeddingJob, compute_batch
from chladni_similarity.grpc_api.anomaly_servicer import AnomalyServicer
from chladni_similarity.grpc_api.servicer import SimilarityServicer
from chladni_similarity.images.decoder import ImageDecoder
from chladni_similarity.metrics import EmbeddingMetrics
from chladni_similarity.models.references import EFFICIENTNET_MODEL_ID
from chladni_similarity.search import ImageSearch, SearchModels

SERVICE_NAMES: Final = (
    similarity_service_pb2.DESCRIPTOR.services_by_name["SimilarityService"].full_name,
    anomaly_service_pb2.DESCRIPTOR.services_by_name["AnomalyService"].full_name,
)

_EXPECTED_SECONDS_PER_IMAGE: Final = 0.05

_log = logging.getLogger(__name__)


def compose(settings: SimilaritySettings) -> Compose:
    """Return what opens the service: it loads the models, warms them, and yields the servicers."""

    @asynccontextmanager
    async def opened(registry: CollectorRegistry) -> AsyncIterator[Sequence[Binding]]:
        model_metrics = ModelMetrics(registry)
        device = await asyncio.to_thread(_device_name, settings)
        if device != "cpu":
            _observe_gpus(registry)
        catalog = await asyncio.to_thread(load_catalog, settings.models, device=device, dtype=settings.dtype)
        batch_count = _concurrent_batch_count(settings, catalog)
        await asyncio.to_thread(_warm, catalog, settings, batch_count)
        for embedder in catalog:
            model_metrics.note_loaded(embedder.card.model_id, embedder.card.digest)
        metrics = EmbeddingMetrics(registry)
        cache = EmbeddingCache(settings.cache_capacity)
        async with (
            _decoder() as decoder,
            _workers(settings) as workers,
            _batcher(settings, metrics, batch_count) as batcher,
            _audio_analyzer(settings) as analyzer,
        ):
            registry.register(ReplacedProcessCollector(lambda: decoder.replaced_count))
            metrics.cached_embeddings.set_function(lambda: len(cache))
            metrics.queued_images.set_function(lambda: batcher.queued_items)
            engine = EmbeddingEngine(
                workers=workers,
                decoder=decoder,
                batcher=batcher,
                cache=cache,
                admission=_admission(settings),
                metrics=metrics,
            )
            aligner = Aligner(engine=engine, workers=workers, analyzer=analyzer)
            async with _image_search(settings, registry, catalog, engine, aligner) as search:
                similarity = SimilarityServicer(
                    catalog=catalog,
                    engine=engine,
                    comparer=ImageComparer(engine),
                    aligner=aligner,
                    search=search,
                    limits=settings.image_limits,
                )
                detector = _anomaly_detector(settings, catalog, workers, analyzer, decoder)
                anomaly = AnomalyServicer(detector, limits=settings.image_limits)
                yield [
                    Binding(similarity_service_pb2_grpc.add_SimilarityServiceServicer_to_server, similarity),
                    Binding(anomaly_service_pb2_grpc.add_AnomalyServiceServicer_to_server, anomaly),
                ]

    return opened


def _device_name(settings: SimilaritySettings) -> str:
    """Return the device of the models.

    Raises:
        ConfigurationError: There is no such device.
    """
    import torch  # noqa: PLC0415 - after the server listens; see embedders.catalog

    count = torch.cuda.device_count() if settings.device != "cpu" else 0
    return choose_device(settings.device, variable="CHLADNI_SIMILARITY_DEVICE", gpu_count=count)


def _observe_gpus(registry: CollectorRegistry) -> None:
    import torch  # noqa: PLC0415 - as above

    registry.register(GpuCollector(torch.cuda))


def _concurrent_batch_count(settings: SimilaritySettings, catalog: ModelCatalog) -> int:
    best = min(embedder.concurrent_batch_count for embedder in catalog)
    return settings.concurrent_batch_count or min(best, available_processor_count())


def _warm(catalog: ModelCatalog, settings: SimilaritySettings, batch_count: int) -> None:
    """Run each model at the smallest and the largest batch: first runs choose kernels."""
    import torch  # noqa: PLC0415 - after the server listens; see embedders.catalog

    thread_count = settings.torch_thread_count or max(1, available_processor_count() // batch_count)
    torch.set_num_threads(thread_count)
    black = np.zeros((3, 1, 1), np.uint8)
    for embedder in catalog:
        job = EmbeddingJob(embedder, embedder.prepare(black))
        for batch_size in (1, settings.max_batch_size):
            compute_batch([job] * batch_size)
        _log.info("model loaded", extra={"model": embedder.card.model_id, "torch_threads": thread_count})


def _admission(settings: SimilaritySettings) -> Admission:
    return Admission(
        settings.max_images_in_progress, clock=time.monotonic, expected_seconds=_EXPECTED_SECONDS_PER_IMAGE
    )


@asynccontextmanager
async def _decoder() -> AsyncIterator[ImageDecoder]:
    """Yield the decoder of images, and end its process."""
    with ImageDecoder() as decoder:
        yield decoder


def _workers(settings: SimilaritySettings) -> WorkerPool:
    thread_count = settings.decode_thread_count or available_processor_count()
    return WorkerPool(thread_count, admission=_admission(settings), queue="preparation")


@asynccontextmanager
async def _audio_analyzer(settings: SimilaritySettings) -> AsyncIterator[AudioFeaturesClient | None]:
    """Yield the client that embeds audio files; `None` if the settings name no audio-features service."""
    if not settings.audio_features_target:
        yield None
        return
    security = ChannelSecurity(settings.backend_certificates)
    client = AudioFeaturesClient(settings.audio_features_target, security=security)
    try:
        yield client
    finally:
        await client.close()


def _anomaly_detector(
    settings: SimilaritySettings,
    catalog: ModelCatalog,
    workers: WorkerPool,
    maker: AudioFeaturesClient | None,
    decoder: ImageDecoder,
) -> AnomalyDetector | None:
    """Return what judges machines; `None` if the settings switch it off."""
    if settings.normal_sets == NORMAL_SETS_OFF:
        return None
    loaded = {embedder.card.model_id: embedder for embedder in catalog}
    encoders = EncoderLoader({name: loaded[name] for name in (EFFICIENTNET_MODEL_ID,) if name in loaded})
    store = NormalSetStore(
        settings.normal_set_folder, max_sets=settings.max_normal_sets, load_encoder=encoders
    )
    return AnomalyDetector(store=store, workers=workers, maker=maker, load_encoder=encoders, decoder=decoder)


@asynccontextmanager
async def _image_search(
    settings: SimilaritySettings,
    registry: CollectorRegistry,
    catalog: ModelCatalog,
    engine: EmbeddingEngine,
    aligner: Aligner,
) -> AsyncIterator[ImageSearch | None]:
    """Yield the search of collections; `None` if the settings switch collections off."""
    if settings.collections == COLLECTIONS_OFF:
        yield None
        return
    audio_embedders = (embedder for embedder in catalog if isinstance(embedder, AudioEmbedder))
    models = SearchModels(by_image=catalog.default, by_audio=next(audio_embedders, None))
    open_store = await asyncio.to_thread(_load_open_store)
    async with open_store(
        settings.store_location,
        spaces=models.spaces,
        limits=settings.collection_limits,
        max_waiting=settings.max_concurrent_requests,
    ) as store:
        search = ImageSearch(
            store=store,
            engine=engine,
            models=models,
            aligner=aligner,
            metrics=CollectionMetrics(registry),
        )
        await search.note_sizes()
        yield search


def _load_open_store() -> OpenStore:
    # qdrant-client takes half a second, in which the server should answer health checks.
    from chladni_similarity.collections.opening import open_store  # noqa: PLC0415

    return open_store


def _batcher(settings: SimilaritySettings, metrics: EmbeddingMetrics, batch_count: int) -> EmbeddingBatcher:
    limits = BatchLimits(
        max_batch_size=settings.max_batch_size,
        max_delay_seconds=settings.max_batch_delay_seconds,
        max_queued_items=settings.max_images_in_progress,
    )
    return DynamicBatcher(
        compute_batch,
        batch_key_of=lambda job: job.group,
        limits=limits,
        clock=time.monotonic,
        observe_batch=metrics.batch_images.observe,
        queue="embedding",
        thread_count=batch_count,
    )
