"""What a server offers, and whether it serves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from grpc_health.v1 import health_pb2, health_pb2_grpc

from chladni.gateway.v1 import server_service_pb2 as server_pb2
from chladni.gateway.v1 import server_service_pb2_grpc as server_grpc
from chladni_client._calls.base import Calls
from chladni_client._messages import server_results
from chladni_client.errors import DeadlineExceededError, TemporaryError
from chladni_client.types.services import Recipe, ServerInfo, ServiceHealth, ServiceState

if TYPE_CHECKING:
    from chladni_client._transport.connection import Connection


class ServerCalls(Calls):
    """Recipes, versions, limits and health."""

    async def list_recipes(self, *, timeout_seconds: float | None = None) -> tuple[Recipe, ...]:
        """Return the ways from sound to image that the server knows, its default first."""
        request = server_pb2.ListRecipesRequest()
        response = await self._call(self._server_stub.ListRecipes, request, timeout_seconds)
        return tuple(
            server_results.to_recipe(recipe, is_default=recipe.name == response.default_recipe)
            for recipe in response.recipes
        )

    async def server_info(self, *, timeout_seconds: float | None = None) -> ServerInfo:
        """Return versions and limits of the server, and the health of the services behind it."""
        request = server_pb2.GetServerInfoRequest()
        response = await self._call(self._server_stub.GetServerInfo, request, timeout_seconds)
        return server_results.to_server_info(response)

    async def health(self, *, timeout_seconds: float = 5.0) -> tuple[ServiceHealth, ...]:
        """Return what the gateway and the audio-feature service say of themselves; asks once.

        Only the methods of sounds themselves need to reach the audio-feature service.
        """
        return tuple(
            await asyncio.gather(
                _health_of("gateway", self._gateway, timeout_seconds),
                _health_of("audio-features", self._audio_features, timeout_seconds),
            )
        )

    @property
    def _server_stub(self) -> server_grpc.ServerServiceAsyncStub:
        return server_grpc.ServerServiceStub(self._gateway.channel)


async def _health_of(name: str, connection: Connection, timeout_seconds: float) -> ServiceHealth:
    """Return the health of the server at the other end of a connection; asks once.

    Raises:
        ChladniError: It answered, but not what a server of health answers.
    """
    try:
        async with connection.open_probe() as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            request = health_pb2.HealthCheckRequest()
            with connection.calling() as metadata:
                response = await stub.Check(request, timeout=timeout_seconds, metadata=metadata)
    except (TemporaryError, DeadlineExceededError):
        return ServiceHealth(name, connection.target, ServiceState.UNREACHABLE)
    is_serving = response.status == health_pb2.HealthCheckResponse.SERVING
    return ServiceHealth(
        name, connection.target, ServiceState.SERVING if is_serving else ServiceState.NOT_SERVING
    )
