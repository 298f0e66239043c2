"""What happens around every call of a gRPC server.

A *scope* is an asynchronous context manager that surrounds the handling of a call: it may look at the
call before, and at the result or the exception after. `ScopeInterceptor` puts scopes around handlers of
all four kinds, so that each concern is written once:

    logged > measured > error_answering > gated > the servicer's method
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import grpc

from chladni_runtime.errors import ChladniError, Reason
from chladni_runtime.logs import REQUEST_ID
from chladni_runtime.metrics import ServerMetrics
from chladni_runtime.status import WIRE_STATUS, trailing_metadata

REQUEST_ID_KEY: Final = "x-request-id"
_MAX_REQUEST_ID_LENGTH: Final = 128

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Call:
    """A call in progress.

    Attributes:
        method: Full name, such as ``/chladni.image.v1.ImageGenerationService/GenerateImage``.
        context: gRPC's context of the call.
        request_id: Identifier from the caller's metadata, or a fresh one.
        code: How it ended; OK until something else is known.
        error: What it was answered with, where that is an error.
        started_at: Seconds on the monotonic clock.
    """

    method: str
    context: grpc.aio.ServicerContext[Any, Any]
    request_id: str
    code: grpc.StatusCode = grpc.StatusCode.OK
    error: BaseException | None = None
    started_at: float = field(default_factory=time.monotonic)

    @property
    def is_probe(self) -> bool:
        """Whether it asks about the server instead of for its work: health and reflection."""
        return self.method.startswith("/grpc.")


Scope = Callable[[Call], AbstractAsyncContextManager[None]]
HandlerLookup = Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]]


class ScopeInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Puts scopes around every handler, the first one outermost."""

    def __init__(self, scopes: Sequence[Scope]) -> None:
        self._scopes = tuple(scopes)

    async def intercept_service(
        self, continuation: HandlerLookup, handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Returns the handler of a call with the scopes around it; `None` where no handler exists."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method
        metadata = dict(handler_call_details.invocation_metadata or ())
        given = str(metadata.get(REQUEST_ID_KEY, ""))
        request_id = given[:_MAX_REQUEST_ID_LENGTH] or uuid.uuid4().hex

        @asynccontextmanager
        async def around(context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[None]:
            call = Call(method, context, request_id)
            async with AsyncExitStack() as stack:
                for scope in self._scopes:
                    await stack.enter_async_context(scope(call))
                yield

        return _surround(handler, around)


def _surround(
    handler: Any, around: Callable[[Any], AbstractAsyncContextManager[None]]
) -> grpc.RpcMethodHandler[Any, Any]:
    """Returns a handler of the same kind whose behaviour runs inside `around(context)`."""
    kind = ("stream" if handler.request_streaming else "unary") + (
        "_stream" if handler.response_streaming else "_unary"
    )
    behaviour = getattr(handler, kind)

    async def unary(request: Any, context: Any) -> Any:
        async with around(context):
            return await behaviour(request, context)

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        async with around(context):
            async for response in behaviour(request, context):
                yield response

    make_handler = getattr(grpc, f"{kind}_rpc_method_handler")
    made: grpc.RpcMethodHandler[Any, Any] = make_handler(
        stream if handler.response_streaming else unary,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
    return made


@asynccontextmanager
async def logged(call: Call) -> AsyncIterator[None]:
    """Logs the end of a call, and gives its logs its request identifier."""
    token = REQUEST_ID.set(call.request_id)
    try:
        yield
    finally:
        is_fault = call.code is grpc.StatusCode.INTERNAL
        _log.log(
            logging.ERROR if is_fault else logging.DEBUG if call.is_probe else logging.INFO,
            "call finished",
            extra={
                "method": call.method,
                "code": call.code.name,
                "reason": call.error.reason.value if isinstance(call.error, ChladniError) else "",
                "detail": str(call.error) if isinstance(call.error, ChladniError) else "",
                "duration_ms": round((time.monotonic() - call.started_at) * 1000, 3),
            },
            exc_info=call.error if is_fault else None,
        )
        REQUEST_ID.reset(token)


def measured(metrics: ServerMetrics) -> Scope:
    """Returns the scope that counts and times calls."""

    @asynccontextmanager
    async def scope(call: Call) -> AsyncIterator[None]:
        with metrics.in_flight.labels(call.method).track_inprogress():
            try:
                yield
            finally:
                metrics.duration.labels(call.method).observe(time.monotonic() - call.started_at)
                metrics.requests.labels(call.method, call.code.name).inc()

    return scope


@asynccontextmanager
async def error_answering(call: Call) -> AsyncIterator[None]:
    """Answers a call that raised with a status, and with details only where the error is meant to be seen."""
    try:
        yield
    except ChladniError as error:
        await _abort(call, error, error)
    except asyncio.CancelledError as error:
        # gRPC cancels the task when the client leaves and when the deadline passes.
        remaining_seconds = call.context.time_remaining()
        is_late = remaining_seconds is not None and remaining_seconds <= 0
        call.code = grpc.StatusCode.DEADLINE_EXCEEDED if is_late else grpc.StatusCode.CANCELLED
        call.error = error
        raise
    except grpc.aio.AbortError as error:
        call.code = grpc.StatusCode(call.context.code())
        call.error = error
        raise
    except Exception as error:  # noqa: BLE001 - the last line of defence; logged with its trace
        answer = ChladniError(
            Reason.INTERNAL,
            "The service failed unexpectedly. The operator's log has the details under request "
            f"{call.request_id}.",
        )
        await _abort(call, answer, error)


async def _abort(call: Call, answer: ChladniError, cause: BaseException) -> None:
    call.code = WIRE_STATUS[answer.reason].grpc
    call.error = cause
    await call.context.abort(call.code, answer.message, trailing_metadata(answer))
