"""The gateway, put together."""

from __future__ import annotations

import math
import secrets
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chladni.audio.v1 import music_service_pb2, reconstruction_service_pb2
from chladni.audio.v1 import music_service_pb2_grpc as music_grpc
from chladni.audio.v1 import reconstruction_service_pb2_grpc as reconstruction_grpc
from chladni.gateway.v1 import (
    anomaly_service_pb2,
    audio_service_pb2,
    image_service_pb2,
    job_service_pb2,
    live_service_pb2,
    server_service_pb2,
)
from chladni.gateway.v1 import anomaly_service_pb2_grpc as anomaly_grpc
from chladni.gateway.v1 import audio_service_pb2_grpc as audio_grpc
from chladni.gateway.v1 import image_service_pb2_grpc as image_grpc
from chladni.gateway.v1 import job_service_pb2_grpc as job_grpc
from chladni.gateway.v1 import live_service_pb2_grpc as live_grpc
from chladni.gateway.v1 import server_service_pb2_grpc as server_grpc
from chladni.gateway.v1alpha1 import film_service_pb2
from chladni.gateway.v1alpha1 import film_service_pb2_grpc as film_grpc
from chladni.image.v1 import prompt_service_pb2
from chladni.image.v1 import prompt_service_pb2_grpc as prompt_grpc
from chladni_gateway.access.authenticator import SignInCookies
from chladni_gateway.application import Application
from chladni_gateway.backends.anomaly import AnomalyClient
from chladni_gateway.backends.audio_features import AudioFeaturesClient
from chladni_gateway.backends.health import HealthChecker
from chladni_gateway.backends.image_generation import ImageGenerationClient
from chladni_gateway.backends.live_images import LiveImageClient
from chladni_gateway.backends.music import MusicClient
from chladni_gateway.backends.prompts import PromptClient
from chladni_gateway.backends.reconstruction import ReconstructionClient
from chladni_gateway.backends.similarity import SimilarityClient
from chladni_gateway.connection_limiter import ConnectionLimiter
from chladni_gateway.creation.creator import ImageCreator
from chladni_gateway.creation.job_runner import JobRunner
from chladni_gateway.creation.operations import OperationLog
from chladni_gateway.creation.webhook_reports import WebhookReports
from chladni_gateway.domain.generation import PreviewRequest
from chladni_gateway.domain.request import MAX_SEED
from chladni_gateway.films import make_film_runner
from chladni_gateway.grpc_api.anomaly_servicer import AnomalyServicer
from chladni_gateway.grpc_api.audio_servicer import AudioServicer, LiveServicer, ReconstructionServicer
from chladni_gateway.grpc_api.films.servicer import FilmServicer
from chladni_gateway.grpc_api.image_servicer import ImageServicer
from chladni_gateway.grpc_api.job_servicer import JobServicer
from chladni_gateway.grpc_api.music_servicer import MusicServicer
from chladni_gateway.grpc_api.prompt_servicer import PromptServicer
from chladni_gateway.grpc_api.server_servicer import ServerServicer
from chladni_gateway.limits import connection_limits_of, http_tls_of, job_limits_of, limits_of
from chladni_gateway.metrics import CreationMetrics, HttpMetrics, WebhookMetrics, observe_counts
from chladni_gateway.offered_recipes import live_server_choice, make_recipes
from chladni_gateway.recipes.music_description import ClipDescriber
from chladni_gateway.rest.app import create_app
from chladni_gateway.rest.middleware.origins import AllowedHosts
from chladni_gateway.rest.server import http_server
from chladni_gateway.sessions import SessionTokens, kept_key
from chladni_gateway.similarity.alignment import ImageAligner
from chladni_gateway.similarity.collection import RemovedImages, StoredImageCollection
from chladni_gateway.similarity.comparison import ImageComparator
from chladni_gateway.similarity.matrix import MatrixComparator
from chladni_gateway.similarity.scoring import StoredImageScorer
from chladni_gateway.similarity.search import ImageSearcher
from chladni_gateway.storage.image_records import periodic_sweep, utc_now
from chladni_gateway.stores import (
    CallLimiter,
    open_image_store,
    open_job_store,
    open_rate_limiter,
    open_share_links,
)
from chladni_runtime.execution.admission import Admission
from chladni_runtime.security.credentials import ChannelSecurity
from chladni_runtime.server.late_binding import Binding
from chladni_runtime.server.lifecycle import Phase
from chladni_runtime.server.peers import PeerSet
from chladni_runtime.server.server import request_gate
from chladni_runtime.spool import Spool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from prometheus_client import CollectorRegistry

    from chladni_gateway.config import GatewaySettings
    from chladni_gateway.domain.storage.image_store import ImageStore
    from chladni_gateway.domain.storage.job_store import JobStore
    from chladni_runtime.server.lifecycle import RequestGate
    from chladni_runtime.server.server import Compose


