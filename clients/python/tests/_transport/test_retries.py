"""When a call is tried again, and when it is not."""

from __future__ import annotations

import time

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chladni_client as chladni
from chladni_client._transport.retries import Attempts

AUDIO = b"RIFF, or so"
policies = st.builds(
    chladni.RetryPolicy,
    max_attempts=st.integers(1, 5),
    initial_backoff_seconds=st.floats(0, 10),
    max_backoff_seconds=st.floats(0, 20),
)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def refusal(retry_after_seconds=None):
    return chladni.QueueFullError("Full.", reason="QUEUE_FULL", retry_after_seconds=retry_after_seconds)


@given(
    policies, st.floats(0, 1, exclude_max=True), st.none() | st.floats(0, 100), st.none() | st.floats(0, 60)
)
def test_waits_keep_every_limit(policy, jitter, retry_after_seconds, timeout_seconds):
    clock = Clock()
    attempts = Attempts(policy, timeout_seconds, clock=clock, jitter=lambda: jitter)
    delays = []
    while (delay := attempts.next_delay_seconds(refusal(retry_after_seconds))) is not None:
        assert delay >= (retry_after_seconds or 0)
        assert delay <= max(policy.max_backoff_seconds, retry_after_seconds or 0)
        clock.now += delay
        if timeout_seconds is not None:
            assert attempts.remaining_seconds == max(0.0, 100 + timeout_seconds - clock.now)
            assert clock.now < 100 + timeout_seconds + 1e-9
        delays.append(delay)
        assert attempts.number == len(delays) + 1
    assert len(delays) <= policy.max_attempts - 1
    if timeout_seconds is None:
        assert len(delays) == policy.max_attempts - 1
        if retry_after_seconds is None:
            assert delays == sorted(delays)


@given(policies)
def test_only_temporary_errors_are_tried_again(policy):
    attempts = Attempts(policy, None)
    for error_class in (
        chladni.InvalidInputError,
        chladni.NotFoundError,
        chladni.RecipeUnavailableError,
        chladni.DeadlineExceededError,
        chladni.CallCancelledError,
        chladni.NotOfferedError,
        chladni.FaultError,
    ):
        assert attempts.next_delay_seconds(error_class("No.", reason="X")) is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_attempts": 0}, "max_attempts must be from 1 to 5"),
        ({"max_attempts": 6}, "max_attempts must be from 1 to 5"),
        ({"initial_backoff_seconds": -1}, "waits must be at least 0"),
        ({"max_backoff_seconds": -1}, "waits must be at least 0"),
        ({"max_backoff_seconds": float("nan")}, "waits must be at least 0"),
    ],
)
def test_impossible_policies_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        chladni.RetryPolicy(**wrong)


@pytest.mark.parametrize(
    ("code", "reason"),
    [(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL"), (grpc.StatusCode.UNAVAILABLE, "MODEL_NOT_READY")],
)
async def test_refused_calls_succeed_later(async_client, script, rich_error, code, reason):
    script.errors.extend([rich_error(code, reason, retry_seconds=0.003)] * 2)
    assert await async_client.compare_images(b"1", b"2")
    assert len(script.requests) == 3


async def test_attempts_end(async_client, script, rich_error):
    script.errors.extend([rich_error(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL")] * 3)
    with pytest.raises(chladni.QueueFullError):
        await async_client.list_recipes()
    assert len(script.requests) == 3


async def test_a_wait_longer_than_the_timeout_is_not_begun(async_client, script, rich_error):
    script.errors.append(rich_error(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", retry_seconds=3600.0))
    with pytest.raises(chladni.QueueFullError) as caught:
        await async_client.list_recipes()
    assert caught.value.retry_after_seconds == 3600.0
    assert len(script.requests) == 1


async def test_a_full_queue_is_not_asked_before_the_time_it_names(async_client, script, rich_error):
    script.errors.append(rich_error(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", retry_seconds=0.2))
    started_at = time.monotonic()
    assert await async_client.list_recipes()
    assert time.monotonic() - started_at >= 0.2
    assert len(script.requests) == 2


async def test_large_requests_are_tried_again_too(async_client, script, rich_error):
    script.errors.append(rich_error(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", retry_seconds=0.001))
    image = bytes(900 * 1024)  # gRPC's own limit of what it repeats is 256 KiB
    assert await async_client.compare_images(image, b"2")
    assert [request.first.file.content for request in script.requests] == [image, image]


async def test_one_attempt_is_one(target, script, rich_error):
    script.errors.append(rich_error(grpc.StatusCode.UNAVAILABLE, "DRAINING"))
    async with chladni.AsyncClient(target, retry_policy=chladni.RetryPolicy(max_attempts=1)) as client:
        with pytest.raises(chladni.UnavailableError):
            await client.list_recipes()
    assert len(script.requests) == 1


async def test_all_attempts_share_the_time_of_the_call(async_client, script, rich_error):
    script.errors.append(rich_error(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", retry_seconds=0.6))
    assert await async_client.list_recipes(timeout_seconds=5)
    first, second = script.remaining_seconds
    assert first <= 5.1
    assert second <= first - 0.5  # gRPC sends remaining times rounded to some per cent


async def test_a_refused_creation_says_that_it_tries_again(async_client, script, rich_error):
    script.errors.append(
        rich_error(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", "Full.", retry_seconds=0.02)
    )
    events = [event async for event in async_client.stream_image(AUDIO)]
    assert isinstance(events[0], chladni.Retrying)
    assert (events[0].attempt, events[0].delay_seconds, events[0].error.message) == (2, 0.02, "Full.")
    assert isinstance(events[1], chladni.Accepted)
    assert isinstance(events[2], chladni.AudioAnalyzed)
    assert isinstance(events[-1], chladni.ImageCreated)


async def test_a_creation_is_tried_again_until_denoising_starts(async_client, script, rich_error):
    script.error_after = (5, rich_error(grpc.StatusCode.UNAVAILABLE, "BACKEND_UNAVAILABLE"))
    with pytest.raises(chladni.UnavailableError):
        await async_client.create_image(AUDIO)
    assert len(script.requests) == 3


@pytest.mark.parametrize("event_count", [6, 7, 8])
async def test_a_creation_is_never_paid_twice(async_client, script, rich_error, event_count):
    script.error_after = (event_count, rich_error(grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE"))
    with pytest.raises(chladni.UnavailableError):
        await async_client.create_image(AUDIO)
    assert len(script.requests) == 1


async def test_other_errors_are_not_tried_again(async_client, script, rich_error):
    script.errors.append(rich_error(grpc.StatusCode.INTERNAL, "INTERNAL"))
    with pytest.raises(chladni.FaultError):
        await async_client.get_image("x")
    assert len(script.requests) == 1
