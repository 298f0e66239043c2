"""`chladni.audio.v1.MusicService`, as audio-features serves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chladni.audio.v1 import music_service_pb2_grpc as music_grpc
from chladni_gateway.domain.request import check_clip
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.grpc_api.callers.deadlines import deadline_of
from chladni_gateway.grpc_api.requests import to_clip

if TYPE_CHECKING:
    import grpc

    from chladni.audio.v1 import music_service_pb2 as music_pb2
    from chladni_gateway.application import Application
    from chladni_gateway.backends.music import MusicClient


class MusicServicer(music_grpc.MusicServiceServicer):
    """Offers the analysis of music over gRPC, in the messages of audio-features.

    Args:
        application: What the gateway does.
        music: Where the messages go.
    """

    def __init__(self, application: Application, music: MusicClient) -> None:
        self._limits = application.limits
        self._music = music

    async def AnalyzeMusic(
        self, request: music_pb2.AnalyzeMusicRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> music_pb2.AnalyzeMusicResponse:
        """Analyse music."""
        with at_stage(Stage.VALIDATION):
            check_clip(to_clip(request.audio), max_audio_bytes=self._limits.max_audio_bytes)
        deadline = deadline_of(context, self._limits.comparison_timeout_seconds)
        with at_stage(Stage.AUDIO_FEATURES):
            return await self._music.forward(request, deadline)
