"""Calls that are open under a token, and end with it when the operator withdraws it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from chladni_contract.errors import ChladniError
from chladni_gateway.access.principals import Principal, TokenProblem
from chladni_runtime.background import repeating

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractAsyncContextManager

_log: Final = logging.getLogger(__name__)


class OpenCalls:
    """The calls in progress under tokens of the file. One event loop owns it.

    A token that is not in the file any more ends them. One that expires does not: a call that was begun in
    time may end.

    Args:
        current: Returns what the token of a principal stands for now, or raises.
    """

    def __init__(self, current: Callable[[Principal], Principal]) -> None:
        self._current = current
        self._open: dict[object, tuple[Principal, Callable[[ChladniError], None]]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, principal: Principal, stop: Callable[[ChladniError], None]) -> Callable[[], None]:
        """Add a call; return what removes it.

        Args:
            principal: Who it comes from.
            stop: Ends it, with the reason.
        """
        key = object()
        if principal.token_digest:
            self._open[key] = principal, stop

        def remove() -> None:
            self._open.pop(key, None)

        return remove

    @contextmanager
    def holding(self, principal: Principal) -> Iterator[None]:
        """Count the current task as a call while the context lasts.

        Raises:
            ChladniError: The token was withdrawn meanwhile, and the task was stopped.
        """
        task = asyncio.current_task()
        reasons: list[ChladniError] = []

        def stop(reason: ChladniError) -> None:
            reasons.append(reason)
            if task is not None:
                task.cancel()

        remove = self.add(principal, stop)
        try:
            yield
        except asyncio.CancelledError:
            if not reasons or task is None:
                raise
            task.uncancel()
            raise reasons[0] from None
        finally:
            remove()

    def end_withdrawn(self) -> None:
        """End the calls whose tokens are known no more."""
        for key, (principal, stop) in list(self._open.items()):
            try:
                self._current(principal)
            except ChladniError as error:
                if error.metadata.get("problem") == TokenProblem.UNKNOWN.value:
                    del self._open[key]
                    _log.info("a call ends, as its token was withdrawn", extra={"token": principal.name})
                    stop(error)

    def checked(self, *, interval_seconds: float) -> AbstractAsyncContextManager[None]:
        """Look for withdrawn tokens at intervals while the context lasts."""

        async def look() -> None:
            self.end_withdrawn()

        return repeating(look, interval_seconds=interval_seconds)
