"""`chladni.gateway.v1.AudioService`, and `chladni.audio.v1.ReconstructionService` of audio-features."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from chladni.audio.v1 import reconstruction_service_pb2_grpc as reconstruction_grpc
from chladni.gateway.v1 import audio_service_pb2 as service_pb2
from chladni.gateway.v1 import audio_service_pb2_grpc as service_grpc
from chladni_gateway.domain.request import check_clip
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.grpc_api.callers.deadlines import deadline_of
from chladni_gateway.grpc_api.callers.sessions import caller_of
from chladni_gateway.grpc_api.requests import to_clip

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import grpc

    from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
    from chladni.audio.v1 import reconstruction_service_pb2 as reconstruction_pb2
    from chladni_gateway.application import Application
    from chladni_gateway.backends.audio_features import AudioFeaturesClient
    from chladni_gateway.backends.reconstruction import ReconstructionClient

_ENDING_SECONDS: Final = 30.0


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