SERVICE_NAMES: Final = tuple(
    service.full_name
    for file in (
        image_service_pb2,
        job_service_pb2,
        audio_service_pb2,
        live_service_pb2,
        anomaly_service_pb2,
        server_service_pb2,
        music_service_pb2,
        prompt_service_pb2,
        film_service_pb2,
        reconstruction_service_pb2,
    )
    for service in file.DESCRIPTOR.services_by_name.values()
)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that listens for HTTP.

    Attributes:
        application: What it does.
        audio_features: Connection to audio-features.
        reconstruction: Connection to its autoencoder.
        music: Connection to its analyses of music.
        prompts: Connection to image-generation's prompts.
        anomaly: Connection to similarity's machine listening.
        live_images: Connections to both for live images.
        http_port: Port of the REST API and the page.
    """

    application: Application
    audio_features: AudioFeaturesClient
    reconstruction: ReconstructionClient
    music: MusicClient
    prompts: PromptClient
    anomaly: AnomalyClient
    live_images: LiveImageClient
    http_port: int


def draw_random_seed() -> int:
    """Return a random seed."""
    return secrets.randbelow(MAX_SEED + 1)


def compose(
    settings: GatewaySettings,
    *,
    gate: RequestGate,
    calls: CallLimiter | None = None,
    draw_seed: Callable[[], int] = draw_random_seed,
) -> Compose:
    """Return what `chladni_runtime.server.server` opens: the gateway, behind its gRPC servicer.

    Args:
        settings: The settings.
        gate: The gate of the service, through which requests over HTTP and jobs go too.
        calls: What counts gRPC calls, while the gateway is open.
        draw_seed: Gives the seed of a request that names none.
    """

    @asynccontextmanager
    async def open_bindings(registry: CollectorRegistry) -> AsyncIterator[Sequence[Binding]]:
        async with (
            open_gateway(settings, registry, gate=gate, draw_seed=draw_seed) as gateway,
            (calls or CallLimiter(settings)).counting(),
        ):
            application = gateway.application
            yield [
                Binding(image_grpc.add_ImageServiceServicer_to_server, ImageServicer(application)),
                Binding(job_grpc.add_JobServiceServicer_to_server, JobServicer(application)),
                Binding(
                    audio_grpc.add_AudioServiceServicer_to_server,
                    AudioServicer(application, gateway.audio_features),
                ),
                Binding(
                    live_grpc.add_LiveServiceServicer_to_server,
                    LiveServicer(application, gateway.live_images),
                ),
                Binding(
                    music_grpc.add_MusicServiceServicer_to_server, MusicServicer(application, gateway.music)
                ),
                Binding(
                    reconstruction_grpc.add_ReconstructionServiceServicer_to_server,
                    ReconstructionServicer(application, gateway.reconstruction),
                ),
                Binding(
                    prompt_grpc.add_PromptServiceServicer_to_server,
                    PromptServicer(application, gateway.prompts),
                ),
                Binding(
                    anomaly_grpc.add_AnomalyServiceServicer_to_server,
                    AnomalyServicer(application, gateway.anomaly),
                ),
                Binding(
                    film_grpc.add_FilmServiceServicer_to_server,
                    FilmServicer(application, draw_seed=draw_seed),
                ),
                Binding(server_grpc.add_ServerServiceServicer_to_server, ServerServicer(application)),
            ]

    return open_bindings


@asynccontextmanager
async def open_gateway(
    settings: GatewaySettings,
    registry: CollectorRegistry,
    *,
    gate: RequestGate | None = None,
    draw_seed: Callable[[], int] = draw_random_seed,
) -> AsyncIterator[Gateway]:
    """Open the store, the connections and the HTTP server, and close them in reverse.

    Args:
        settings: The settings.
        registry: Takes the metrics.
        gate: Gate of all work; one of its own, open, if absent.
        draw_seed: Gives the seed of a request that names none.

    Raises:
        UnavailableError: A store cannot be used, or its package is not installed.
        OSError: The HTTP port cannot be opened.
    """
    if gate is None:
        gate = request_gate(settings)
        gate.phase = Phase.READY
    security = ChannelSecurity(settings.backend_certificates)
    async with AsyncExitStack() as stack:
        similarity = SimilarityClient(settings.similarity_target, security=security)
        stack.push_async_callback(similarity.close)
        audio_features = AudioFeaturesClient(settings.audio_features_target, security=security)
        stack.push_async_callback(audio_features.close)
        reconstruction = ReconstructionClient(settings.audio_features_target, security=security)
        stack.push_async_callback(reconstruction.close)
        music = MusicClient(settings.audio_features_target, security=security)
        stack.push_async_callback(music.close)
        prompts = PromptClient(settings.image_generation_target, security=security)
        stack.push_async_callback(prompts.close)
        anomaly = AnomalyClient(settings.similarity_target, security=security)
        stack.push_async_callback(anomaly.close)
        live_servers = open_generators(settings, stack, security=security)
        live_images = LiveImageClient(
            audio_features, live_server_choice(settings, audio_features, live_servers)
        )
        removed = RemovedImages(similarity)
        store = await open_image_store(settings, on_removed=removed.note)
        job_store = await open_job_store(settings)
        stack.push_async_callback(job_store.close)
        interval = settings.image_sweep_interval_seconds
        await stack.enter_async_context(periodic_sweep(store, interval_seconds=interval))
        await stack.enter_async_context(removed.flushed(interval_seconds=interval))
        application = build_application(
            settings,
            registry,
            store,
            audio_features,
            similarity,
            stack,
            OperationLog(draw_seed=draw_seed, clock=time.monotonic),
            gate=gate,
            job_store=job_store,
            reconstruction=reconstruction,
            music=music,
            prompts=prompts,
            anomaly=anomaly,
            live_images=live_images,
            security=security,
        )
        await stack.enter_async_context(application.share_links.swept(store, interval_seconds=interval))
        if application.films is not None:
            await application.films.open()
            stack.push_async_callback(application.films.close)
        reports = WebhookReports(job_store, settings.webhook_policy, WebhookMetrics(registry), now=utc_now)
        await stack.enter_async_context(reports.delivered())
        observe_counts(
            registry,
            unfinished_jobs=lambda: application.job_runner.unfinished_count,
            live_streams=lambda: application.live_connections.open_count,
        )
        await stack.enter_async_context(
            settings.authenticator.open_calls.checked(interval_seconds=settings.file_check_seconds)
        )
        rate_limit = open_rate_limiter(settings)
        if rate_limit is not None:
            stack.push_async_callback(rate_limit.close)
        trusted_peers = PeerSet(settings.trusted_peers)
        app = create_app(
            application,
            metrics=HttpMetrics(registry),
            previews=PreviewRequest(settings.preview_interval_steps, settings.preview_size_pixels),
            draw_seed=draw_seed,
            rate_limit=rate_limit,
            session_seconds=math.ceil(settings.image_retention_seconds),
            gate=gate,
            allowed_hosts=AllowedHosts(settings.allowed_hosts),
            authenticator=settings.authenticator,
            sign_ins=SignInCookies(_session_key(settings), settings.authenticator),
            trusted_proxies=trusted_peers,
            cors_origins=[str(origin).rstrip("/") for origin in settings.cors_origins],
        )
        http_port = await stack.enter_async_context(
            http_server(
                app,
                host=settings.host,
                port=settings.http_port,
                tls=http_tls_of(settings),
                limits=connection_limits_of(settings, exempt_hosts=trusted_peers),
            )
        )
        # Before the HTTP server closes, so that those who follow a job see its end.
        stack.push_async_callback(application.job_runner.close)
        application.job_runner.open()
        yield Gateway(
            application, audio_features, reconstruction, music, prompts, anomaly, live_images, http_port
        )


def build_application(
    settings: GatewaySettings,
    registry: CollectorRegistry,
    store: ImageStore,
    audio_features: AudioFeaturesClient,
    similarity: SimilarityClient,
    stack: AsyncExitStack,
    operations: OperationLog,
    *,
    gate: RequestGate,
    job_store: JobStore,
    reconstruction: ReconstructionClient,
    music: MusicClient,
    prompts: PromptClient,
    anomaly: AnomalyClient,
    live_images: LiveImageClient,
    security: ChannelSecurity,
) -> Application:
    """Return the application, whose connections the exit stack closes."""
    generators = open_generators(settings, stack, security=security)
    clients = (audio_features, generators[0], similarity)
    describer = ClipDescriber(music, audio_features)
    recipes = make_recipes(settings, audio_features, generators, describer, prompts)
    metrics = CreationMetrics(registry)

    def creator(max_concurrent: int) -> ImageCreator:
        return ImageCreator(
            recipes=recipes,
            store=store,
            operations=operations,
            admission=Admission(max_concurrent, clock=time.monotonic),
            max_audio_bytes=settings.max_audio_bytes,
            metrics=metrics,
            clock=time.monotonic,
            now=utc_now,
            failpoints=settings.armed_failpoints,
        )

    job_runner = JobRunner(
        creator=creator(settings.max_jobs),
        store=job_store,
        limits=job_limits_of(settings),
        now=utc_now,
        hold=gate.hold,
        may_claim=lambda: gate.phase is Phase.READY,
        failpoints=settings.armed_failpoints,
        webhooks=settings.webhook_policy,
    )
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
        audio_cutter=audio_features,
        spool=Spool(settings.spool_limits),
        spectrogram_renderer=audio_features,
        audio_reconstructor=reconstruction,
        music_analyzer=music,
        music_describer=describer,
        prompts=prompts,
        machine_judge=anomaly,
        live_analyzer=audio_features,
        live_images=live_images,
        live_connections=ConnectionLimiter(
            total=settings.max_live_streams,
            per_client=settings.max_live_streams_per_client,
            per_host=settings.max_live_streams_per_host,
        ),
        store=store,
        share_links=open_share_links(settings),
        recipes=recipes,
        tokens=SessionTokens(_session_key(settings)),
        health_checker=HealthChecker(
            clients, further=generators[1:], timeout_seconds=settings.health_timeout_seconds
        ),
        limits=limits_of(settings),
        films=make_film_runner(settings, audio_features, generators, stack, security=security),
    )


def open_generators(
    settings: GatewaySettings, stack: AsyncExitStack, *, security: ChannelSecurity
) -> list[ImageGenerationClient]:
    """Return connections to image generation, the main server first; the exit stack closes them."""
    main = ImageGenerationClient(settings.image_generation_target, security=security)
    further = [
        ImageGenerationClient(target, name=f"image-generation-{number}", security=security)
        for number, target in enumerate(settings.further_image_generation_targets, start=2)
    ]
    for server in (main, *further):
        stack.push_async_callback(server.close)
    return [main, *further]


def _session_key(settings: GatewaySettings) -> str:
    return settings.session_key.get_secret_value() or kept_key(settings.image_folder)
