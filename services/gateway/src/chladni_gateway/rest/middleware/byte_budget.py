"""The bytes of bodies in the budget of all requests, so that many uploads do not fill the memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chladni_contract.errors import ChladniError
from chladni_gateway.rest.errors import error_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from chladni_runtime.execution.byte_budget import ByteBudget


_HELD_KEY: Final = "chladni.held_bytes"


class HeldBytes:
    """The bytes of a request that are in memory.

    Args:
        budget: What they are taken from.
    """

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self._count = 0

    def take(self, count: int) -> None:
        """Take bytes that have arrived.

        Raises:
            QueueFullError: The requests in progress hold too many.
        """
        self._budget.take(count)
        self._count += count

    def give_back(self, count: int | None = None) -> None:
        """Give back bytes that are not in memory any more; all of them if none are named."""
        count = self._count if count is None else min(count, self._count)
        self._count -= count
        self._budget.give_back(count)


def held_bytes_of(scope: Scope) -> HeldBytes | None:
    """Return what a request holds; `None` if nobody counts that."""
    held: HeldBytes | None = scope.get(_HELD_KEY)
    return held


class ByteBudgetMiddleware:
    """ASGI middleware that takes what arrives of a body from the budget until the request has ended.

    Args:
        app: The application.
        budget: The budget.
    """

    def __init__(self, app: ASGIApp, *, budget: ByteBudget) -> None:
        self._app = app
        self._budget = budget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        held = HeldBytes(self._budget)
        scope[_HELD_KEY] = held
        has_started = False

        async def counted_receive() -> Message:
            message = await receive()
            held.take(len(message.get("body", b"")))
            return message

        async def observed_send(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, counted_receive, observed_send)
        except ChladniError as error:
            if has_started:
                raise
            await error_response(error)(scope, receive, send)
        finally:
            held.give_back()
