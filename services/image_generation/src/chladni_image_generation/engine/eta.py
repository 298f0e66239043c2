"""How long work takes, by what it took before, and when a request will be done.

Work is counted in rows of the model's native size, padding included, because that is what costs time.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from statistics import median
from typing import TYPE_CHECKING, Final

from chladni_contract.errors import DeadlineTooShortError, QueueFullError
from chladni_runtime.execution.retry_delays import RetryDelays

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from chladni_image_generation.engine.batching import BatchGroup, BatchSizes
    from chladni_image_generation.engine.tracking import TrackedRequest
    from chladni_runtime.execution.deadlines import Clock, Deadline

_MIN_RETRY_SECONDS: Final = 0.1
_ESTIMATE_SECONDS: Final = 1.0
_UNKNOWN_SECONDS: Final = 1.0

_MAX_MEASUREMENTS: Final = 31
_MAX_AGE_SECONDS: Final = 10.0
_MAX_AGE_FACTOR: Final = 4.0


class RecentMedian:
    """The median of the newest measurements; 0 if none is recent.

    A stall of the machine must not decide for long which requests are refused, since refused work corrects no
    estimate: a median ignores single stalls, and measurements older than `_MAX_AGE_SECONDS`, or than
    `_MAX_AGE_FACTOR` times what they measured, count no more.

    Args:
        clock: Monotonic clock in seconds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._measured: deque[tuple[float, float, float]] = deque(maxlen=_MAX_MEASUREMENTS)

    @property
    def value(self) -> float:
        """The median now."""
        now = self._clock()
        recent = [
            value
            for value, seconds, at in self._measured
            if now - at <= max(_MAX_AGE_SECONDS, _MAX_AGE_FACTOR * seconds)
        ]
        return median(recent) if recent else 0.0

    def observe(self, value: float, *, seconds: float) -> None:
        """Add a measurement.

        Args:
            value: What was measured.
            seconds: How long the measurement took.
        """
        self._measured.append((value, seconds, self._clock()))


class DurationEstimator:
    """The expected time of work, by the measured times of denoising and of decoding.

    Args:
        clock: Monotonic clock in seconds.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._seconds_per_work: dict[str, RecentMedian] = {}
        self._seconds_per_image = RecentMedian(clock)

    def observe_denoising(self, seconds: float, work: float, *, network: str = "") -> None:
        """Add the time of a call of a denoiser.

        Args:
            seconds: Its time.
            work: Its work.
            network: Name of the denoiser; empty for the first one of the model.
        """
        measured = self._seconds_per_work.setdefault(network, RecentMedian(self._clock))
        measured.observe(seconds / work, seconds=seconds)

    def observe_decoding(self, seconds: float, images: float) -> None:
        """Add the time of a call of the decoder.

        Args:
            seconds: Its time.
            images: What it decoded, in images of the native size: larger ones take as much longer.
        """
        self._seconds_per_image.observe(seconds / images, seconds=seconds)

    def seconds_for(self, work: float, images: float, *, network: str = "") -> float:
        """Return the time of denoising so much work and finishing so many images.

        A network that was not measured yet is taken to be as fast as the model's first one.

        Args:
            work: Work of one network.
            images: What is to be decoded, in images of the native size.
            network: Name of the network.
        """
        measured = self._seconds_per_work.get(network) or self._seconds_per_work.get("")
        denoising_seconds = work * measured.value if measured else 0.0
        return denoising_seconds + images * self._seconds_per_image.value


class QueueDelays:
    """When refused requests may come back: as the requests that wait are worked off.

    Args:
        clock: Monotonic clock in seconds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._delays = RetryDelays(clock)
        self._estimated_at = -_ESTIMATE_SECONDS
        self._line_seconds = 0.0
        self._seconds_per_place = 0.0

    def draw(
        self, order: Callable[[], Sequence[TrackedRequest]], durations: DurationEstimator, sizes: BatchSizes
    ) -> float:
        """Return the delay of the next one.

        Args:
            order: Returns the requests in the scheduler's order; asked once a second at most, because in a
                burst hundreds are refused at once.
            durations: How long work takes.
            sizes: Rows of the denoiser's calls.
        """
        now = self._clock()
        if now - self._estimated_at >= _ESTIMATE_SECONDS:
            self._estimated_at = now
            waiting = order()
            eta = EtaEstimator(waiting, durations, sizes)
            self._line_seconds = (eta.seconds_in_line(waiting[-1]) if waiting else 0.0) or _UNKNOWN_SECONDS
            self._seconds_per_place = self._line_seconds / max(1, len(waiting))
        return self._delays.draw(
            seconds_per_place=self._seconds_per_place, longest_seconds=self._line_seconds
        )


