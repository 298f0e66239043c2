"""The health service, `grpc.health.v1.Health`: Check, Watch and List."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health, health_pb2

if TYPE_CHECKING:
    from typing import TypeAlias

    Status: TypeAlias = health_pb2.HealthCheckResponse.ServingStatus.ValueType

_HealthServicer: Any = health.aio.HealthServicer  # type: ignore[attr-defined]  # unknown to the stubs


class HealthService(_HealthServicer):  # type: ignore[misc]  # for that reason
    """Says of each service whether it takes requests; the empty name stands for the server as a whole.

    Args:
        service_names: Full names of the services.
    """

    def __init__(self, service_names: Sequence[str]) -> None:
        super().__init__()
        self._statuses: dict[str, Status] = dict.fromkeys(
            (*service_names, ""), health_pb2.HealthCheckResponse.NOT_SERVING
        )

    async def set_all(self, status: Status) -> None:
        """Set the status of every service."""
        for name in self._statuses:
            self._statuses[name] = status
            await self.set(name, status)

    async def List(  # noqa: N802 - named as in the proto
        self, _request: health_pb2.HealthListRequest, _context: grpc.aio.ServicerContext[Any, Any]
    ) -> health_pb2.HealthListResponse:
        """Return the status of every service."""
        return health_pb2.HealthListResponse(
            statuses={
                name: health_pb2.HealthCheckResponse(status=status) for name, status in self._statuses.items()
            }
        )
