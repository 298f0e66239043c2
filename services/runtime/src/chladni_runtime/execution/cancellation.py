"""Cancellation that reaches work on other threads.

A thread cannot be stopped from outside, so long work asks between its steps whether it should go on.
"""

from typing import Self

from chladni_contract.errors import ChladniError, Reason
from chladni_runtime.execution.deadlines import Deadline


class CancellationToken:
    """Tells work whether to go on. Safe to use from any thread.

    As a context manager it is cancelled when the context is left, however that happens.

    Args:
        deadline: Work must also stop when this passes.
    """

    def __init__(self, deadline: Deadline | None = None) -> None:
        self.deadline = deadline or Deadline()
        self.is_cancelled = False
        """Whether someone asked the work to stop. Set once and never waited for, so it needs no lock."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def cancel(self) -> None:
        """Asks the work to stop."""
        self.is_cancelled = True

    @property
    def should_stop(self) -> bool:
        """Whether the work was cancelled or its deadline passed."""
        return self.is_cancelled or self.deadline.has_passed

    def check(self, stage: str) -> None:
        """Raises if the work should stop.

        Raises:
            ChladniError: It was cancelled.
            DeadlineExceededError: Its deadline passed.
        """
        if self.is_cancelled:
            raise ChladniError(Reason.CANCELLED, f"The request was cancelled {stage}.")
        self.deadline.check(stage)