class EtaEstimator:
    """When the requests of an engine will be done if no others come.

    Args:
        order: The requests in the scheduler's order.
        durations: How long work takes.
        sizes: Rows of the denoiser's calls.
    """

    def __init__(
        self, order: Sequence[TrackedRequest], durations: DurationEstimator, sizes: BatchSizes
    ) -> None:
        self._order = order
        self._durations = durations
        self._sizes = sizes

    def seconds_alone(self, tracked: TrackedRequest) -> float:
        """Return the time of a request that has the model for itself; 0 while nothing was measured."""
        return self._seconds_for(self._work_alone(tracked), images=tracked.native_images)

    def seconds_in_line(self, tracked: TrackedRequest) -> float:
        """Return the time until a request of `order` is done; 0 while nothing was measured."""
        before = self._order[: self._order.index(tracked)]
        rows: Counter[BatchGroup] = Counter()
        for one in (*before, tracked):
            for group, steps in one.execution.remaining:
                rows[group] += steps * group.rows_per_request
        work = {group: self._sizes.work_of(group, count) for group, count in rows.items()}
        # However many share its calls, it needs one for each of its steps.
        for group, work_alone in self._work_alone(tracked).items():
            work[group] = max(work[group], work_alone)
        images = sum(one.native_images for one in (*before, tracked))
        return self._seconds_for(work, images=images)

    def check_deadline(self, tracked: TrackedRequest, deadline: Deadline) -> None:
        """Refuse a request at once that would miss its deadline, instead of working in vain.

        A request that has the model for itself is never refused: the work will measure how long it takes.

        Raises:
            DeadlineTooShortError: It would miss it even alone.
            QueueFullError: It would miss it because of the requests before it.
        """
        remaining_seconds = deadline.remaining_seconds
        if remaining_seconds is None or len(self._order) == 1:
            return
        alone_seconds = self.seconds_alone(tracked)
        if alone_seconds > remaining_seconds:
            raise DeadlineTooShortError(
                f"{tracked.request.steps} steps take about {alone_seconds:.1f} s here, the deadline is in "
                f"{remaining_seconds:.1f} s. Ask for fewer steps or allow more time.",
                expected_seconds=alone_seconds,
                remaining_seconds=remaining_seconds,
                steps=tracked.request.steps,
            )
        expected_seconds = self.seconds_in_line(tracked)
        if expected_seconds > remaining_seconds:
            raise QueueFullError(
                f"With the requests in progress this one would take about {expected_seconds:.1f} s, the "
                f"deadline is in {remaining_seconds:.1f} s. Try again later or allow more time.",
                retry_after_seconds=max(_MIN_RETRY_SECONDS, expected_seconds - remaining_seconds),
                metadata={
                    "expected_seconds": round(expected_seconds, 3),
                    "remaining_seconds": round(remaining_seconds, 3),
                },
            )

    def _work_alone(self, tracked: TrackedRequest) -> dict[BatchGroup, float]:
        work: dict[BatchGroup, float] = {}
        for group, steps in tracked.execution.remaining:
            step_work = self._sizes.work_of(group, group.rows_per_request)
            work[group] = work.get(group, 0.0) + steps * step_work
        return work

    def _seconds_for(self, work: Mapping[BatchGroup, float], *, images: float) -> float:
        denoising_seconds = sum(
            self._durations.seconds_for(part, 0, network=group.network) for group, part in work.items()
        )
        return denoising_seconds + self._durations.seconds_for(0, images)
