"""Several servers of image generation, as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from chladni_gateway.domain.events import GenerationEvent
    from chladni_gateway.domain.generation import GenerationRequest
    from chladni_gateway.domain.ports import ImageGenerator
    from chladni_gateway.models.listing import ModelListing
    from chladni_runtime.execution.deadlines import Deadline


class ImageServers:
    """Gives every order to a server that has its model, so that each model may live on a node of its own.

    Args:
        servers: The servers, each with the listing of its models; the main one first. It gets what no server
            is known to have.
    """

    def __init__(self, servers: Sequence[tuple[ImageGenerator, ModelListing]]) -> None:
        self._servers = tuple(servers)

    def generate(
        self, generation: GenerationRequest, deadline: Deadline
    ) -> AsyncGenerator[GenerationEvent, None]:
        """Yield what happens until the image is completed; closing the generator stops the work.

        Raises:
            ChladniError: The server refused or failed.
        """
        return self._server_of(generation.model).generate(generation, deadline)

    def _server_of(self, name: str) -> ImageGenerator:
        """Returns the server that has a model ready; or else one that has it at all."""
        having = [
            (not model.is_ready, number, server)
            for number, (server, listing) in enumerate(self._servers)
            for model in listing.last_known
            if model.name == name
        ]
        return min(having, key=lambda entry: entry[:2])[2] if having else self._servers[0][0]
