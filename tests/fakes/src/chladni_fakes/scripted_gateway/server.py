"""The scripted gateway on loopback."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import HealthServicer

from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.audio.v1 import music_service_pb2_grpc as music_grpc
from chladni.audio.v1 import reconstruction_service_pb2_grpc as reconstruction_grpc
from chladni.gateway.v1 import anomaly_service_pb2_grpc as anomaly_grpc
from chladni.gateway.v1 import audio_service_pb2_grpc as audio_service_grpc
from chladni.gateway.v1 import image_service_pb2_grpc as gateway_grpc
from chladni.gateway.v1 import job_service_pb2_grpc as job_grpc
from chladni.gateway.v1 import live_service_pb2_grpc as live_grpc
from chladni.gateway.v1 import server_service_pb2_grpc as server_grpc
from chladni.gateway.v1alpha1 import film_service_pb2_grpc as film_grpc
from chladni.image.v1 import prompt_service_pb2_grpc as prompt_grpc
from chladni_fakes.scripted_gateway.audio import (
    ScriptedAudio,
    ScriptedAudioFeatures,
    ScriptedLive,
    ScriptedReconstruction,
)
from chladni_fakes.scripted_gateway.films import ScriptedFilms
from chladni_fakes.scripted_gateway.images import ScriptedImages, ScriptedJobs
from chladni_fakes.scripted_gateway.information import ScriptedAnomaly, ScriptedServer
from chladni_fakes.scripted_gateway.music import ScriptedMusic, ScriptedPrompts
from chladni_fakes.scripted_gateway.script import Script


def start_server(
    script: Script, health: HealthServicer, *, credentials: grpc.ServerCredentials | None = None
) -> tuple[grpc.Server, str]:
    """Return a running server that answers as the script says, and its address."""
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.max_receive_message_length", 1024 * 1024)])
    gateway_grpc.add_ImageServiceServicer_to_server(ScriptedImages(script), server)
    server_grpc.add_ServerServiceServicer_to_server(ScriptedServer(script), server)
    job_grpc.add_JobServiceServicer_to_server(ScriptedJobs(script), server)
    film_grpc.add_FilmServiceServicer_to_server(ScriptedFilms(script), server)
    audio_service_grpc.add_AudioServiceServicer_to_server(ScriptedAudio(script), server)
    live_grpc.add_LiveServiceServicer_to_server(ScriptedLive(script), server)
    anomaly_grpc.add_AnomalyServiceServicer_to_server(ScriptedAnomaly(script), server)
    reconstruction_grpc.add_ReconstructionServiceServicer_to_server(ScriptedReconstruction(script), server)
    music_grpc.add_MusicServiceServicer_to_server(ScriptedMusic(script), server)
    prompt_grpc.add_PromptServiceServicer_to_server(ScriptedPrompts(script), server)
    audio_grpc.add_AudioFeatureServiceServicer_to_server(ScriptedAudioFeatures(script), server)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    health.set("", health_pb2.HealthCheckResponse.SERVING)
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    return server, f"127.0.0.1:{port}"
