"""What a servicer reads from gRPC's context of a call."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from chladni_runtime.cancellation import CancellationToken
from chladni_runtime.deadlines import Deadline


@contextmanager
def cancellation_of(context: grpc.aio.ServicerContext[Any, Any]) -> Iterator[CancellationToken]:
    """Gives the token of a call: it carries the call's deadline and is cancelled when the call ends.

    gRPC cancels the handler's task when the client leaves; leaving this context then tells the threads
    that still work for it.
    """
    token = CancellationToken(Deadline.after(context.time_remaining()))
    try:
        yield token
    finally:
        token.cancel()
