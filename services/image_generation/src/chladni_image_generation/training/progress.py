"""Progress of a long job as plain lines with step, figures, speed and time left."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

_MEMORY = 0.98


@dataclass
class ProgressLog:
    """A log of one line every so many steps, with a running mean of the figures and the time.

    Attributes:
        seconds_before: what earlier runs of the same stage took, for a job that goes on.
    """

    stage: str
    total_steps: int
    first_step: int = 0
    seconds_before: float = 0.0
    every_steps: int = 50
    _started: float = field(default_factory=time.monotonic)
    _means: dict[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Time spent on the stage so far, earlier runs included."""
        return self.seconds_before + time.monotonic() - self._started

    def report(self, step: int, **figures: float) -> None:
        """Report how far the stage is; ``step`` counts finished steps."""
        for name, value in figures.items():
            self._means[name] = _MEMORY * self._means.get(name, value) + (1 - _MEMORY) * value
        if step % self.every_steps and step != self.total_steps:
            return
        elapsed = time.monotonic() - self._started
        seconds_per_step = elapsed / max(step - self.first_step, 1)
        left_minutes = seconds_per_step * (self.total_steps - step) / 60
        means = "  ".join(f"{name} {value:.4f}" for name, value in self._means.items())
        print(
            f"{self.stage}: step {step}/{self.total_steps}  {means}  "
            f"{seconds_per_step:.2f} s/step  {left_minutes:.1f} min left",
            flush=True,
        )
