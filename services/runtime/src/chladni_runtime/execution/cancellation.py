"""Cancellation that reaches work on other threads.

A thread cannot be stopped from outside, so long work checks between its steps whether to continue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Self, TypeVar

from chladni_contract.errors import ChladniError, MetadataValue, Reason
from chladni_runtime.execution.deadlines import Deadline

ResultT = TypeVar("ResultT")


class CancellationToken:
    """Whether work is still wanted. Safe to use from any thread.

    As a context manager it is cancelled when the context is left, with or without an error.

    Args:
        deadline: Work must also stop when this passes.
    """

    def __init__(self, deadline: Deadline | None = None) -> None:
        self.deadline = deadline or Deadline()
        self.is_cancelled = False
        """Whether the work was asked to stop. Set once and never waited for, so it needs no lock."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def cancel(self) -> None:
        """Ask the work to stop."""
        self.is_cancelled = True

    @property
    def should_stop(self) -> bool:
        """Whether the work was cancelled or its deadline passed."""
        return self.is_cancelled or self.deadline.has_passed

    def check(self, stage: str, *, metadata: Mapping[str, MetadataValue] | None = None) -> None:
        """Raise an error if the work should stop.

        Args:
            stage: When the work stopped, such as "before the request was queued".
            metadata: The numbers of that, for the error.

        Raises:
            ChladniError: It was cancelled.
            DeadlineExceededError: Its deadline passed.
        """
        if self.is_cancelled:
            raise ChladniError(Reason.CANCELLED, f"The request was cancelled {stage}.", metadata=metadata)
        self.deadline.check(stage, metadata=metadata)


async def run_in_thread(
    function: Callable[..., ResultT], *args: object, token: CancellationToken | None = None
) -> ResultT:
    """Return what a function returns in a thread; a cancelled caller goes on when the thread has stopped.

    So no thread still writes a file that the caller then removes, or writes again.

    Args:
        function: The function.
        *args: Its arguments.
        token: Is cancelled with the caller, for a function that looks at it.

    Raises:
        Exception: What the function raises.
    """
    working = asyncio.create_task(asyncio.to_thread(function, *args))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        if token is not None:
            token.cancel()
        await asyncio.wait({working})
        if not working.cancelled():
            working.exception()  # Noted, so that asyncio does not report it as one that nobody looked at.
        raise
