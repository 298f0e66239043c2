"""Bytes that requests hold together."""

from __future__ import annotations

import pytest

from chladni_contract.errors import QueueFullError
from chladni_runtime.execution.byte_budget import ByteBudget


def test_requests_hold_so_many_bytes_together():
    budget = ByteBudget(100)
    with budget.hold(60):
        with pytest.raises(QueueFullError, match="60 of at most 100 bytes") as caught:
            budget.take(41)
        assert caught.value.retry_after_seconds > 0
        budget.take(40)
        budget.give_back(40)
    assert budget.taken == 0
