"""Cancellation that reaches work on other threads.

A thread cannot be stopped from outside, so long work asks between its steps whether it should go on.
"""

import threading

from chladni_runtime.deadlines import Deadline
from chladni_runtime.errors import ChladniError, Reason


class CancellationToken:
    """Tells work whether to go on. Safe to use from any thread.

    Args:
        deadline: Work must also stop when this passes.
    """

    def __init__(self, deadline: Deadline | None = None) -> None:
        self.deadline = deadline or Deadline()
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Asks the work to stop."""
        self._cancelled.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether someone asked the work to stop."""
        return self._cancelled.is_set()

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
