"""How long work takes, as arithmetic."""

import pytest

from chladni_contract.errors import DeadlineExceededError, QueueFullError
from chladni_image_generation.engine.batching import BatchGroup, BatchSizes
from chladni_image_generation.engine.eta import Forecast
from chladni_image_generation.engine.executor import Flight
from chladni_image_generation.engine.expectation import Expectation
from chladni_image_generation.engine.scheduler import Claim
from chladni_image_generation.engine.tracking import Ticket
from chladni_runtime.execution.deadlines import Deadline

NATIVE = (4, 8, 8)


@pytest.fixture
def ticket_for(request_for):
    def make(sizes, *, group=None, **fields):
        request = request_for(**fields)
        flight = Flight(request, group or BatchGroup(NATIVE, 2 if request.is_guided else 1, exact=True))
        return Ticket(flight, Claim(), arrived_at=0.0, key=None, sizes=sizes)

    return make


@pytest.fixture
def forecast():
    """A model that does ten rows a second and decodes an image in half a second."""
    forecast = Forecast()
    forecast.observe_denoising(1.0, work=10)
    forecast.observe_finishing(0.5)
    return forecast


def test_nothing_is_expected_before_anything_was_measured(ticket_for):
    sizes = BatchSizes(1, NATIVE)
    ticket = ticket_for(sizes, steps=100)
    expectation = Expectation([ticket], Forecast(), sizes)
    assert expectation.seconds_alone(ticket) == expectation.seconds_in_line(ticket) == 0.0
    expectation.check_deadline(ticket, Deadline.after(0.001))


def test_the_forecast_forgets_slowly(forecast):
    assert forecast.seconds_for(work=1, images=0) == pytest.approx(1 / 10)
    forecast.observe_denoising(2.0, work=10)
    assert forecast.seconds_for(work=1, images=0) == pytest.approx(0.11)


def test_one_after_the_other_where_a_call_has_one_row(ticket_for, forecast):
    sizes = BatchSizes(1, NATIVE)
    order = [ticket_for(sizes, steps=10), ticket_for(sizes, steps=20, guidance_scale=2.0)]
    expectation = Expectation(order, forecast, sizes)
    assert expectation.seconds_alone(order[0]) == pytest.approx(1.5)
    assert expectation.seconds_in_line(order[0]) == pytest.approx(1.5)
    assert expectation.seconds_alone(order[1]) == pytest.approx(4.5)
    assert expectation.seconds_in_line(order[1]) == pytest.approx(1.5 + 4.5)


def test_side_by_side_where_a_call_has_room(ticket_for, forecast):
    sizes = BatchSizes(4, NATIVE)
    order = [ticket_for(sizes, steps=10) for _ in range(4)]
    expectation = Expectation(order, forecast, sizes)
    # Ten calls of four rows, padded or not.
    assert expectation.seconds_alone(order[3]) == pytest.approx(4.0 + 0.5)
    assert expectation.seconds_in_line(order[3]) == pytest.approx(4.0 + 4 * 0.5)


def test_other_groups_take_calls_of_their_own(ticket_for, forecast):
    sizes = BatchSizes(4, NATIVE)
    large = BatchGroup((4, 16, 16), 1, exact=True)
    order = [ticket_for(sizes, steps=10, group=large), ticket_for(sizes, steps=10)]
    expectation = Expectation(order, forecast, sizes)
    assert sizes.rows_per_call(large) == 1
    assert expectation.seconds_in_line(order[1]) == pytest.approx(4.0 + 4.0 + 2 * 0.5)


def test_a_deadline_is_refused_by_cause(ticket_for, forecast):
    sizes = BatchSizes(1, NATIVE)
    order = [ticket_for(sizes, steps=10), ticket_for(sizes, steps=10)]
    expectation = Expectation(order, forecast, sizes)
    expectation.check_deadline(order[1], Deadline())
    expectation.check_deadline(order[1], Deadline.after(10))
    with pytest.raises(DeadlineExceededError, match="fewer steps"):
        expectation.check_deadline(order[1], Deadline.after(1))
    with pytest.raises(QueueFullError) as caught:
        expectation.check_deadline(order[1], Deadline.after(2))
    assert caught.value.retry_after_seconds == pytest.approx(1.0, abs=0.1)


def test_a_place_is_expected_when_the_first_active_request_ends(ticket_for, forecast):
    sizes = BatchSizes(1, NATIVE)
    active = [ticket_for(sizes, steps=steps) for steps in (50, 20)]
    assert forecast.seconds_until_place(active) == pytest.approx(2.5)
    assert forecast.seconds_until_place([]) > 0
