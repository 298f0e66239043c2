"""`chladni.image.v1.PromptService`, as image-generation serves it, for clips too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chladni.image.v1 import prompt_service_pb2 as prompt_pb2
from chladni.image.v1 import prompt_service_pb2_grpc as prompt_grpc
from chladni_contract.music_features import to_features_message
from chladni_gateway.domain.request import check_clip
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.grpc_api.callers.deadlines import deadline_of
from chladni_gateway.grpc_api.requests import to_clip
from chladni_runtime.server.validation import RequestValidator

if TYPE_CHECKING:
    import grpc

    from chladni_gateway.application import Application
    from chladni_gateway.backends.prompts import PromptClient


class PromptServicer(prompt_grpc.PromptServiceServicer):
    """Offers prompts over gRPC, in the messages of image-generation; clips are analysed first.

    Args:
        application: What the gateway does.
        prompts: Where the messages go.
    """

    def __init__(self, application: Application, prompts: PromptClient) -> None:
        self._application = application
        self._prompts = prompts

    async def WritePrompts(
        self, request: prompt_pb2.WritePromptsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> prompt_pb2.WritePromptsResponse:
        """Write prompts for features, or for a clip."""
        limits = self._application.limits
        deadline = deadline_of(context, limits.creation_timeout_seconds)
        with at_stage(Stage.VALIDATION):
            _check(request)
        if request.HasField("audio"):
            clip = to_clip(request.audio)
            with at_stage(Stage.VALIDATION):
                check_clip(clip, max_audio_bytes=limits.max_audio_bytes)
            music = await self._application.music_describer.describe(
                clip, deadline, with_time_course=request.with_time_course
            )
            described = prompt_pb2.WritePromptsRequest()
            described.CopyFrom(request)
            described.ClearField("with_time_course")
            described.features.CopyFrom(to_features_message(music.features))
            described.time_course = music.time_course or request.time_course
            request = described
        with at_stage(Stage.IMAGE_GENERATION):
            return await self._prompts.write(request, deadline)

    async def ScorePrompts(
        self, request: prompt_pb2.ScorePromptsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> prompt_pb2.ScorePromptsResponse:
        """Score prompts."""
        deadline = deadline_of(context, self._application.limits.comparison_timeout_seconds)
        with at_stage(Stage.IMAGE_GENERATION):
            return await self._prompts.score(request, deadline)

    async def EmbedPrompts(
        self, request: prompt_pb2.EmbedPromptsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> prompt_pb2.EmbedPromptsResponse:
        """Map prompts into the space of descriptors."""
        deadline = deadline_of(context, self._application.limits.comparison_timeout_seconds)
        with at_stage(Stage.IMAGE_GENERATION):
            return await self._prompts.embed(request, deadline)


def _check(request: prompt_pb2.WritePromptsRequest) -> None:
    validator = RequestValidator()
    validator.check(
        "with_time_course",
        valid=request.HasField("audio") or not request.with_time_course,
        description="needs audio; send the course itself as time_course.",
    )
    validator.raise_if_invalid()
