"""Faults that many honest requests are when they come at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from chladni_robustness.clients import draw_content

if TYPE_CHECKING:
    from chladni_robustness.clients import Client

_STORM_REQUESTS: Final = 100
_STORM_AT_ONCE: Final = 24
_CANCELLED_EACH: Final = 10
_BURST_REQUESTS: Final = 300
MAX_REFUSAL_SECONDS: Final = 20.0
"""Time in which a refused call of a burst must be answered, on a machine that is busy with the others."""


def cancel_storm(drawn: random.Random, client: Client) -> Callable[[], Awaitable[None]]:
    """Return a storm: many requests, of which every tenth is cancelled; the others must be exact."""
    contents = [draw_content(drawn) for _ in range(_STORM_REQUESTS)]
    delays = [drawn.uniform(0.0, 0.5) for _ in range(_STORM_REQUESTS)]

    async def run() -> None:
        places = asyncio.Semaphore(_STORM_AT_ONCE)

        async def one(number: int) -> None:
            async with places:
                is_cancelled = number % _CANCELLED_EACH == 0
                await client.ask(
                    f"storm {number}", contents[number], cancel_after=delays[number] if is_cancelled else None
                )

        await asyncio.gather(*map(one, range(_STORM_REQUESTS)))

    return run


def burst(drawn: random.Random, client: Client) -> Callable[[], Awaitable[None]]:
    """Return a burst: more requests at once than the gateway takes. Those that it refuses must learn soon."""
    contents = [draw_content(drawn) for _ in range(_BURST_REQUESTS)]

    async def run() -> None:
        async def one(number: int) -> None:
            history = await client.ask(f"burst {number}", contents[number])
            history.must_be_refused_after = MAX_REFUSAL_SECONDS

        await asyncio.gather(*map(one, range(_BURST_REQUESTS)))

    return run
