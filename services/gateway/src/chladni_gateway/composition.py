"""The gateway, put together."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from chladni.gateway.v1 import audio_to_image_service_pb2 as gateway_pb2
from chladni.gateway.v1 import audio_to_image_service_pb2_grpc as gateway_grpc
from chladni_gateway.application import Application, Limits
from chladni_gateway.backends.audio_features import AudioFeaturesClient
from chladni_gateway.backends.health import HealthChecker
from chladni_gateway.backends.image_generation import ImageGenerationClient, ImageGenerationPool
from chladni_gateway.backends.similarity import SimilarityClient
from chladni_gateway.creation.creator import ImageCreator
from chladni_gateway.creation.job_runner import JobLimits, JobRunner
from chladni_gateway.domain.generation import PreviewRequest
from chladni_gateway.grpc_api.servicer import AudioToImageServicer
from chladni_gateway.image_folder import FolderImageStore, periodic_sweep, utc_now
from chladni_gateway.metrics import CreationMetrics, HttpMetrics, observe_counts
from chladni_gateway.models.catalog import ModelCatalog, ModelListing
from chladni_gateway.recipes.audioldm import AudioLdmRecipe
from chladni_gateway.recipes.base import RecipeDependencies, RecipeRegistry
from chladni_gateway.recipes.clap_unclip import ClapUnclipRecipe
from chladni_gateway.recipes.embedded import EmbeddedRecipe
from chladni_gateway.recipes.latent_noise import LatentNoiseRecipe
from chladni_gateway.recipes.music_prompts import MusicPromptsRecipe
from chladni_gateway.recipes.spectrogram import SpectrogramRecipe
from chladni_gateway.rest.app import create_app
from chladni_gateway.rest.connection_limiter import ConnectionLimiter
from chladni_gateway.rest.middleware.rate_limit import RateLimit
from chladni_gateway.rest.middleware.token_buckets import Rate
from chladni_gateway.rest.server import http_server
from chladni_gateway.similarity.alignment import ImageAligner
from chladni_gateway.similarity.collection import RemovedImages, StoredImageCollection
from chladni_gateway.similarity.comparison import ImageComparator
from chladni_gateway.similarity.matrix import MatrixComparator
from chladni_gateway.similarity.scoring import StoredImageScorer
from chladni_gateway.similarity.search import ImageSearcher
from chladni_runtime.execution.admission import Admission
from chladni_runtime.server.late_binding import Binding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from prometheus_client import CollectorRegistry

    from chladni_gateway.config import GatewaySettings
    from chladni_gateway.domain.image_store import ImageStore
    from chladni_gateway.domain.ports import Backend
    from chladni_runtime.server.server import Compose

RECIPES: Final = (
    EmbeddedRecipe,
    AudioLdmRecipe,
    SpectrogramRecipe,
    LatentNoiseRecipe,
    MusicPromptsRecipe,
    ClapUnclipRecipe,
)
SERVICE_NAMES: Final = (gateway_pb2.DESCRIPTOR.services_by_name["AudioToImageService"].full_name,)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that listens for HTTP.

    Attributes:
        application: What it does.
        http_port: Port of the REST API and the page.
    """

    application: Application
    http_port: int


def compose(settings: GatewaySettings) -> Compose:
    """Return what `chladni_runtime.server.server` opens: the gateway, behind its gRPC servicer."""

    @asynccontextmanager
    async def open_bindings(registry: CollectorRegistry) -> AsyncIterator[Sequence[Binding]]:
        async with open_gateway(settings, registry) as gateway:
            servicer = AudioToImageServicer(gateway.application)
            yield [Binding(gateway_grpc.add_AudioToImageServiceServicer_to_server, servicer)]

    return open_bindings


@asynccontextmanager
async def open_gateway(settings: GatewaySettings, registry: CollectorRegistry) -> AsyncIterator[Gateway]:
    """Open the store, the connections and the HTTP server, and closes them in reverse.

    Raises:
        UnavailableError: The image folder cannot be used.
        OSError: The HTTP port cannot be opened.
    """
    async with AsyncExitStack() as stack:
        similarity = SimilarityClient(settings.similarity_target)
        stack.push_async_callback(similarity.close)
        removed = RemovedImages(similarity)
        store = await asyncio.to_thread(
            FolderImageStore,
            settings.image_folder,
            max_images=settings.max_images,
            retention=timedelta(seconds=settings.image_retention_seconds),
            on_removed=removed.note,
        )
        interval_seconds = settings.image_sweep_interval_seconds
        await stack.enter_async_context(periodic_sweep(store, interval_seconds=interval_seconds))
        await stack.enter_async_context(removed.flushed(interval_seconds=interval_seconds))
        application = build_application(settings, registry, store, similarity, stack)
        live_connections = ConnectionLimiter(
            total=settings.max_live_streams, per_client=settings.max_live_streams_per_client
        )
        observe_counts(
            registry,
            unfinished_jobs=lambda: application.job_runner.unfinished_count,
            live_streams=lambda: live_connections.open_count,
        )
        app = create_app(
            application,
            metrics=HttpMetrics(registry),
            previews=PreviewRequest(settings.preview_interval_steps, settings.preview_size_pixels),
            live_connections=live_connections,
            rate_limit=_rate_limit(settings),
            session_seconds=math.ceil(settings.image_retention_seconds),
            cors_origins=[str(origin).rstrip("/") for origin in settings.cors_origins],
        )
        http_port = await stack.enter_async_context(
            http_server(
                app,
                host=settings.host,
                port=settings.http_port,
                drain_timeout_seconds=settings.drain_timeout_seconds,
            )
        )
        yield Gateway(application, http_port)


