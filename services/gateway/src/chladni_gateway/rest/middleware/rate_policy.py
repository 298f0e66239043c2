"""How often a client may ask for work."""

import hashlib

from chladni_gateway.rest.middleware.token_buckets import Rate, TokenBuckets
from chladni_runtime.execution.deadlines import Clock


class RateLimit:
    """Limits clients, and, since a client may call itself something else each time, also their hosts.

    Args:
        rate: Rate of one client.
        clients_per_host: A host may do as much as so many clients.
        clock: Monotonic clock in seconds.
    """

    def __init__(self, rate: Rate, *, clients_per_host: int, clock: Clock) -> None:
        self._clients = TokenBuckets(rate, clock=clock)
        self._hosts = TokenBuckets(rate.times(clients_per_host), clock=clock)

    def take(self, *, client: str, host: str) -> float:
        """Counts a request, unless there are too many; returns the time to wait in seconds, 0 if it counts.

        Args:
            client: What tells the clients of a host apart.
            host: Where the request comes from.
        """
        key = hashlib.sha256(f"{host}\n{client}".encode()).hexdigest()
        wait_seconds = max(self._clients.wait_seconds(key), self._hosts.wait_seconds(host))
        if wait_seconds == 0.0:
            self._clients.take(key)
            self._hosts.take(host)
        return wait_seconds
