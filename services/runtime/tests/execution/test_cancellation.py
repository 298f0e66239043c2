"""Cancellation by hand, by the end of a context, and by a deadline."""

from __future__ import annotations

import pytest

from chladni_contract.errors import ChladniError, Reason
from chladni_runtime.execution.cancellation import CancellationToken
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
