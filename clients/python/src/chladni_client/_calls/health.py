"""What a server says of itself."""

from __future__ import annotations

from grpc_health.v1 import health_pb2, health_pb2_grpc

from chladni_client._transport.connection import Connection
from chladni_client._transport.statuses import translated_errors
from chladni_client.errors import DeadlineExceededError, TemporaryError
from chladni_client.types.services import ServiceHealth, ServiceState


async def health_of(name: str, connection: Connection, timeout_seconds: float) -> ServiceHealth:
    """Return the health of the server at the other end of a connection; asks once.

    Raises:
        ChladniError: It answered, but not what a server of health answers.
    """
    stub = health_pb2_grpc.HealthStub(connection.channel)
    try:
        with translated_errors(connection.target):
            response = await stub.Check(health_pb2.HealthCheckRequest(), timeout=timeout_seconds)
    except (TemporaryError, DeadlineExceededError):
        return ServiceHealth(name, connection.target, ServiceState.UNREACHABLE)
    is_serving = response.status == health_pb2.HealthCheckResponse.SERVING
    return ServiceHealth(
        name, connection.target, ServiceState.SERVING if is_serving else ServiceState.NOT_SERVING
    )
