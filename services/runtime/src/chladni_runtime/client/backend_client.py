"""The client with which a service calls another: one connection, deadlines, and errors without addresses."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chladni_contract.errors import (
    ChladniError,
    DeadlineExceededError,
    FaultError,
    NotOfferedError,
    QueueFullError,
    Reason,
    UnavailableError,
)
from chladni_contract.metadata import CALLER_ID_KEY, REQUEST_ID_KEY
from chladni_contract.status import STATUS_DETAILS_KEY, from_rpc_error
from chladni_runtime.client.channel import Connection
from chladni_runtime.client.health import HealthState
from chladni_runtime.logs import REQUEST_ID
from chladni_runtime.security.credentials import CLEAR_TEXT, ChannelSecurity
from chladni_runtime.telemetry.scope import call_out

if TYPE_CHECKING:
    from google.protobuf.descriptor import ServiceDescriptor

    from chladni_runtime.execution.deadlines import Clock, Deadline

_RETRY_AFTER_SECONDS: Final = 1.0
# What a call reports instead of its status if the service ended it while a message was on its way there; see
# https://github.com/grpc/grpc/issues/36066.
_LOST_STATUS: Final = (grpc.StatusCode.INTERNAL, "Internal error from Core")

StubT = TypeVar("StubT")
RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


@dataclass(frozen=True, slots=True)
class Stubs(Generic[StubT]):
    """The stubs of one channel."""

    service: StubT
    health: health_pb2_grpc.HealthAsyncStub


@dataclass(frozen=True, slots=True)
class CallOptions:
    """What goes with every call.

    Attributes:
        timeout: Seconds that the caller's request has left; `None` for no limit.
        metadata: Metadata of the call: the identifiers of the request, the caller and the trace.
    """

    timeout: float | None
    metadata: tuple[tuple[str, str], ...]


class BackendClient(Generic[StubT]):
    """Base of a typed client of one service; `call` surrounds each of its calls.

    Args:
        name: Name of the service, for people, such as ``audio-features``.
        service: Descriptor of the service.
        target: gRPC target.
        make_stub: Returns the stub of the service for a channel.
        clock: Monotonic clock in seconds.
        security: What the connection is secured by.
    """

    def __init__(
        self,
        *,
        name: str,
        service: ServiceDescriptor,
        target: str,
        make_stub: Callable[[grpc.aio.Channel], StubT],
        clock: Clock = time.monotonic,
        security: ChannelSecurity = CLEAR_TEXT,
    ) -> None:
        self.name = name
        self._service_name = service.full_name
        self._connection: Connection[Stubs[StubT]] = Connection(
            target=target,
            make_stub=lambda channel: Stubs(make_stub(channel), health_pb2_grpc.HealthStub(channel)),
            clock=clock,
            security=security,
        )

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def health(self, deadline: Deadline) -> HealthState:
        """Return the state that the health service of the backend reports; never raises."""
        request = health_pb2.HealthCheckRequest(service=self._service_name)
        try:
            async with self._connection.stub() as stubs:
                response = await stubs.health.Check(request, timeout=deadline.remaining_seconds)
        except grpc.aio.AioRpcError:
            return HealthState.UNREACHABLE
        is_serving = response.status == health_pb2.HealthCheckResponse.SERVING
        return HealthState.SERVING if is_serving else HealthState.NOT_SERVING

    @asynccontextmanager
    async def call(self, deadline: Deadline, *, caller: str = "") -> AsyncIterator[tuple[StubT, CallOptions]]:
        """Yield the stub and the options of one call, and turn gRPC's errors into errors for callers.

        Args:
            deadline: When the answer must be there.
            caller: On whose behalf it is called; empty leaves it to the service to distinguish callers.

        Raises:
            ChladniError: What the service answered with, or why it could not be asked.
        """
        deadline.check(f"before {self.name} was asked")
        entries = ((REQUEST_ID_KEY, REQUEST_ID.get()), (CALLER_ID_KEY, caller))
        metadata = tuple((key, value) for key, value in entries if value)
        attributes = {"rpc.system": "grpc", "rpc.service": self._service_name, "server.address": self.name}
        with call_out(self._service_name, attributes=attributes) as span:
            if span.context is not None:
                metadata += span.context.entries
            try:
                async with self._connection.stub() as stubs:
                    yield stubs.service, CallOptions(deadline.remaining_seconds, metadata)
            except grpc.aio.AioRpcError as error:
                raise self._translated(error) from error

    async def ask(
        self,
        method: Callable[[StubT], grpc.aio.UnaryUnaryMultiCallable[RequestT, ResponseT]],
        request: RequestT,
        deadline: Deadline,
    ) -> ResponseT:
        """Return the answer to a message.

        Args:
            method: Picks the method of the stub.
            request: The message.
            deadline: When the answer must be there.

        Raises:
            ChladniError: What the service answered with, or why it could not be asked.
        """
        async with self.call(deadline) as (stub, options):
            return await method(stub)(request, timeout=options.timeout, metadata=options.metadata)

    def _translated(self, error: grpc.aio.AioRpcError) -> ChladniError:
        """Return the service's own error or, if gRPC itself failed, one without addresses in it."""
        metadata: Any = error.trailing_metadata() or ()
        if STATUS_DETAILS_KEY in dict(metadata):
            return from_rpc_error(error)
        is_lost = (error.code(), error.details()) == _LOST_STATUS
        return bare_error(grpc.StatusCode.CANCELLED if is_lost else error.code(), self.name)


def bare_error(code: grpc.StatusCode, name: str) -> ChladniError:
    """Return the error for a status without details, from gRPC itself or a proxy.

    Args:
        code: The status.
        name: Name of the service that was called.
    """
    match code:
        case grpc.StatusCode.UNAVAILABLE:
            return _unavailable(name, "cannot be reached")
        case grpc.StatusCode.CANCELLED:
            # A caller that cancels gets no status at all, so the service ended the call.
            return _unavailable(name, "stopped before it answered")
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceededError(f"The deadline passed before the service {name} answered.")
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return QueueFullError(
                f"The service {name} is overloaded. Try again later.",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
            )
        case grpc.StatusCode.UNIMPLEMENTED:
            return NotOfferedError(
                f"The service {name} does not offer this call; it may be of another version."
            )
        case _:
            return FaultError(Reason.INTERNAL, f"The service {name} failed unexpectedly.")


def _unavailable(name: str, problem: str) -> UnavailableError:
    return UnavailableError(
        Reason.BACKEND_UNAVAILABLE,
        f"The service {name} {problem}. Try again shortly.",
        retry_after_seconds=_RETRY_AFTER_SECONDS,
        metadata={"service": name},
    )
