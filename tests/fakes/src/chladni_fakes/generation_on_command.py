"""A servicer of image generation that fails or waits on command, for tests of the server around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from chladni.generation.v1 import generation_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni_runtime.server.late_binding import Binding

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from chladni_runtime.server.server import Compose

SERVICE_NAME: Final = "chladni.image.v1.ImageGenerationService"


class ScriptedServicer(image_grpc.ImageGenerationServiceServicer):
    """A servicer that fails or waits as the request's model name says.

    Attributes:
        release: Lets the calls that wait go on.
        errors: Error of each model's name.
        was_cancelled: Whether a call was cancelled while it waited.
    """

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.errors: dict[str, Exception] = {}
        self.was_cancelled = asyncio.Event()

    async def ListModels(
        self, _request: image_pb2.ListModelsRequest, _context: Any
    ) -> image_pb2.ListModelsResponse:
        """List no models."""
        return image_pb2.ListModelsResponse()

    async def GenerateImage(
        self, request: image_pb2.GenerateImageRequest, _context: Any
    ) -> AsyncIterator[image_pb2.GenerateImageResponse]:
        """Fail, or yield `queued`, wait and yield `completed`."""
        if request.options.model in self.errors:
            raise self.errors[request.options.model]
        yield image_pb2.GenerateImageResponse(queued=generation_pb2.GenerationQueued(position=0))
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.was_cancelled.set()
            raise
        yield image_pb2.GenerateImageResponse(completed=image_pb2.GenerationCompleted())


def compose_around(servicer: ScriptedServicer, before_ready: asyncio.Event | None = None) -> Compose:
    """Return what opens the servicer, once `before_ready` is set."""

    @asynccontextmanager
    async def compose(_registry: CollectorRegistry) -> AsyncIterator[list[Binding]]:
        if before_ready is not None:
            await before_ready.wait()
        yield [Binding(image_grpc.add_ImageGenerationServiceServicer_to_server, servicer)]

    return compose
