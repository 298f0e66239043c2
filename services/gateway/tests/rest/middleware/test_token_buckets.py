"""How often one, and all of a host, may ask."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from chladni_gateway.rest.middleware.rate_limit import RateLimit
from chladni_gateway.rest.middleware.token_buckets import Rate, TokenBuckets


class Clock:
    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds


RATES = st.builds(Rate, per_minute=st.floats(0.5, 10_000), burst=st.integers(1, 50))


@settings(max_examples=200, deadline=None)
@given(rate=RATES, pauses=st.lists(st.floats(0, 20), max_size=80))
def test_in_any_time_no_more_pass_than_the_burst_and_what_the_rate_adds(rate, pauses):
    clock, passed_at = Clock(), []
    buckets = TokenBuckets(rate, clock=clock)
    for pause in pauses:
        clock.seconds += pause
        if buckets.wait_seconds("ann") == 0:
            buckets.take("ann")
            passed_at.append(clock.seconds)
    for first in range(len(passed_at)):
        for last in range(first, len(passed_at)):
            allowed = rate.burst + (passed_at[last] - passed_at[first]) * rate.per_minute / 60
            assert last - first + 1 <= allowed + 1e-6


@settings(max_examples=100, deadline=None)
@given(rate=RATES)
def test_who_waits_as_long_as_told_passes(rate):
    clock = Clock()
    buckets = TokenBuckets(rate, clock=clock)
    for _ in range(rate.burst):
        assert buckets.wait_seconds("ann") == 0
        buckets.take("ann")
    wait_seconds = buckets.wait_seconds("ann")
    assert 0 < wait_seconds <= 60 / rate.per_minute + 1e-9
    assert buckets.wait_seconds("bob") == 0
    clock.seconds += wait_seconds * (1 + 1e-9) + 1e-9
    assert buckets.wait_seconds("ann") == 0


def test_those_who_rest_are_forgotten_and_there_are_never_too_many():
    clock = Clock()
    buckets = TokenBuckets(Rate(60, 2), clock=clock, max_buckets=5)
    for number in range(20):
        buckets.take(str(number))
    assert len(buckets) == 5
    clock.seconds += 10
    buckets.take("ann")
    assert len(buckets) == 1


async def test_a_host_does_not_get_more_by_calling_itself_ever_something_else():
    limit = RateLimit(Rate(60, 2), clients_per_host=3, clock=Clock())
    waits = [await limit.take(client=str(number), host="10.0.0.1") for number in range(10)]
    assert waits[:6] == [0] * 6
    assert all(wait > 0 for wait in waits[6:])
    assert await limit.take(client="0", host="10.0.0.2") == 0


async def test_a_client_that_asks_too_often_does_not_use_up_its_host():
    limit = RateLimit(Rate(60, 1), clients_per_host=2, clock=Clock())
    assert await limit.take(client="ann", host="h") == 0
    for _ in range(10):
        assert await limit.take(client="ann", host="h") > 0
    assert await limit.take(client="bob", host="h") == 0
