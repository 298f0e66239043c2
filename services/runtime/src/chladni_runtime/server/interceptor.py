"""What happens around every call of a gRPC server.

Each concern is an *observer* of the begin and the end of calls: the log, the meter, the gate. The interceptor
puts them around handlers of all four kinds and turns the error that a handler raises into the status of its
call. This happens for every call, so observers have plain methods: context managers took five times as long.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeAlias

import grpc

from chladni_contract.errors import ChladniError, NotOfferedError, Reason
from chladni_contract.metadata import MAX_REQUEST_ID_LENGTH, REQUEST_ID_KEY, check_identifier
from chladni_contract.status import WIRE_STATUS, trailing_metadata
from chladni_runtime.failpoints import NO_FAILPOINTS, Failpoint, Failpoints
from chladni_runtime.logs import REQUEST_ID
from chladni_runtime.server.peers import PeerSet, host_of_peer
from chladni_runtime.server.receiver import MessageReceiver
from chladni_runtime.server.request_context import PEER_IS_TRUSTED, metadata_value

_NOT_OFFERED: Final = "This server does not offer the call."

_NO_PEERS: Final = PeerSet(())

_log = logging.getLogger(__name__)

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
HandlerLookup: TypeAlias = Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]]


@dataclass(eq=False, slots=True)
class Call:
    """A call in progress.

    Attributes:
        method: Full name, such as ``/chladni.image.v1.ImageGenerationService/GenerateImage``.
        context: gRPC's context of the call.
        is_probe: Whether it is a call of health or reflection, not of the service itself.
        request_id: Identifier from the caller's metadata, or a new one if that cannot be used.
        refusal: Why the caller's identifier cannot be used, with which the call ends once it is observed; or
            why the service cancelled its work.
        code: Status with which it ended; OK until another is known.
        error: The error that it was answered with, if any.
        is_echoed: Whether the identifier was sent back.
        started_at: Seconds on the monotonic clock.
        request_bytes: Size of its request message; 0 for a stream, whose messages are small.
        admitted_at: When it took a place of the service; `None` if it has none.
        peer: The connection that it came by, such as ``ipv4:192.0.2.1:49152``. Read at once: gRPC frees a
            call that has ended, and crashes if it is asked about it then.
    """

    method: str
    context: Context
    is_probe: bool
    request_id: str
    refusal: ChladniError | None = None
    code: grpc.StatusCode = grpc.StatusCode.OK
    error: BaseException | None = None
    is_echoed: bool = False
    started_at: float = field(default_factory=time.monotonic)
    request_bytes: int = 0
    admitted_at: float | None = None
    peer: str = field(init=False)

    def __post_init__(self) -> None:
        self.peer = str(self.context.peer())

    @property
    def elapsed_seconds(self) -> float:
        """Seconds since it arrived."""
        return time.monotonic() - self.started_at


Authenticate: TypeAlias = Callable[[Call], Awaitable[None]]


class CallObserver(Protocol):
    """An observer of calls. The methods are fast and raise nothing but a refusal."""

    def begin(self, call: Call) -> None:
        """Observe a call when its headers have come.

        Raises:
            ChladniError: The call is refused; `end` is not called then.
        """
        ...

    def admit(self, call: Call) -> None:
        """Observe that the call's message has come, the first one of a stream; the call is handled now.

        Raises:
            ChladniError: The call is refused; `end` is called nevertheless.
        """
        ...

    def end(self, call: Call) -> None:
        """Observe that the call has ended; `call.code` and `call.error` say how."""
        ...


class CallInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Observers around every handler, and a status for each call whose handler raises.

    Args:
        observers: The first one is called first at the begin of a call, and last at its end.
        receiver: Receives the request messages.
        trusted_peers: Hosts whose word on their callers counts.
        authenticate: Finds out who calls before the message is received, or raises a refusal; not for
            health and reflection. `None` takes everybody.
        failpoints: For tests of robustness.
    """

    def __init__(
        self,
        observers: Sequence[CallObserver] = (),
        *,
        receiver: MessageReceiver,
        trusted_peers: PeerSet = _NO_PEERS,
        authenticate: Authenticate | None = None,
        failpoints: Failpoints = NO_FAILPOINTS,
    ) -> None:
        self._observers = (_TrustMarker(trusted_peers), *observers)
        self._receiver = receiver
        self._authenticate = authenticate
        self._failpoints = failpoints
        self._observed: dict[str, tuple[Handler, Handler]] = {}

    async def intercept_service(
        self, continuation: HandlerLookup, handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """Return the observed handler of a call; `None` if no handler exists."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method
        inner, observed = self._observed.get(method, (None, None))
        if inner is not handler:
            observed = self._observe(method, handler)
            self._observed[method] = handler, observed
        return observed

    def _observe(self, method: str, handler: Any) -> Handler:
        """Return a handler whose behaviour is observed, including the receiving of requests.

        It streams requests even if the method takes a single one: only then does gRPC call it before the
        request has arrived, so that a refused call costs the server no more than its headers, however large
        its message.
        """
        kind = ("stream" if handler.request_streaming else "unary") + (
            "_stream" if handler.response_streaming else "_unary"
        )
        behaviour = getattr(handler, kind)
        is_probe = method.startswith("/grpc.")

        async def unary(_requests: AsyncIterator[Any], context: Context) -> Any:
            call = Call(method, context, is_probe, *_identify(context))
            try:
                with _ObservedCall(call, self._observers):
                    response = await behaviour(await self._begin(call, handler), context)
                    await _echo_request_id(call)
                    return response
            except ChladniError as error:
                await _abort(call, error)

        async def stream(_requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
            call = Call(method, context, is_probe, *_identify(context))
            try:
                with _ObservedCall(call, self._observers):
                    responses = behaviour(await self._begin(call, handler), context)
                    if inspect.isawaitable(responses):
                        await _echo_request_id(call)
                        await responses  # It writes to the context itself, as Health/Watch does.
                    else:
                        async with aclosing(responses):
                            async for response in responses:
                                await _echo_request_id(call)
                                yield response
            except ChladniError as error:
                await _abort(call, error)

        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(stream, None, handler.response_serializer)
        return grpc.stream_unary_rpc_method_handler(unary, None, handler.response_serializer)

    async def _begin(self, call: Call, handler: Any) -> Any:
        """Return what a handler takes first, once the caller is known and the message has come."""
        receiver = self._receiver
        if not call.is_probe:
            if self._authenticate is not None:
                await self._authenticate(call)
            await self._failpoints.reach(Failpoint.ADMISSION_BEFORE)
        receive = receiver.receive_stream if handler.request_streaming else receiver.receive_one
        request = await receive(call, handler.request_deserializer)
        for observer in self._observers:
            observer.admit(call)
        if not call.is_probe:
            await self._failpoints.reach(Failpoint.ADMISSION_AFTER)
        return request


def _identify(context: Context) -> tuple[str, ChladniError | None]:
    """Return the identifier of a request, and why the one in the caller's metadata cannot be used, if so."""
    try:
        given = check_identifier(
            REQUEST_ID_KEY, metadata_value(context, REQUEST_ID_KEY), max_length=MAX_REQUEST_ID_LENGTH
        )
    except ChladniError as error:
        return secrets.token_hex(16), error
    return given or secrets.token_hex(16), None


async def _echo_request_id(call: Call) -> None:
    """Send the identifier in the initial metadata, unless that is done.

    Only a call that has something to answer does: to clients, initial metadata means that the server has
    taken the call, and gRPC then never repeats it; see the section "When Retries are Valid" of
    https://github.com/grpc/proposal/blob/master/A6-client-retries.md. A refusal carries the identifier in its
    trailing metadata.
    """
    if not call.is_echoed:
        call.is_echoed = True
        await call.context.send_initial_metadata(((REQUEST_ID_KEY, call.request_id),))


async def _abort(call: Call, error: ChladniError) -> None:
    metadata = trailing_metadata(
        error, request_id=call.request_id, remaining_seconds=call.context.time_remaining()
    )
    await call.context.abort(WIRE_STATUS[error.reason].grpc, error.message, metadata)


class _ObservedCall:
    """The handling of a call between its observers; raises only errors that callers may see.

    Raises:
        ChladniError: The call failed; an unexpected error is replaced by one without details.
    """

    __slots__ = ("_begun", "_call", "_observers")

    def __init__(self, call: Call, observers: Sequence[CallObserver]) -> None:
        self._call = call
        self._observers = observers
        self._begun: list[CallObserver] = []

    def __enter__(self) -> Self:
        # A call has a task of its own, and so a context of its own: nothing to reset.
        REQUEST_ID.set(self._call.request_id)
        try:
            for observer in self._observers:
                observer.begin(self._call)
                self._begun.append(observer)
            if self._call.refusal is not None:
                raise self._call.refusal
        except ChladniError as refusal:
            self._end(refusal)
            raise
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if isinstance(error, asyncio.CancelledError) and (reason := self._call.refusal) is not None:
            self._end(reason)
            raise reason from None
        is_unimplemented = isinstance(error, NotImplementedError)
        self._end(NotOfferedError(_NOT_OFFERED) if is_unimplemented else error)
        if is_unimplemented:  # What generated servicers raise for methods that are not overridden.
            raise NotOfferedError(_NOT_OFFERED) from None
        if isinstance(error, Exception) and not isinstance(error, (ChladniError, grpc.aio.BaseError)):
            raise ChladniError(
                Reason.INTERNAL,
                "The service failed unexpectedly. The operator's log has the details under request "
                f"{self._call.request_id}.",
            ) from error

    def _end(self, error: BaseException | None) -> None:
        if error is not None:
            self._call.error = error
            self._call.code = _code_of(error, self._call.context)
        for observer in reversed(self._begun):
            observer.end(self._call)
        # The error's traceback holds the frame that holds the call: the request would stay in memory.
        self._call.error = self._call.refusal = None


def _code_of(error: BaseException, context: Context) -> grpc.StatusCode:
    if isinstance(error, ChladniError):
        return WIRE_STATUS[error.reason].grpc
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        # gRPC cancels the task when the client leaves and when the deadline passes.
        remaining_seconds = context.time_remaining()
        is_late = remaining_seconds is not None and remaining_seconds <= 0
        return grpc.StatusCode.DEADLINE_EXCEEDED if is_late else grpc.StatusCode.CANCELLED
    if isinstance(error, grpc.aio.BaseError):  # the handler aborted the call, or gRPC found it ended
        return grpc.StatusCode(context.code() or grpc.StatusCode.CANCELLED)
    return grpc.StatusCode.INTERNAL


class _TrustMarker:
    """Observer that notes whether a call comes from a trusted peer."""

    def __init__(self, trusted: PeerSet) -> None:
        self._trusted = trusted

    def begin(self, call: Call) -> None:
        """Note it in the context of the call's task."""
        PEER_IS_TRUSTED.set(host_of_peer(call.peer) in self._trusted)

    def admit(self, call: Call) -> None:
        """Do nothing: it is noted."""

    def end(self, call: Call) -> None:
        """Do nothing: the context ends with the task."""


class CallLog:
    """Log of the end of every call; of probes only at the level DEBUG."""

    def begin(self, call: Call) -> None:
        """Do nothing: only the end of a call is logged."""

    def admit(self, call: Call) -> None:
        """Do nothing, for that reason."""

    def end(self, call: Call) -> None:
        """Log how the call ended, with the traceback of an unexpected error."""
        is_fault = call.code is grpc.StatusCode.INTERNAL
        level = logging.ERROR if is_fault else logging.DEBUG if call.is_probe else logging.INFO
        if not _log.isEnabledFor(level):
            return
        known = call.error if isinstance(call.error, ChladniError) else None
        _log.log(
            level,
            "call finished",
            extra={
                "method": call.method,
                "code": call.code.name,
                "reason": known.reason.value if known else "",
                "detail": known.message if known else "",
                "duration_ms": round(call.elapsed_seconds * 1000, 3),
            },
            exc_info=call.error if is_fault else None,
        )
