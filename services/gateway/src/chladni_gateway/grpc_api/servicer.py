"""`chladni.gateway.v1.AudioToImageService`."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from chladni.gateway.v1 import audio_to_image_service_pb2 as gateway_pb2
from chladni.gateway.v1 import audio_to_image_service_pb2_grpc as gateway_grpc
from chladni_gateway.domain.generation import Priority
from chladni_gateway.domain.image_store import parse_image_id
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.grpc_api.messages import (
    to_comparison_message,
    to_creation_request,
    to_event_message,
    to_image_source,
    to_recipe_message,
    to_stored_image_message,
)
from chladni_runtime.execution.deadlines import Deadline
from chladni_runtime.server.request_context import caller_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import grpc

    from chladni_gateway.application import Application


class AudioToImageServicer(gateway_grpc.AudioToImageServiceServicer):
    """Offers the gateway over gRPC.

    Args:
        application: What the gateway does.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    async def CreateImage(
        self, request: gateway_pb2.CreateImageRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[gateway_pb2.CreateImageResponse]:
        """Yield what happens on the way to the image."""
        with at_stage(Stage.VALIDATION):
            asked = to_creation_request(request, caller=caller_of(context))
        limits = self._application.limits
        is_batch = asked.settings.priority is Priority.BATCH
        deadline = _deadline(
            context, limits.job_timeout_seconds if is_batch else limits.creation_timeout_seconds
        )
        async with aclosing(self._application.creator.create(asked, deadline)) as events:
            async for event in events:
                yield to_event_message(event)

    async def CompareImages(
        self, request: gateway_pb2.CompareImagesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> gateway_pb2.CompareImagesResponse:
        """Return how alike two images are."""
        deadline = _deadline(context, self._application.limits.comparison_timeout_seconds)
        with at_stage(Stage.VALIDATION):
            first = to_image_source(request.first, field="first")
            second = to_image_source(request.second, field="second")
        return to_comparison_message(await self._application.comparator.compare(first, second, deadline))

    async def GetImage(
        self, request: gateway_pb2.GetImageRequest, _context: grpc.aio.ServicerContext[Any, Any]
    ) -> gateway_pb2.GetImageResponse:
        """Return a stored image."""
        image_id = parse_image_id(request.image_id, field="image_id")
        with at_stage(Stage.STORAGE):
            return to_stored_image_message(await self._application.store.get(image_id))

    async def ListRecipes(
        self, _request: gateway_pb2.ListRecipesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> gateway_pb2.ListRecipesResponse:
        """List the recipes."""
        deadline = _deadline(context, self._application.limits.health_timeout_seconds)
        recipes = await self._application.recipes.describe(deadline)
        return gateway_pb2.ListRecipesResponse(recipes=map(to_recipe_message, recipes))


def _deadline(context: grpc.aio.ServicerContext[Any, Any], default_seconds: float) -> Deadline:
    """Return the caller's deadline, or one after the default time if the caller set none."""
    remaining_seconds = context.time_remaining()
    return Deadline.after(default_seconds if remaining_seconds is None else remaining_seconds)
