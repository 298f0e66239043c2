"""What a servicer reads from gRPC's context of a call."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Final

import grpc

from chladni_contract.metadata import CALLER_ID_KEY, MAX_CALLER_ID_LENGTH, check_identifier
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.deadlines import Deadline
from chladni_runtime.server.peers import customer_of_host, host_of_peer

PEER_IS_TRUSTED: Final[ContextVar[bool]] = ContextVar("peer_is_trusted", default=True)
"""Whether the current call comes from a peer whose word on its callers counts."""


def cancellation_of(context: grpc.aio.ServicerContext[Any, Any]) -> CancellationToken:
    """Return the token of a call, with the call's deadline; to be used as a context manager.

    gRPC cancels the handler's task when the client leaves; leaving the token's context then stops the threads
    that still work for it.
    """
    return CancellationToken(Deadline.after(context.time_remaining()))


def metadata_value(context: grpc.aio.ServicerContext[Any, Any], key: str) -> str | bytes:
    """Return a value of the caller's metadata: the first under the key that is not empty, or else "".

    gRPC gives bytes if the value is not UTF-8.
    """
    value: str | bytes
    for name, value in context.invocation_metadata() or ():
        if name == key and value:
            return value
    return ""


def caller_of(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """Return who calls: the identifier in the metadata, or else the host that the call comes from.

    It distinguishes callers so that they share fairly; it does not prove who they are. The identifier counts
    only from peers that the settings trust, since a caller with many names would get many shares.

    Raises:
        InvalidInputError: The identifier is too long or not printable ASCII.
    """
    if (given := metadata_value(context, CALLER_ID_KEY)) and PEER_IS_TRUSTED.get():
        return check_identifier(CALLER_ID_KEY, given, max_length=MAX_CALLER_ID_LENGTH)
    return customer_of_host(host_of_peer(str(context.peer())))[:MAX_CALLER_ID_LENGTH]
