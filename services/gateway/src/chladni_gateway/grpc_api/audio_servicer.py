"""`AudioService` and `LiveService` of the gateway, and `chladni.audio.v1.ReconstructionService`."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from chladni.audio.v1 import reconstruction_service_pb2_grpc as reconstruction_grpc
from chladni.gateway.v1 import audio_service_pb2 as service_pb2
from chladni.gateway.v1 import audio_service_pb2_grpc as service_grpc
from chladni.gateway.v1 import live_service_pb2 as live_pb2
from chladni.gateway.v1 import live_service_pb2_grpc as live_grpc
from chladni.generation.v1 import generation_pb2
from chladni_gateway.domain.live import MAX_LIVE_IMAGE_SECONDS
from chladni_gateway.domain.request import check_clip
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.grpc_api.callers.deadlines import deadline_of
from chladni_gateway.grpc_api.callers.sessions import caller_of
from chladni_gateway.grpc_api.requests import to_clip
from chladni_runtime.execution.heartbeats import HEARTBEAT_SECONDS, with_heartbeats
from chladni_runtime.server.validation import read_first, read_piece

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    import grpc

    from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
    from chladni.audio.v1 import reconstruction_service_pb2 as reconstruction_pb2
    from chladni_gateway.application import Application
    from chladni_gateway.backends.audio_features import AudioFeaturesClient
    from chladni_gateway.backends.live_images import LiveImageClient
    from chladni_gateway.backends.reconstruction import ReconstructionClient

_ENDING_SECONDS: Final = 30.0
_MAX_PCM_BYTES: Final = 2**20


class AudioServicer(service_grpc.AudioServiceServicer):
    """Offers spectrograms and live audio over gRPC, in the messages of audio-features.

    Args:
        application: What the gateway does.
        audio_features: Where the messages go.
    """

    def __init__(self, application: Application, audio_features: AudioFeaturesClient) -> None:
        self._limits = application.limits
        self._connections = application.live_connections
        self._audio_features = audio_features

    async def RenderSpectrogram(
        self, request: service_pb2.RenderSpectrogramRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.RenderSpectrogramResponse:
        """Draw a spectrogram."""
        with at_stage(Stage.VALIDATION):
            check_clip(to_clip(request.render.audio), max_audio_bytes=self._limits.max_audio_bytes)
        deadline = deadline_of(context, self._limits.spectrogram_timeout_seconds)
        with at_stage(Stage.AUDIO_FEATURES):
            rendered = await self._audio_features.forward_rendering(request.render, deadline)
        return service_pb2.RenderSpectrogramResponse(rendered=rendered)

    async def StreamFeatures(
        self,
        request_iterator: AsyncIterator[service_pb2.StreamFeaturesRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[service_pb2.StreamFeaturesResponse]:
        """Yield mel frames of live audio."""
        deadline = deadline_of(context, self._limits.max_live_seconds + _ENDING_SECONDS)
        requests = _unwrapped(request_iterator)
        caller = caller_of(context)
        with self._connections.hold(caller, host=caller), at_stage(Stage.AUDIO_FEATURES):
            async with aclosing(self._audio_features.forward_stream(requests, deadline)) as responses:
                async for response in responses:
                    yield service_pb2.StreamFeaturesResponse(stream=response)


async def _unwrapped(
    requests: AsyncIterator[service_pb2.StreamFeaturesRequest],
) -> AsyncIterator[audio_pb2.StreamFeaturesRequest]:
    async for request in requests:
        yield request.stream


class ReconstructionServicer(reconstruction_grpc.ReconstructionServiceServicer):
    """Offers the audio autoencoder over gRPC, in the messages of audio-features.

    Args:
        application: What the gateway does.
        reconstruction: Where the messages go.
    """

    def __init__(self, application: Application, reconstruction: ReconstructionClient) -> None:
        self._limits = application.limits
        self._reconstruction = reconstruction

    async def ReconstructAudio(
        self, request: reconstruction_pb2.ReconstructAudioRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> reconstruction_pb2.ReconstructAudioResponse:
        """Pass a clip through the audio autoencoder."""
        with at_stage(Stage.VALIDATION):
            check_clip(to_clip(request.audio), max_audio_bytes=self._limits.max_audio_bytes)
        deadline = deadline_of(context, self._limits.comparison_timeout_seconds)
        with at_stage(Stage.AUDIO_FEATURES):
            return await self._reconstruction.forward(request, deadline)


class LiveServicer(live_grpc.LiveServiceServicer):
    """Offers images of live audio over gRPC.

    Args:
        application: What the gateway does.
        live_images: Where the messages go.
    """

    def __init__(self, application: Application, live_images: LiveImageClient) -> None:
        self._connections = application.live_connections
        self._live_images = live_images

    async def StreamImages(
        self,
        request_iterator: AsyncIterator[live_pb2.StreamImagesRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[live_pb2.StreamImagesResponse]:
        """Yield images of live audio."""
        deadline = deadline_of(context, MAX_LIVE_IMAGE_SECONDS + _ENDING_SECONDS)
        caller = caller_of(context)
        with self._connections.hold(caller, host=caller):
            with at_stage(Stage.VALIDATION):
                first = await anext(request_iterator, live_pb2.StreamImagesRequest())
                config = read_first(first, field="config")
            forwarded = self._live_images.forward(
                config.pcm, config.frames, _pcm_of(request_iterator), deadline, caller=caller
            )
            async with aclosing(with_heartbeats(forwarded, HEARTBEAT_SECONDS)) as responses:
                async for response in responses:
                    if response is None or response.HasField("heartbeat"):
                        yield live_pb2.StreamImagesResponse(heartbeat=generation_pb2.Heartbeat())
                    elif response.HasField("frame"):
                        yield live_pb2.StreamImagesResponse(frame=response.frame)
                    elif response.HasField("ready"):
                        yield live_pb2.StreamImagesResponse(ready=response.ready)


async def _pcm_of(requests: AsyncIterator[live_pb2.StreamImagesRequest]) -> AsyncGenerator[bytes, None]:
    async for request in requests:
        yield read_piece(request, field="pcm", max_bytes=_MAX_PCM_BYTES)
