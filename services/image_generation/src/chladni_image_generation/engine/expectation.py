"""What a request may expect, by the requests before it and the measured speed of the model."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from chladni_contract.errors import DeadlineExceededError, QueueFullError
from chladni_image_generation.engine.eta import MIN_RETRY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chladni_image_generation.engine.batching import BatchGroup, BatchSizes
    from chladni_image_generation.engine.eta import Forecast
    from chladni_image_generation.engine.tracking import Ticket
    from chladni_runtime.execution.deadlines import Deadline


class Expectation:
    """Says when the requests of an engine will be done if no others come.

    Args:
        order: The requests, the one whose turn it is first.
        forecast: How long work takes.
        sizes: Rows of the denoiser's calls.
    """

    def __init__(self, order: Sequence[Ticket], forecast: Forecast, sizes: BatchSizes) -> None:
        self._order = order
        self._forecast = forecast
        self._sizes = sizes

    def seconds_alone(self, ticket: Ticket) -> float:
        """Returns the time of a request that has the model for itself; 0 while nothing was measured."""
        return self._seconds_for(self._work_alone(ticket), images=1)

    def seconds_in_line(self, ticket: Ticket) -> float:
        """Returns the time until a request of `order` is done; 0 while nothing was measured."""
        before = self._order[: self._order.index(ticket)]
        rows: Counter[BatchGroup] = Counter()
        for one in (*before, ticket):
            for group, steps in one.flight.remaining:
                rows[group] += steps * group.rows_per_request
        work = {group: self._sizes.work_of(group, count) for group, count in rows.items()}
        # However many share its calls, it needs one for each of its steps.
        for group, work_alone in self._work_alone(ticket).items():
            work[group] = max(work[group], work_alone)
        return self._seconds_for(work, images=1 + len(before))

    def check_deadline(self, ticket: Ticket, deadline: Deadline) -> None:
        """Refuses a request at once that would miss its deadline, instead of working in vain.

        Raises:
            DeadlineExceededError: It would miss it even alone.
            QueueFullError: It would miss it because of the requests before it.
        """
        remaining_seconds = deadline.remaining_seconds
        if remaining_seconds is None:
            return
        alone_seconds = self.seconds_alone(ticket)
        if alone_seconds > remaining_seconds:
            raise DeadlineExceededError(
                f"{ticket.request.steps} steps take about {alone_seconds:.1f} s here, the deadline is in "
                f"{remaining_seconds:.1f} s. Ask for fewer steps or allow more time."
            )
        expected_seconds = self.seconds_in_line(ticket)
        if expected_seconds > remaining_seconds:
            raise QueueFullError(
                f"With the requests in progress this one would take about {expected_seconds:.1f} s, the "
                f"deadline is in {remaining_seconds:.1f} s. Try again later or allow more time.",
                retry_after_seconds=max(MIN_RETRY_SECONDS, expected_seconds - remaining_seconds),
            )

    def _work_alone(self, ticket: Ticket) -> dict[BatchGroup, float]:
        work: dict[BatchGroup, float] = {}
        for group, steps in ticket.flight.remaining:
            step_work = self._sizes.work_of(group, group.rows_per_request)
            work[group] = work.get(group, 0.0) + steps * step_work
        return work

    def _seconds_for(self, work: Mapping[BatchGroup, float], *, images: int) -> float:
        denoising_seconds = sum(
            self._forecast.seconds_for(part, 0, network=group.network) for group, part in work.items()
        )
        return denoising_seconds + self._forecast.seconds_for(0, images)
