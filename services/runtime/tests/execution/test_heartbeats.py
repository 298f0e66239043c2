"""Heartbeats fill the silence of a stream and change nothing else about it."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextlib import aclosing
from contextvars import ContextVar

import pytest

from chladni_runtime.execution.heartbeats import with_heartbeats

NEVER = 3600.0
TICK = 0.01
REQUEST = ContextVar("REQUEST", default="")


async def all_of(events, interval_seconds=NEVER):
    return [event async for event in with_heartbeats(events, interval_seconds)]


async def counted(count):
    for number in range(count):
        yield number


@pytest.mark.parametrize("count", [0, 1, 100])
async def test_events_pass_in_their_order(count):
    assert await all_of(counted(count)) == list(range(count))


async def test_events_that_are_none_by_value_are_not_lost():
    async def events():
        yield ""
        yield 0

    assert await all_of(events()) == ["", 0]


async def test_silence_is_filled_until_the_event_comes():
    go_on = asyncio.Event()

    async def events():
        yield "first"
        await go_on.wait()
        yield "second"

    async with aclosing(with_heartbeats(events(), TICK)) as received:
        assert await anext(received) == "first"
        assert [await anext(received) for _ in range(3)] == [None, None, None]
        go_on.set()
        rest = [event async for event in received]
    assert rest[-1] == "second"
    assert set(rest[:-1]) <= {None}


async def test_a_stream_that_speaks_often_enough_gets_no_heartbeat():
    async def events():
        for number in range(5):
            await asyncio.sleep(TICK)
            yield number

    assert await all_of(events(), interval_seconds=1.0) == [0, 1, 2, 3, 4]


async def test_the_time_that_the_receiver_takes_is_no_silence():
    received = []
    async for event in with_heartbeats(counted(3), TICK):
        received.append(event)
        await asyncio.sleep(3 * TICK)
    assert received == [0, 1, 2]


async def test_no_event_is_asked_for_before_the_receiver_wants_it():
    asked = []

    async def events():
        for number in range(3):
            asked.append(number)
            yield number

    async with aclosing(with_heartbeats(events(), TICK)) as received:
        assert await anext(received) == 0
        await asyncio.sleep(2 * TICK)
        assert asked == [0]
        assert await anext(received) == 1
        assert asked == [0, 1]


async def test_an_error_arrives_after_the_events_before_it():
    async def events():
        yield 1
        raise LookupError("gone")

    received = []
    with pytest.raises(LookupError, match="gone"):  # noqa: PT012 - the events before the error count
        async for event in with_heartbeats(events(), NEVER):
            received.append(event)  # noqa: PERF401 - likewise
    assert received == [1]


class Waiting:
    """Events that never come, and whether they were cleaned up."""

    def __init__(self):
        self.is_running = asyncio.Event()
        self.ends = []

    async def events(self):
        try:
            yield "started"
            self.is_running.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.ends.append("cancelled")
            raise
        finally:
            await asyncio.sleep(0)
            self.ends.append("cleaned up")


async def test_cancelling_the_receiver_cancels_the_events_and_waits_for_their_end():
    waiting = Waiting()
    receiver = asyncio.create_task(all_of(waiting.events(), TICK))
    await waiting.is_running.wait()
    await asyncio.sleep(3 * TICK)
    receiver.cancel()
    with pytest.raises(asyncio.CancelledError):
        await receiver
    assert waiting.ends == ["cancelled", "cleaned up"]


@pytest.mark.parametrize("items", [1, 2])
async def test_closing_it_closes_the_events(items):
    waiting = Waiting()
    received = with_heartbeats(waiting.events(), TICK)
    assert [await anext(received) for _ in range(items)] == ["started", None][:items]
    await received.aclose()
    assert waiting.ends[-1] == "cleaned up"


async def test_closing_it_before_the_first_event_starts_nothing():
    waiting = Waiting()
    await with_heartbeats(waiting.events(), TICK).aclose()
    assert waiting.ends == []


async def test_a_timeout_inside_the_events_holds_across_them():
    async def events():
        async with asyncio.timeout(5 * TICK):
            yield 1
            await asyncio.sleep(NEVER)

    with pytest.raises(TimeoutError):
        await all_of(events(), TICK)


async def test_the_context_of_the_receiver_is_that_of_the_events():
    async def events():
        for _ in range(2):
            yield REQUEST.get()
            REQUEST.set(REQUEST.get() + "!")

    REQUEST.set("r-1")
    assert await all_of(events()) == ["r-1", "r-1!"]


async def test_a_failed_stream_is_freed_at_once():
    class Call:
        pass

    async def failing(call):
        yield call
        raise LookupError("gone")

    async def fail():
        call = Call()
        with pytest.raises(LookupError):
            await all_of(failing(call))
        return weakref.ref(call)

    gc.disable()
    try:
        assert (await fail())() is None
    finally:
        gc.enable()