def build_application(
    settings: GatewaySettings,
    registry: CollectorRegistry,
    store: ImageStore,
    similarity: SimilarityClient,
    stack: AsyncExitStack,
) -> Application:
    """Return the application, whose connections the exit stack closes."""
    audio_features = AudioFeaturesClient(settings.audio_features_target)
    image_generation = ImageGenerationClient(settings.image_generation_target)
    further = [
        ImageGenerationClient(target, name=f"image-generation-{number}")
        for number, target in enumerate(settings.further_image_generation_targets, start=2)
    ]
    clients = (audio_features, image_generation, similarity)
    for client in (audio_features, image_generation):
        stack.push_async_callback(client.close)
    for server in further:
        stack.push_async_callback(server.close)
    recipes = _recipes(settings, audio_features, [image_generation, *further])
    metrics = CreationMetrics(registry)

    def creator(max_concurrent: int) -> ImageCreator:
        return ImageCreator(
            recipes=recipes,
            store=store,
            admission=Admission(max_concurrent, clock=time.monotonic),
            max_audio_bytes=settings.max_audio_bytes,
            metrics=metrics,
            clock=time.monotonic,
            now=utc_now,
        )

    job_runner = JobRunner(creator=creator(settings.max_jobs), limits=_job_limits(settings), now=utc_now)
    stack.push_async_callback(job_runner.close)
    scorer = StoredImageScorer(store=store, comparer=similarity)
    searches = Admission(settings.max_concurrent_searches, clock=time.monotonic)
    return Application(
        creator=creator(settings.max_concurrent_creations),
        job_runner=job_runner,
        comparator=ImageComparator(
            store=store, comparer=similarity, max_image_bytes=settings.max_image_bytes
        ),
        aligner=ImageAligner(store=store, scorer=similarity, clock=time.monotonic),
        matrices=MatrixComparator(store=store, scorer=scorer, admission=searches),
        searcher=ImageSearcher(
            store=store,
            collection=StoredImageCollection(store=store, collection=similarity),
            scorer=scorer,
            admission=searches,
        ),
        spectrogram_renderer=audio_features,
        live_analyzer=audio_features,
        store=store,
        recipes=recipes,
        health_checker=HealthChecker(
            clients, further=further, timeout_seconds=settings.health_timeout_seconds
        ),
        limits=Limits(
            creation_timeout_seconds=settings.creation_timeout_seconds,
            job_timeout_seconds=settings.job_timeout_seconds,
            comparison_timeout_seconds=settings.comparison_timeout_seconds,
            spectrogram_timeout_seconds=settings.spectrogram_timeout_seconds,
            health_timeout_seconds=settings.health_timeout_seconds,
            upload_timeout_seconds=settings.upload_timeout_seconds,
            max_concurrent_uploads=settings.max_concurrent_creations,
            max_audio_bytes=settings.max_audio_bytes,
            min_audio_seconds=settings.min_audio_seconds,
            max_audio_seconds=settings.max_audio_seconds,
            max_live_seconds=settings.max_live_seconds,
        ),
    )


def _recipes(
    settings: GatewaySettings,
    audio_features: AudioFeaturesClient,
    generators: Sequence[ImageGenerationClient],
) -> RecipeRegistry:
    def listing(server: Backend) -> ModelListing:
        return ModelListing(server, lifetime_seconds=settings.model_listing_seconds, clock=time.monotonic)

    servers = [(generator, listing(generator)) for generator in generators]
    catalog = ModelCatalog(audio=listing(audio_features), image=[models for _, models in servers])
    dependencies = RecipeDependencies(
        catalog=catalog,
        analyzer=audio_features,
        renderer=audio_features,
        generator=ImageGenerationPool(servers),
    )
    recipes = [make(dependencies) for make in RECIPES]
    return RecipeRegistry(recipes, catalog=catalog, default=settings.default_recipe)


def _job_limits(settings: GatewaySettings) -> JobLimits:
    return JobLimits(
        max_unfinished=settings.max_jobs,
        max_unfinished_per_owner=settings.max_jobs_per_session,
        max_remembered=settings.max_remembered_jobs,
        retention=timedelta(seconds=settings.job_retention_seconds),
        timeout_seconds=settings.job_timeout_seconds,
    )


def _rate_limit(settings: GatewaySettings) -> RateLimit | None:
    if settings.rate_limit_per_minute == 0:
        return None
    return RateLimit(
        Rate(settings.rate_limit_per_minute, settings.rate_limit_burst),
        clients_per_host=settings.rate_limit_clients_per_host,
        clock=time.monotonic,
    )
