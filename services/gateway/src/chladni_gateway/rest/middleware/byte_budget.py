"""The bytes of bodies in the budget of all requests, so that many uploads do not fill the memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chladni_contract.errors import ChladniError
from chladni_gateway.rest.errors import error_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from chladni_runtime.execution.byte_budget import ByteBudget


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
        taken_bytes = 0
        has_started = False

        async def counted_receive() -> Message:
            nonlocal taken_bytes
            message = await receive()
            count = len(message.get("body", b""))
            self._budget.take(count)
            taken_bytes += count
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
            self._budget.give_back(taken_bytes)
