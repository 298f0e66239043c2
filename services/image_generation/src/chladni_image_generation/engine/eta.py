"""How long work will take, by what it took before.

Work is counted in rows of the model's native size, padding included, because that is what costs time.
"""

from collections.abc import Iterable
from typing import Final

from chladni_image_generation.engine.scheduler import Contender

MIN_RETRY_SECONDS: Final = 0.1

_SMOOTHING: Final = 0.1  # Weight of the newest measurement in the running mean.


class RunningMean:
    """A mean that forgets; 0 while nothing was measured."""

    def __init__(self) -> None:
        self._value: float | None = None

    @property
    def value(self) -> float:
        """The mean so far."""
        return self._value or 0.0

    def observe(self, value: float) -> None:
        """Takes a measurement into account."""
        self._value = value if self._value is None else self._value + _SMOOTHING * (value - self._value)


class Forecast:
    """Predicts when an image can be done, by the measured times of denoising and of finishing."""

    def __init__(self) -> None:
        self._seconds_per_work: dict[str, RunningMean] = {}
        self._finish_seconds = RunningMean()

    def observe_denoising(self, seconds: float, work: float, *, network: str = "") -> None:
        """Takes the time of a call of a denoiser into account.

        Args:
            seconds: Its time.
            work: Its work.
            network: Name of the denoiser; empty for the first one of the model.
        """
        self._seconds_per_work.setdefault(network, RunningMean()).observe(seconds / work)

    def observe_finishing(self, seconds: float) -> None:
        """Takes the time of decoding one image into account."""
        self._finish_seconds.observe(seconds)

    def seconds_for(self, work: float, images: int, *, network: str = "") -> float:
        """Returns the time of denoising so much work and finishing so many images.

        A network that was not measured yet is taken to be as fast as the model's first one.

        Args:
            work: Work of one network.
            images: Images to decode.
            network: Name of the network.
        """
        measured = self._seconds_per_work.get(network) or self._seconds_per_work.get("")
        denoising_seconds = work * measured.value if measured else 0.0
        return denoising_seconds + images * self._finish_seconds.value

    def seconds_until_place(self, active: Iterable[Contender]) -> float:
        """Returns when the first of these requests can be done, and a place free."""
        least_work = min((contender.remaining_work for contender in active), default=0.0)
        return max(MIN_RETRY_SECONDS, self.seconds_for(least_work, 1))
