"""The gRPC services of image generation: validate, call, convert."""

import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import (
    image_generation_service_pb2_grpc,
    prompt_service_pb2,
    prompt_service_pb2_grpc,
)
from chladni_image_generation.conversion import (
    to_claim,
    to_event_message,
    to_generation_request,
    to_model_info,
    to_preview_wish,
)
from chladni_image_generation.engine import Engine
from chladni_image_generation.generation import MAX_SEED
from chladni_runtime.contexts import caller_of, cancellation_of
from chladni_runtime.errors import NotOfferedError


class ImageGenerationServicer(image_generation_service_pb2_grpc.ImageGenerationServiceServicer):
    """Serves one engine.

    Args:
        engine: The engine.
        max_steps: Denoising steps of a request at most.
    """

    def __init__(self, engine: Engine, *, max_steps: int) -> None:
        self._engine = engine
        self._max_steps = max_steps

    async def GenerateImage(
        self,
        request: image_pb2.GenerateImageRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[image_pb2.GenerateImageResponse]:
        """Generates one picture and reports on the way."""
        model = self._engine.description
        wanted = to_generation_request(
            request,
            model,
            max_steps=self._max_steps,
            draw_seed=lambda: secrets.randbelow(MAX_SEED + 1),
        )
        with cancellation_of(context) as token:
            generation = self._engine.generate(
                wanted,
                token,
                claim=to_claim(request, caller_of(context)),
                wish=to_preview_wish(request),
                reuse=not request.bypass_cache,
            )
            async with aclosing(generation) as events:
                async for event in events:
                    yield to_event_message(event, model)

    async def GetModels(
        self, request: image_pb2.GetModelsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> image_pb2.GetModelsResponse:
        """Lists the served model."""
        return image_pb2.GetModelsResponse(models=[to_model_info(self._engine.description)])


class PromptServicer(prompt_service_pb2_grpc.PromptServiceServicer):
    """Answers that prompts are not written here: the served model is conditioned on sound alone."""

    async def WritePrompts(
        self,
        request: prompt_service_pb2.WritePromptsRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> prompt_service_pb2.WritePromptsResponse:
        """Answers UNIMPLEMENTED."""
        raise _no_prompts()

    async def ScorePrompts(
        self,
        request: prompt_service_pb2.ScorePromptsRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> prompt_service_pb2.ScorePromptsResponse:
        """Answers UNIMPLEMENTED."""
        raise _no_prompts()


def _no_prompts() -> NotOfferedError:
    return NotOfferedError(
        "This server has no prompt writer. Its model is conditioned on the sound itself: call GenerateImage "
        "with conditioning.audio_embedding."
    )
