"""Long-lived connections: so many of a client, of a host and in all."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from chladni_contract.errors import QueueFullError
from chladni_gateway.connection_limiter import ConnectionLimiter


def test_neither_a_client_nor_a_host_of_many_names_takes_all():
    limiter = ConnectionLimiter(total=4, per_client=2, per_host=3)
    with ExitStack() as stack:
        for client in ("a", "a", "b"):
            stack.enter_context(limiter.hold(client, host="rude"))
        for client in ("a", "c"):
            with pytest.raises(QueueFullError), limiter.hold(client, host="rude"):
                pass
        stack.enter_context(limiter.hold("d", host="honest"))
        with pytest.raises(QueueFullError), limiter.hold("e", host="another"):
            pass
        assert limiter.open_count == 4
    assert limiter.open_count == 0
    with limiter.hold("a", host="rude"):
        assert limiter.open_count == 1
