"""Messages on their way: bounded in time and in number, and fair to connections."""

from __future__ import annotations

import asyncio
import time

import pytest

from chladni_contract.errors import DeadlineExceededError, QueueFullError
from chladni_runtime.server.arrivals import Arrivals


def arrivals(**changed):
    return Arrivals(
        **{"capacity": 8, "slow_capacity": 8, "timeout_seconds": 30, "prompt_seconds": 30} | changed
    )


async def never():
    await asyncio.get_running_loop().create_future()


async def value():
    return "message"


async def started(coroutines):
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    await asyncio.sleep(0)
    return tasks


async def cancelled(tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_message_is_returned_and_leaves_nothing():
    subject = arrivals()
    assert await subject.receive("a", value()) == "message"
    assert subject.count == 0


async def test_a_message_that_does_not_come_is_given_up():
    subject = arrivals(timeout_seconds=0.01)
    with pytest.raises(DeadlineExceededError, match=r"within 0\.01 s"):
        await subject.receive("a", never())
    assert subject.count == 0


async def test_a_timeout_of_the_sender_is_not_taken_for_this_one():
    async def failing():
        raise TimeoutError("of another")

    with pytest.raises(TimeoutError, match="of another"):
        await arrivals().receive("a", failing())


@pytest.mark.parametrize("is_slow", [False, True])
async def test_when_there_are_too_many_the_connection_with_the_most_loses_its_oldest(is_slow):
    limits = {"slow_capacity": 3, "prompt_seconds": 0} if is_slow else {"capacity": 3}
    subject = arrivals(**limits)
    honest, *greedy = tasks = await started(
        subject.receive(peer, never()) for peer in ("honest", "greedy", "greedy")
    )
    await asyncio.sleep(0.01)
    tasks += await started([subject.receive("newcomer", never())])
    done, _ = await asyncio.wait(tasks, timeout=1, return_when=asyncio.FIRST_COMPLETED)
    assert done == {greedy[0]}
    assert isinstance(greedy[0].exception(), QueueFullError)
    assert subject.count == 3
    assert not honest.done()
    await cancelled(tasks)
    assert subject.count == 0


async def test_prompt_messages_pass_while_slow_ones_hold_all_their_places():
    subject = arrivals(slow_capacity=2, prompt_seconds=0)
    slow = await started(subject.receive("rude", never()) for _ in range(2))
    await asyncio.sleep(0.01)
    for _ in range(20):
        assert await subject.receive("honest", value()) == "message"
    assert not any(task.done() for task in slow)
    await cancelled(slow)


async def test_one_that_is_late_already_makes_room_without_harm_to_the_next():
    subject = arrivals(capacity=1, timeout_seconds=0.05)
    (late,) = await started([subject.receive("a", never())])
    loop = asyncio.get_running_loop()
    coming = []

    def hold_the_loop_up():  # Until the next turn ends the wait of the first, after the second has come.
        time.sleep(0.06)
        loop.call_soon(lambda: coming.append(asyncio.create_task(subject.receive("b", value()))))

    loop.call_soon(hold_the_loop_up)
    with pytest.raises(DeadlineExceededError):
        await late
    assert await coming[0] == "message"
    assert subject.count == 0
