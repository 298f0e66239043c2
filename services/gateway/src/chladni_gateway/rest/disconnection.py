"""Clients that leave take their work along."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from chladni_contract.errors import ChladniError, Reason

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from starlette.types import Receive

ResultT = TypeVar("ResultT")


async def while_connected(receive: Receive, work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Returns the result of some work; cancels the work when the client leaves.

    Args:
        receive: The connection, the body of its request already read.
        work: The work.

    Raises:
        ChladniError: The client left (CANCELLED).
    """
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_wait_for_disconnect(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ChladniError(Reason.CANCELLED, "The client left before its request was answered.")
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
