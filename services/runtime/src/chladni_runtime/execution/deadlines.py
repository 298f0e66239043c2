"""Deadlines, on the clock of this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chladni_contract.errors import DeadlineExceededError, MetadataValue

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time by which work must be done.

    Attributes:
        expires_at: Seconds on `clock`; `None` for no deadline.
        clock: Monotonic clock in seconds.
    """

    expires_at: float | None = None
    clock: Clock = time.monotonic

    @classmethod
    def after(cls, seconds: float | None, clock: Clock = time.monotonic) -> Deadline:
        """Return the deadline that is `seconds` from now; for `None`, one that never passes."""
        return cls(None if seconds is None else clock() + seconds, clock)

    @property
    def remaining_seconds(self) -> float | None:
        """Seconds left, at least 0; `None` if there is no deadline."""
        return None if self.expires_at is None else max(0.0, self.expires_at - self.clock())

    @property
    def has_passed(self) -> bool:
        """Whether no time is left."""
        return self.remaining_seconds == 0.0

    def check(self, stage: str, *, metadata: Mapping[str, MetadataValue] | None = None) -> None:
        """Raise an error if the deadline has passed.

        Args:
            stage: When the work stopped, such as "before the request was queued".
            metadata: The numbers of that, for the error.

        Raises:
            DeadlineExceededError: It has passed.
        """
        if self.has_passed:
            raise DeadlineExceededError(f"The deadline passed {stage}.", metadata=metadata)
