"""Repetition of unary calls that no server has worked on.

gRPC's own retries go by the status alone, and UNAVAILABLE is also that of a call whose connection broke while
the server had its message. If that message is what ended the server, each repetition ends another replica. So
a call is repeated only if a server refused it, or if it never left this process. (gRPC by itself also sends a
call again that a server is certain not to have seen.)
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Callable
from typing import Any, Final

import grpc

from chladni_contract.status import STATUS_DETAILS_KEY

_MAX_ATTEMPTS: Final = 4
_FIRST_BACKOFF_SECONDS: Final = 0.1
_MAX_BACKOFF_SECONDS: Final = 0.5
_NOT_SENT: Final = re.compile(
    r"failed to connect|connections to all backends failing|empty address list|"
    r"(dns|name) resolution|resolving|could not (contact|resolve)|no addresses",
    re.IGNORECASE,
)
"""What gRPC says of calls for which it had no connection."""


class RefusalRetrier(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]
    """Repeats unary calls that were refused or not sent, within their deadlines."""

    async def intercept_unary_unary(
        self,
        continuation: Callable[..., Any],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        """Make a call, and make it again while that may help."""
        timeout = client_call_details.timeout
        ends_at = None if timeout is None else time.monotonic() + timeout
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            call = await continuation(client_call_details, request)
            try:
                code = await call.code()
            except asyncio.CancelledError:  # gRPC cancels this wait alone, not the call.
                call.cancel()
                raise
            if code is not grpc.StatusCode.UNAVAILABLE or attempt == _MAX_ATTEMPTS:
                break
            wait_seconds = await _wait_seconds(call, attempt)
            if wait_seconds is None:
                break
            if ends_at is not None:
                remaining_seconds = ends_at - time.monotonic() - wait_seconds
                if remaining_seconds <= 0:
                    break
                client_call_details = _with_timeout(client_call_details, remaining_seconds)
            await asyncio.sleep(wait_seconds)
        return call


def _with_timeout(details: Any, timeout: float) -> Any:
    """Return the details of a call with another timeout; they are a named tuple."""
    return details._replace(timeout=timeout)


async def _wait_seconds(call: Any, attempt: int) -> float | None:
    """Return the time until a call may be made again; `None` if it may not."""
    trailing = dict(await call.trailing_metadata() or ())
    if STATUS_DETAILS_KEY not in trailing and not _NOT_SENT.search(await call.details() or ""):
        return None
    backoff: float = min(_MAX_BACKOFF_SECONDS, _FIRST_BACKOFF_SECONDS * 2 ** (attempt - 1))
    return backoff * random.uniform(0.5, 1.0)  # noqa: S311 - spreads callers, protects nothing
