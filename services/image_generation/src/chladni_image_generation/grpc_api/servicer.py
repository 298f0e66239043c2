"""The gRPC service of image generation: validate, call, convert."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Any

import grpc

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc
from chladni_image_generation.engine.registry import EngineRegistry
from chladni_image_generation.generation import MAX_SEED, Completed
from chladni_image_generation.grpc_api.messages import (
    HEARTBEAT,
    to_event_message,
    to_generation_request,
    warnings_about,
)
from chladni_image_generation.grpc_api.models import to_model_info, to_unavailable_model_info
from chladni_image_generation.grpc_api.moving_images import MovingImages
from chladni_image_generation.grpc_api.options import (
    to_image_encoding,
    to_preview_options,
    to_scheduling_parameters,
)
from chladni_runtime.execution.heartbeats import with_heartbeats
from chladni_runtime.server.request_context import caller_of, cancellation_of


class ImageGenerationServicer(image_generation_service_pb2_grpc.ImageGenerationServiceServicer):
    """The gRPC service of the models of a registry.

    Args:
        registry: The models, each with its engine.
        max_steps: Denoising steps of a request at most.
        heartbeat_seconds: Silence of a stream after which a heartbeat is sent.
        max_live_streams: Live images at a time at most.
    """

    def __init__(
        self,
        registry: EngineRegistry,
        *,
        max_steps: int,
        heartbeat_seconds: float,
        max_live_streams: int,
    ) -> None:
        self._registry = registry
        self._max_steps = max_steps
        self._heartbeat_seconds = heartbeat_seconds
        self._moving_images = MovingImages(
            registry, max_streams=max_live_streams, heartbeat_seconds=heartbeat_seconds
        )

    async def GenerateImage(
        self,
        request: image_pb2.GenerateImageRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[image_pb2.GenerateImageResponse]:
        """Generate one image and report on the way."""
        engine = self._registry.find(request.options.model)
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
                scheduling=to_scheduling_parameters(request.options, caller_of(context)),
                previews=to_preview_options(request.options),
                encoding=to_image_encoding(request.options.encoding),
                use_cache=not request.options.bypass_cache,
            )
            async with aclosing(with_heartbeats(generation, self._heartbeat_seconds)) as events:
                async for event in events:
                    if event is None:
                        yield HEARTBEAT
                    elif isinstance(event, Completed):
                        yield to_event_message(event, model, warnings_about(wanted, model))
                    else:
                        yield to_event_message(event, model)

    async def StreamImages(
        self,
        request_iterator: AsyncIterator[image_pb2.StreamImagesRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[image_pb2.StreamImagesResponse]:
        """Draw frames of moving audio as it is heard."""
        responses = self._moving_images.stream(request_iterator, caller=caller_of(context))
        async with aclosing(responses):
            async for response in responses:
                yield response

    async def ListModels(
        self, request: image_pb2.ListModelsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> image_pb2.ListModelsResponse:
        """List the models, those that could not be loaded last."""
        usable = self._registry.descriptions
        return image_pb2.ListModelsResponse(
            models=[
                *map(to_model_info, usable),
                *map(to_unavailable_model_info, self._registry.unavailable),
            ],
            default_model=usable[0].id,
        )
