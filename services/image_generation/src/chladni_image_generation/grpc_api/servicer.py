"""The gRPC services of image generation: validate, call, convert."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Any

import grpc

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import (
    image_generation_service_pb2_grpc,
    prompt_service_pb2,
    prompt_service_pb2_grpc,
)
from chladni_contract.errors import NotOfferedError
from chladni_image_generation.engine.registry import EngineRegistry
from chladni_image_generation.generation import MAX_SEED
from chladni_image_generation.grpc_api.messages import (
    to_event_message,
    to_generation_request,
    to_model_info,
    to_preview_options,
    to_scheduling_parameters,
    to_unavailable_model_info,
)
from chladni_runtime.server.request_context import caller_of, cancellation_of


class ImageGenerationServicer(image_generation_service_pb2_grpc.ImageGenerationServiceServicer):
    """The gRPC service of the models of a registry.

    Args:
        registry: The models, each with its engine.
        max_steps: Denoising steps of a request at most.
    """

    def __init__(self, registry: EngineRegistry, *, max_steps: int) -> None:
        self._registry = registry
        self._max_steps = max_steps

    async def GenerateImage(
        self,
        request: image_pb2.GenerateImageRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[image_pb2.GenerateImageResponse]:
        """Generate one image and report on the way."""
        engine = self._registry.find(request.model)
        model = engine.description
        convert = partial(
            to_generation_request,
            request,
            model,
            max_steps=self._max_steps,
            draw_seed=lambda: secrets.randbelow(MAX_SEED + 1),
        )
        # Only images take long to decode; a thread for every other request would take longer than it does.
        has_image = request.conditioning.HasField("initial_image")
        wanted = await asyncio.to_thread(convert) if has_image else convert()
        with cancellation_of(context) as token:
            generation = engine.generate(
                wanted,
                token,
                scheduling=to_scheduling_parameters(request, caller_of(context)),
                previews=to_preview_options(request),
                use_cache=not request.bypass_cache,
            )
            async with aclosing(generation) as events:
                async for event in events:
                    yield to_event_message(event, model)

    async def GetModels(
        self, request: image_pb2.GetModelsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> image_pb2.GetModelsResponse:
        """List the models, those that could not be loaded last."""
        usable = [
            to_model_info(description, is_default=index == 0)
            for index, description in enumerate(self._registry.descriptions)
        ]
        unavailable = [to_unavailable_model_info(model) for model in self._registry.unavailable]
        return image_pb2.GetModelsResponse(models=[*usable, *unavailable])


class PromptServicer(prompt_service_pb2_grpc.PromptServiceServicer):
    """The answer that prompts are not written here: prompts reach a model as the caller writes them."""

    async def WritePrompts(
        self,
        request: prompt_service_pb2.WritePromptsRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> prompt_service_pb2.WritePromptsResponse:
        """Answer UNIMPLEMENTED."""
        raise _no_prompts()

    async def ScorePrompts(
        self,
        request: prompt_service_pb2.ScorePromptsRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> prompt_service_pb2.ScorePromptsResponse:
        """Answer UNIMPLEMENTED."""
        raise _no_prompts()


def _no_prompts() -> NotOfferedError:
    return NotOfferedError(
        "This server has no prompt writer. Write the prompt yourself and send it to GenerateImage as "
        "conditioning.prompt, or send the sound's embedding as conditioning.audio_embedding."
    )
