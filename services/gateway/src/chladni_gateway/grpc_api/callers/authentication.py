"""Who gRPC calls come from: the token in their metadata, and what it allows."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

from chladni_gateway.access.principals import PRINCIPAL, Scope, TokenProblem, unauthenticated
from chladni_runtime.server.request_context import metadata_value

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from chladni_contract.errors import ChladniError
    from chladni_gateway.access.authenticator import Authenticator
    from chladni_gateway.access.open_calls import OpenCalls
    from chladni_gateway.access.principals import Principal
    from chladni_runtime.server.interceptor import Authenticate, Call

AUTHORIZATION_KEY: Final = "authorization"

_LOOKING_VERBS: Final = ("Get", "List", "Watch", "Download")
_WORKING_VERBS: Final = ("Analyze", "Compare", "Render", "Score", "Search", "Stream", "Suggest", "Write")
"""Verbs of methods that compute something, and keep and change nothing."""
_VERB: Final = re.compile(r".*/([A-Z][a-z]+)")


def scope_of_method(method: str) -> Scope:
    """Return the scope that a call needs: whatever is not known to change nothing needs to write."""
    return Scope.READ if _verb_of(method) in (*_LOOKING_VERBS, *_WORKING_VERBS) else Scope.WRITE


def call_authentication(
    authenticator: Authenticator, *, check_rate: Callable[[Principal], Awaitable[None]] | None = None
) -> Authenticate:
    """Return what finds out who calls, if the server wants tokens.

    It leaves the principal in `PRINCIPAL`, where the handler of the call finds whom its images belong to. A
    call that is refused takes no place of the service, and its message is not received.

    Args:
        authenticator: Knows tokens.
        check_rate: Counts a call that makes work, or raises if the principal has made too many; `None` for no
            limit.
    """

    async def authenticate(call: Call) -> None:
        if not authenticator.is_required:
            return
        authorization = metadata_value(call.context, AUTHORIZATION_KEY)
        if isinstance(authorization, bytes):
            raise unauthenticated(TokenProblem.MALFORMED)
        principal = await authenticator.authenticate_header(authorization)
        principal.require(scope_of_method(call.method))
        if check_rate is not None and _verb_of(call.method) not in _LOOKING_VERBS:
            await check_rate(principal)
        PRINCIPAL.set(principal)
        _end_with_token(call, principal, authenticator.open_calls)

    return authenticate


def _end_with_token(call: Call, principal: Principal, calls: OpenCalls) -> None:
    """End a call when its token is withdrawn."""
    task = asyncio.current_task()
    if task is None:
        return

    def stop(reason: ChladniError) -> None:
        call.refusal = reason
        task.cancel()

    remove = calls.add(principal, stop)
    task.add_done_callback(lambda _: remove())


def _verb_of(method: str) -> str:
    match = _VERB.match(method)
    return match[1] if match else ""
