"""The client of image-generation, and several servers of it as one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni_gateway.backends.audio_features import send_all
from chladni_gateway.backends.messages import to_generate_request, to_generation_event, to_model_summaries
from chladni_runtime.client.backend_client import BackendClient
from chladni_runtime.security.credentials import CLEAR_TEXT, ChannelSecurity

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from chladni_gateway.domain.events import GenerationEvent
    from chladni_gateway.domain.generation import CourseWindow, GenerationRequest
    from chladni_gateway.domain.models import ModelSummary
    from chladni_gateway.domain.ports import ImageGenerator
    from chladni_gateway.models.catalog import ModelListing
    from chladni_runtime.execution.deadlines import Deadline

ServerT = TypeVar("ServerT", bound="ImageGenerator")

_SERVICE: Final = image_pb2.DESCRIPTOR.services_by_name["ImageGenerationService"]


class ImageGenerationClient(BackendClient["image_grpc.ImageGenerationServiceAsyncStub"]):
    """Generates images; an `ImageGenerator`.

    Args:
        target: gRPC target of the service.
        name: Name of the server, for people.
        security: What the connection is secured by.
    """

    def __init__(
        self, target: str, *, name: str = "image-generation", security: ChannelSecurity = CLEAR_TEXT
    ) -> None:
        super().__init__(
            name=name,
            service=_SERVICE,
            target=target,
            make_stub=image_grpc.ImageGenerationServiceStub,
            security=security,
        )

    async def generate(
        self, generation: GenerationRequest, deadline: Deadline
    ) -> AsyncGenerator[GenerationEvent, None]:
        """Yield what happens; closing the generator cancels the call, and so the denoising.

        Raises:
            ChladniError: The service refused or failed.
        """
        async with self.call(deadline, caller=generation.caller) as (stub, options):
            request = to_generate_request(generation)
            if (window := generation.conditioning.course_window) is not None:
                request.conditioning.course_window.CopyFrom(_to_window_message(window))
            call = stub.GenerateImage(request, timeout=options.timeout, metadata=options.metadata)
            try:
                async for response in call:
                    if event := to_generation_event(response):
                        yield event
            finally:
                call.cancel()  # Does nothing if the call has ended.

    async def forward_frames(
        self,
        requests: AsyncIterator[image_pb2.StreamImagesRequest],
        deadline: Deadline,
        *,
        caller: str,
    ) -> AsyncGenerator[image_pb2.StreamImagesResponse, None]:
        """Yield the service's answers to the segments of live audio; closing the generator cancels the call.

        Raises:
            ChladniError: The service refused or failed.
        """
        async with self.call(deadline, caller=caller) as (stub, options):
            call = stub.StreamImages(None, timeout=options.timeout, metadata=options.metadata)
            sending = asyncio.create_task(send_all(requests, call))
            try:
                async for response in call:
                    yield response
            finally:
                call.cancel()  # Does nothing if the call has ended.
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)

    async def models(self, deadline: Deadline) -> tuple[ModelSummary, ...]:
        """Return the models of the service.

        Raises:
            ChladniError: The service failed, or does not offer the call.
        """
        request = image_pb2.ListModelsRequest()
        async with self.call(deadline) as (stub, options):
            response = await stub.ListModels(request, timeout=options.timeout, metadata=options.metadata)
        return to_model_summaries(response)


class ImageGenerationPool(Generic[ServerT]):
    """Gives every request to a server that has its model, so that each model may live on a node of its own.

    Args:
        servers: The servers, each with the listing of its models; the main one first. It gets what no server
            is known to have.
    """

    def __init__(self, servers: Sequence[tuple[ServerT, ModelListing]]) -> None:
        self._servers = tuple(servers)

    def generate(
        self, generation: GenerationRequest, deadline: Deadline
    ) -> AsyncGenerator[GenerationEvent, None]:
        """Yield what happens until the image is completed; closing the generator stops the work.

        Raises:
            ChladniError: The server refused or failed.
        """
        return self.server_of(generation.model).generate(generation, deadline)

    def servers_of(self, name: str) -> list[ServerT]:
        """Return all servers that have a model ready; or else the one that a request for it would go to."""
        ready = [
            server
            for server, listing in self._servers
            if any(model.name == name and model.is_ready for model in listing.last_known)
        ]
        return ready or [self.server_of(name)]

    def server_of(self, name: str) -> ServerT:
        """Return the server that has a model ready; or else one that has it at all."""
        having = [
            (not model.is_ready, number, server)
            for number, (server, listing) in enumerate(self._servers)
            for model in listing.last_known
            if model.name == name
        ]
        return min(having, key=lambda entry: entry[:2])[2] if having else self._servers[0][0]


def _to_window_message(window: CourseWindow) -> image_pb2.CourseWindow:
    from chladni_contract.tensors import to_tensor  # noqa: PLC0415 - brings NumPy, which films alone need

    return image_pb2.CourseWindow(
        centers=to_tensor(window.centers),
        numbers=to_tensor(window.numbers),
        course=to_tensor(window.course),
        means=to_tensor(window.means),
        growth=to_tensor(window.growth),
        drift=window.drift,
        level=window.level,
        flash=window.flash,
    )
