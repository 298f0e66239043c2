"""How long work takes, as arithmetic."""

from __future__ import annotations

import pytest

from chladni_contract.errors import DeadlineTooShortError, QueueFullError, Reason
from chladni_image_generation.engine.batching import BatchGroup, BatchSizes
from chladni_image_generation.engine.eta import DurationEstimator, EtaEstimator, QueueDelays
from chladni_image_generation.engine.executor import ExecutionState
from chladni_image_generation.engine.scheduler import SchedulingParameters
from chladni_image_generation.engine.tracking import TrackedRequest
from chladni_runtime.execution.deadlines import Deadline

NATIVE = (4, 8, 8)


@pytest.fixture
def tracked_for(request_for):
    def make(sizes, *, group=None, **fields):
        request = request_for(**fields)
        execution = ExecutionState(
            request, group or BatchGroup(NATIVE, 2 if request.is_guided else 1, reproducible=True)
        )
        return TrackedRequest(execution, SchedulingParameters(), arrived_at=0.0, key=None, sizes=sizes)

    return make


class ManualClock:
    """A clock that stands still until a test moves it."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def durations(clock):
    """A model that does ten rows a second and decodes an image in half a second."""
    durations = DurationEstimator(clock)
    durations.observe_denoising(1.0, work=10)
    durations.observe_decoding(0.5, images=1)
    return durations


def test_nothing_is_expected_before_anything_was_measured(tracked_for):
    sizes = BatchSizes(1, NATIVE)
    tracked = tracked_for(sizes, steps=100)
    eta = EtaEstimator([tracked], DurationEstimator(), sizes)
    assert eta.seconds_alone(tracked) == eta.seconds_in_line(tracked) == 0.0
    eta.check_deadline(tracked, Deadline.after(0.001))


def test_the_estimate_is_the_median_of_the_newest_measurements(durations):
    assert durations.seconds_for(work=1, images=0) == pytest.approx(1 / 10)
    for _ in range(16):
        durations.observe_denoising(2.0, work=10)
    assert durations.seconds_for(work=1, images=0) == pytest.approx(2 / 10)


def test_a_stall_changes_no_estimate(clock, durations):
    for _ in range(7):
        durations.observe_denoising(1.0, work=10)
    for _ in range(3):
        durations.observe_denoising(60.0, work=10)
    assert durations.seconds_for(work=1, images=0) == pytest.approx(1 / 10)


def test_an_old_measurement_decides_nothing(clock, durations):
    clock.now += 10
    assert durations.seconds_for(work=1, images=1) == pytest.approx(1 / 10 + 0.5)
    clock.now += 0.1
    assert durations.seconds_for(work=1, images=1) == 0.0


def test_slow_work_is_remembered_as_long_as_it_needs(clock):
    durations = DurationEstimator(clock)
    durations.observe_denoising(20.0, work=1)
    clock.now += 80
    assert durations.seconds_for(work=1, images=0) == pytest.approx(20.0)
    clock.now += 1
    assert durations.seconds_for(work=1, images=0) == 0.0


def test_an_idle_engine_refuses_nothing(tracked_for, durations):
    sizes = BatchSizes(1, NATIVE)
    alone = tracked_for(sizes, steps=1000)
    EtaEstimator([alone], durations, sizes).check_deadline(alone, Deadline.after(0.01))


def test_one_after_the_other_where_a_call_has_one_row(tracked_for, durations):
    sizes = BatchSizes(1, NATIVE)
    order = [tracked_for(sizes, steps=10), tracked_for(sizes, steps=20, guidance_scale=2.0)]
    eta = EtaEstimator(order, durations, sizes)
    assert eta.seconds_alone(order[0]) == pytest.approx(1.5)
    assert eta.seconds_in_line(order[0]) == pytest.approx(1.5)
    assert eta.seconds_alone(order[1]) == pytest.approx(4.5)
    assert eta.seconds_in_line(order[1]) == pytest.approx(1.5 + 4.5)


def test_side_by_side_where_a_call_has_room(tracked_for, durations):
    sizes = BatchSizes(4, NATIVE)
    order = [tracked_for(sizes, steps=10) for _ in range(4)]
    eta = EtaEstimator(order, durations, sizes)
    # Ten calls of four rows, padded or not.
    assert eta.seconds_alone(order[3]) == pytest.approx(4.0 + 0.5)
    assert eta.seconds_in_line(order[3]) == pytest.approx(4.0 + 4 * 0.5)


def test_other_groups_take_calls_of_their_own(tracked_for, durations):
    sizes = BatchSizes(4, NATIVE)
    large = BatchGroup((4, 16, 16), 1, reproducible=True)
    order = [tracked_for(sizes, steps=10, group=large), tracked_for(sizes, steps=10)]
    eta = EtaEstimator(order, durations, sizes)
    assert sizes.rows_per_call(large) == 1
    assert eta.seconds_in_line(order[1]) == pytest.approx(4.0 + 4.0 + 4 * 0.5 + 0.5)


def test_larger_images_take_as_much_longer_to_decode(tracked_for, durations, clock):
    sizes = BatchSizes(1, NATIVE)
    large = tracked_for(sizes, steps=10, group=BatchGroup((4, 16, 16), 1, reproducible=True))
    assert EtaEstimator([large], durations, sizes).seconds_alone(large) == pytest.approx(4.0 + 4 * 0.5)
    measured_by_large_ones = DurationEstimator(clock)
    measured_by_large_ones.observe_decoding(4.0, images=2 * large.native_images)
    assert measured_by_large_ones.seconds_for(0, images=1) == pytest.approx(0.5)


def test_a_deadline_is_refused_by_cause(tracked_for, durations):
    sizes = BatchSizes(1, NATIVE)
    order = [tracked_for(sizes, steps=10), tracked_for(sizes, steps=10)]
    eta = EtaEstimator(order, durations, sizes)
    eta.check_deadline(order[1], Deadline())
    eta.check_deadline(order[1], Deadline.after(10))
    with pytest.raises(DeadlineTooShortError, match="fewer steps") as refused:
        eta.check_deadline(order[1], Deadline.after(1))
    assert refused.value.reason is Reason.DEADLINE_TOO_SHORT
    seconds = {key: float(value) for key, value in refused.value.metadata.items()}
    assert seconds == {"expected_seconds": 1.5, "remaining_seconds": pytest.approx(1, abs=0.1), "steps": 10}
    with pytest.raises(QueueFullError) as caught:
        eta.check_deadline(order[1], Deadline.after(2))
    assert caught.value.metadata.keys() == {"expected_seconds", "remaining_seconds"}
    assert caught.value.retry_after_seconds == pytest.approx(1.0, abs=0.1)


def test_refused_requests_come_back_as_the_line_is_worked_off(tracked_for, durations, clock):
    sizes = BatchSizes(1, NATIVE)
    order = [tracked_for(sizes, steps=15) for _ in range(10)]  # two seconds each
    delays = QueueDelays(clock)
    drawn = [delays.draw(lambda: order, durations, sizes) for _ in range(15)]
    for count, delay in enumerate(drawn, start=1):
        expected = 2.0 * min(count, 10)
        assert expected - 0.01 <= delay <= 1.25 * expected + 0.01
    assert len(set(drawn)) == len(drawn), "they do not come back together"
    clock.now += 20.0
    assert delays.draw(lambda: order[:1], durations, sizes) < 3.0
    assert QueueDelays(clock).draw(list, durations, sizes) > 0
