"""The receiving of request messages, which may come slowly, be too large or be no requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from chladni_contract.errors import ChladniError, DeadlineExceededError, Reason

if TYPE_CHECKING:
    from chladni_runtime.server.arrivals import Arrivals
    from chladni_runtime.server.interceptor import Call

Deserialize: TypeAlias = Callable[[bytes], Any]

_EOF: Final[Any] = grpc.aio.EOF  # type: ignore[attr-defined]  # unknown to the stubs


class MessageReceiver:
    """Receives request messages and refuses those that are late, too large or no requests.

    Args:
        arrivals: Bounds the messages on their way.
        max_bytes: Largest message.
        stream_idle_seconds: Time between two messages of a stream.
    """

    def __init__(self, arrivals: Arrivals, *, max_bytes: int, stream_idle_seconds: float) -> None:
        self._arrivals = arrivals
        self._max_bytes = max_bytes
        self._stream_idle_seconds = stream_idle_seconds

    async def receive_one(self, call: Call, deserialize: Deserialize) -> Any:
        """Return the single request of a call.

        Raises:
            ChladniError: There is none or more than one, it is late or too large, or it is not a request of
                the method.
        """
        content = await self._arrivals.receive(call.peer, self._read_only(call))
        call.request_bytes = len(content)
        return self._parse(content, deserialize)

    async def receive_stream(self, call: Call, deserialize: Deserialize) -> AsyncIterator[Any]:
        """Return the requests of a call, once the first one has come.

        Raises:
            ChladniError: The first one is late; or, from the iterator, a further one, or one is wrong.
        """
        first = await self._arrivals.receive(call.peer, call.context.read())
        return self._requests(first, call, deserialize)

    async def _requests(
        self, content: Any, call: Call, deserialize: Deserialize
    ) -> AsyncGenerator[Any, None]:
        while content is not _EOF:
            yield self._parse(content, deserialize)
            try:
                async with asyncio.timeout(self._stream_idle_seconds):
                    content = await call.context.read()
            except TimeoutError:
                raise DeadlineExceededError(
                    f"No message came for {self._stream_idle_seconds:g} s, the limit.",
                    metadata={"timeout_seconds": self._stream_idle_seconds},
                ) from None

    @staticmethod
    async def _read_only(call: Call) -> Any:
        """Return the single message of a call, of any size."""
        content = await call.context.read()
        if content is _EOF:
            raise _wrong_count("ended without a request message")
        if await call.context.read() is not _EOF:
            raise _wrong_count("sent more than one request message")
        return content

    def _parse(self, content: bytes, deserialize: Deserialize) -> Any:
        if len(content) > self._max_bytes:
            raise ChladniError(
                Reason.MESSAGE_TOO_LARGE,
                f"The request message has {len(content)} bytes, at most {self._max_bytes} are allowed.",
                metadata={"size_bytes": str(len(content)), "max_bytes": str(self._max_bytes)},
            )
        try:
            return deserialize(content)
        except DecodeError:
            message = "The message cannot be parsed as a request of this method."
            raise ChladniError(Reason.UNREADABLE_MESSAGE, message) from None


def _wrong_count(fault: str) -> ChladniError:
    return ChladniError(Reason.WRONG_MESSAGE_COUNT, f"The call {fault}; send exactly one.")
