"""How long work will take, by what it took before."""

from typing import Final

_SMOOTHING: Final = 0.1  # Weight of the newest measurement in the running mean.


class StepForecast:
    """Predicts when a request can be done, by the measured time of a denoising step.

    Requests take turns, so a request that needs `n` steps waits for at most `n` steps of each other one, and
    for no more than the other has left.
    """

    def __init__(self) -> None:
        self.step_seconds: float | None = None

    def observe(self, seconds: float) -> None:
        """Takes the time of a step into account."""
        if self.step_seconds is None:
            self.step_seconds = seconds
        else:
            self.step_seconds += _SMOOTHING * (seconds - self.step_seconds)

    def seconds_alone(self, steps: int) -> float:
        """Returns the time of a request that has the model for itself; 0 while nothing was measured."""
        return steps * (self.step_seconds or 0.0)

    def seconds_among(self, steps: int, remaining_steps_of_others: list[int]) -> float:
        """Returns the time of a request that takes turns with others; 0 while nothing was measured."""
        shared_steps = sum(min(steps, remaining) for remaining in remaining_steps_of_others)
        return self.seconds_alone(steps + shared_steps)
