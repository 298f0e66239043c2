"""The gateway, put together."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from chladni.gateway.v1 import audio_to_image_service_pb2 as gateway_pb2
from chladni.gateway.v1 import audio_to_image_service_pb2_grpc as gateway_grpc
from chladni_gateway.backend_health import HealthSurvey
from chladni_gateway.backends.audio_features import AudioFeaturesClient
from chladni_gateway.backends.image_generation import ImageGenerationClient
from chladni_gateway.backends.similarity import SimilarityClient
from chladni_gateway.collaborators import PreviewRequest
from chladni_gateway.embedded_recipe import EmbeddedRecipe
from chladni_gateway.folder_store import FolderImageStore, utc_now
from chladni_gateway.http_server import http_server
from chladni_gateway.image_comparison import ImageComparator
from chladni_gateway.image_creation import ImageCreator
from chladni_gateway.metrics import CreationMetrics, HttpMetrics
from chladni_gateway.recipes import RecipeBook
from chladni_gateway.rest.app import create_app
from chladni_gateway.servicer import AudioToImageServicer
from chladni_gateway.sweeping import swept
from chladni_gateway.workshop import Limits, Workshop
from chladni_runtime.admission import Admission
from chladni_runtime.bindings import Binding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from prometheus_client import CollectorRegistry

    from chladni_gateway.config import GatewaySettings
    from chladni_gateway.image_store import ImageStore
    from chladni_runtime.server import Compose

SERVICE_NAMES: Final = (gateway_pb2.DESCRIPTOR.services_by_name["AudioToImageService"].full_name,)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that listens for HTTP.

    Attributes:
        workshop: What it does.
        http_port: Port of the REST API and the page.
    """

    workshop: Workshop
    http_port: int


def composition(settings: GatewaySettings) -> Compose:
    """Returns what `chladni_runtime.server` opens: the gateway, behind its gRPC servicer."""

    @asynccontextmanager
    async def compose(registry: CollectorRegistry) -> AsyncIterator[Sequence[Binding]]:
        async with open_gateway(settings, registry) as gateway:
            servicer = AudioToImageServicer(gateway.workshop)
            yield [Binding(gateway_grpc.add_AudioToImageServiceServicer_to_server, servicer)]

    return compose


@asynccontextmanager
async def open_gateway(settings: GatewaySettings, registry: CollectorRegistry) -> AsyncIterator[Gateway]:
    """Opens the store, the connections and the HTTP server, and closes them in reverse.

    Raises:
        UnavailableError: The image folder cannot be used.
        OSError: The HTTP port cannot be opened.
    """
    async with AsyncExitStack() as stack:
        store = await asyncio.to_thread(
            FolderImageStore,
            settings.image_folder,
            max_images=settings.max_images,
            retention=timedelta(seconds=settings.image_retention_seconds),
        )
        await stack.enter_async_context(swept(store, interval_seconds=settings.image_sweep_interval_seconds))
        workshop = _furnish(settings, registry, store, stack)
        app = create_app(
            workshop,
            metrics=HttpMetrics(registry),
            previews=PreviewRequest(settings.preview_interval_steps, settings.preview_size_pixels),
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
        yield Gateway(workshop, http_port)


def _furnish(
    settings: GatewaySettings, registry: CollectorRegistry, store: ImageStore, stack: AsyncExitStack
) -> Workshop:
    audio_features = AudioFeaturesClient(settings.audio_features_target)
    image_generation = ImageGenerationClient(settings.image_generation_target)
    similarity = SimilarityClient(settings.similarity_target)
    clients = (audio_features, image_generation, similarity)
    for client in clients:
        stack.push_async_callback(client.close)
    recipes = RecipeBook([EmbeddedRecipe(analyzer=audio_features, generator=image_generation)])
    creator = ImageCreator(
        recipes=recipes,
        store=store,
        admission=Admission(settings.max_concurrent_creations, clock=time.monotonic),
        max_audio_bytes=settings.max_audio_bytes,
        metrics=CreationMetrics(registry),
        clock=time.monotonic,
        now=utc_now,
    )
    return Workshop(
        creator=creator,
        comparator=ImageComparator(
            store=store, comparer=similarity, max_image_bytes=settings.max_image_bytes
        ),
        store=store,
        recipes=recipes,
        survey=HealthSurvey(clients, timeout_seconds=settings.health_timeout_seconds),
        limits=Limits(
            creation_timeout_seconds=settings.creation_timeout_seconds,
            comparison_timeout_seconds=settings.comparison_timeout_seconds,
            health_timeout_seconds=settings.health_timeout_seconds,
            upload_timeout_seconds=settings.upload_timeout_seconds,
            max_concurrent_uploads=settings.max_concurrent_creations,
            max_audio_bytes=settings.max_audio_bytes,
            min_audio_seconds=settings.min_audio_seconds,
            max_audio_seconds=settings.max_audio_seconds,
        ),
    )
