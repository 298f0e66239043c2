"""Cancellation by hand, by the end of a context, and by a deadline."""

from __future__ import annotations

import asyncio
import threading

import pytest

from chladni_contract.errors import ChladniError, Reason
from chladni_runtime.execution.cancellation import CancellationToken, run_in_thread
from chladni_runtime.execution.deadlines import Deadline


def test_a_token_stops_by_cancelling_and_by_deadline():
    token = CancellationToken()
    token.check("never")
    assert not token.should_stop
    token.cancel()
    assert token.should_stop
    with pytest.raises(ChladniError) as caught:
        token.check("at step 3")
    assert caught.value.reason is Reason.CANCELLED
    assert CancellationToken(Deadline.after(0)).should_stop


def test_leaving_the_context_of_a_token_cancels_it_whatever_happened():
    token = CancellationToken()
    with token as entered:
        assert entered is token
        assert not token.is_cancelled
    assert token.should_stop
    token = CancellationToken()
    with pytest.raises(ValueError, match="invalid literal"), token:
        int("wrong")
    assert token.should_stop


async def test_a_cancelled_caller_of_a_thread_goes_on_when_the_thread_has_stopped():
    assert await run_in_thread(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await run_in_thread(divmod, 7, 0)
    has_begun, token, stopped = threading.Event(), CancellationToken(), []

    def work():
        has_begun.set()
        while not token.is_cancelled:
            threading.Event().wait(0.001)
        stopped.append(True)
        token.check("in the thread")

    task = asyncio.create_task(run_in_thread(work, token=token))
    await asyncio.to_thread(has_begun.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopped
