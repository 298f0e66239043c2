"""Work that is repeated: when it is done, and what ends it."""

from __future__ import annotations

import asyncio

import pytest

from chladni_runtime.background import repeating


@pytest.mark.parametrize("at_once", [True, False])
async def test_work_is_done_again_and_again_until_the_context_ends(at_once):
    turns = []
    is_third = asyncio.Event()

    async def work():
        turns.append(None)
        if len(turns) == 3:
            is_third.set()

    async with repeating(work, interval_seconds=0.001, at_once=at_once), asyncio.timeout(5):
        await is_third.wait()
    count = len(turns)
    await asyncio.sleep(0.01)
    assert len(turns) == count


async def test_the_first_turn_waits_if_it_is_to():
    turns = []

    async def work():
        turns.append(None)

    async with repeating(work, interval_seconds=60, at_once=False):
        await asyncio.sleep(0.01)
        assert turns == []
    async with repeating(work, interval_seconds=60):
        await asyncio.sleep(0.01)
        assert turns == [None]


async def test_a_turn_that_fails_in_any_way_is_logged_and_tried_again(caplog):
    is_again = asyncio.Event()
    turns = []

    async def work():
        turns.append(None)
        if len(turns) > 1:
            is_again.set()
            return
        raise TypeError("a fault of the code")

    async with repeating(work, interval_seconds=0.001), asyncio.timeout(5):
        await is_again.wait()
    assert "a fault of the code" in caplog.text
