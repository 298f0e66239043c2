"""The scripted services on real servers."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.audio.v1 import music_service_pb2_grpc as music_grpc
from chladni.audio.v1 import reconstruction_service_pb2_grpc as reconstruction_grpc
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni.image.v1 import prompt_service_pb2_grpc as prompt_grpc
from chladni.similarity.v1 import anomaly_service_pb2_grpc as anomaly_grpc
from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.similarity.v1 import similarity_service_pb2_grpc as similarity_grpc
from chladni_fakes.anomaly import ScriptedAnomaly
from chladni_fakes.audio_features import ScriptedAudioFeatures
from chladni_fakes.image_generation import ScriptedImageGeneration
from chladni_fakes.music import ScriptedMusic
from chladni_fakes.prompts import ScriptedPrompts
from chladni_fakes.scripted_gateway.reconstruction import ScriptedReconstruction
from chladni_fakes.similarity import ScriptedSimilarity
from chladni_runtime.server.arrivals import Arrivals
from chladni_runtime.server.interceptor import CallInterceptor
from chladni_runtime.server.receiver import MessageReceiver
from chladni_runtime.telemetry.calls import CallTracer
from chladni_runtime.telemetry.scope import Telemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from google.protobuf.descriptor import ServiceDescriptor

    from chladni_runtime.telemetry.spans import Tracer

_RECEIVER: Final = MessageReceiver(
    Arrivals(capacity=1024, slow_capacity=64, timeout_seconds=60),
    max_bytes=64 * 1024 * 1024,
    stream_idle_seconds=120,
)


class ScriptedService:
    """A scripted servicer that can be started, killed and started again on the same port.

    Args:
        descriptor: Descriptor of the service.
        register: Generated function that registers the servicer.
        servicer: The servicer.
    """

    tracer: Tracer | None = None
    """Records its calls from its next start on."""

    def __init__(
        self, descriptor: ServiceDescriptor, register: Callable[[Any, Any], None], servicer: object
    ) -> None:
        self._name = descriptor.full_name
        self._register = register
        self._servicer = servicer
        self._port = 0
        self._server: grpc.aio.Server | None = None

    @property
    def target(self) -> str:
        """The gRPC target."""
        return f"127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Start the server, unless it is running."""
        if self._server is not None:
            return
        server = grpc.aio.server(
            interceptors=[CallInterceptor(self._observers(), receiver=_RECEIVER)],
            options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)],
        )
        health = HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
        self._register(self._servicer, server)
        self._port = server.add_insecure_port(self.target)
        await health.set(self._name, health_pb2.HealthCheckResponse.SERVING)
        await server.start()
        self._server = server

    def _observers(self) -> tuple[CallTracer, ...]:
        return () if self.tracer is None else (CallTracer(Telemetry(self.tracer)),)

    async def kill(self) -> None:
        """Stop the server at once; calls in progress fail."""
        if self._server is not None:
            await self._server.stop(grace=0)
            self._server = None


@dataclass(frozen=True, slots=True)
class ScriptedBackends:
    """The three services: their servicers, and the servers that they run on, by name."""

    audio_features: ScriptedAudioFeatures = field(default_factory=ScriptedAudioFeatures)
    image_generation: ScriptedImageGeneration = field(default_factory=ScriptedImageGeneration)
    music: ScriptedMusic = field(default_factory=ScriptedMusic)
    reconstruction: ScriptedReconstruction = field(default_factory=ScriptedReconstruction)
    prompts: ScriptedPrompts = field(default_factory=ScriptedPrompts)
    similarity: ScriptedSimilarity = field(default_factory=ScriptedSimilarity)
    anomaly: ScriptedAnomaly = field(default_factory=ScriptedAnomaly)
    servers: dict[str, ScriptedService] = field(default_factory=dict)

    async def reset(self) -> None:
        """Reset every service, and start those that were killed."""
        for servicer in (self.audio_features, self.image_generation, self.music, self.similarity):
            servicer.reset()
        self.reconstruction.reset()
        self.prompts.reset()
        self.anomaly.reset()
        for server in self.servers.values():
            await server.start()


def _register_audio(
    music: ScriptedMusic, reconstruction: ScriptedReconstruction
) -> Callable[[Any, Any], None]:
    """Return what registers the features of audio, and the analysis of music and the autoencoder beside."""

    def register(servicer: ScriptedAudioFeatures, server: grpc.aio.Server) -> None:
        audio_grpc.add_AudioFeatureServiceServicer_to_server(servicer, server)
        music_grpc.add_MusicServiceServicer_to_server(music, server)
        reconstruction_grpc.add_ReconstructionServiceServicer_to_server(reconstruction, server)

    return register


def _register_images(prompts: ScriptedPrompts) -> Callable[[Any, Any], None]:
    """Return what registers the generation of images, and prompts beside it."""

    def register(servicer: ScriptedImageGeneration, server: grpc.aio.Server) -> None:
        image_grpc.add_ImageGenerationServiceServicer_to_server(servicer, server)
        prompt_grpc.add_PromptServiceServicer_to_server(prompts, server)

    return register


def _register_similarity(servicers: tuple[ScriptedSimilarity, ScriptedAnomaly], server: Any) -> None:
    similarity, anomaly = servicers
    similarity_grpc.add_SimilarityServiceServicer_to_server(similarity, server)
    anomaly_grpc.add_AnomalyServiceServicer_to_server(anomaly, server)


@asynccontextmanager
async def scripted_backends() -> AsyncIterator[ScriptedBackends]:
    """Run the three services while the context lasts; `servers` has them by name."""
    backends = ScriptedBackends()
    backends.servers["audio-features"] = ScriptedService(
        audio_pb2.DESCRIPTOR.services_by_name["AudioFeatureService"],
        _register_audio(backends.music, backends.reconstruction),
        backends.audio_features,
    )
    backends.servers["image-generation"] = ScriptedService(
        image_pb2.DESCRIPTOR.services_by_name["ImageGenerationService"],
        _register_images(backends.prompts),
        backends.image_generation,
    )
    backends.servers["similarity"] = ScriptedService(
        similarity_pb2.DESCRIPTOR.services_by_name["SimilarityService"],
        _register_similarity,
        (backends.similarity, backends.anomaly),
    )
    try:
        for server in backends.servers.values():
            await server.start()
        yield backends
    finally:
        for server in backends.servers.values():
            await server.kill()
