"""Named places in a service at which a test of robustness makes it wait, fail, or die.

They stand at the transitions of a request's state, where a fault does the most harm. A service has none armed
unless its settings say so, which they may only on loopback and together with ``allow_failpoints``; then each
place costs a look into an empty dictionary. The text of the setting:

    store.before=5%sleep(0.5);step.after=1*exit;seed=7

`name=[count*][percent%]action`: what happens (``sleep(seconds)``, ``error``, ``memory``, ``exit``), with what
probability each time the place is passed, and how many times at most. ``memory`` is for the steps and the end
of an image alone, where models compute. The seed makes the draws the same in
each run that passes the places in the same order.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import re
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chladni_contract.errors import Reason, UnavailableError

_ITEM: Final = re.compile(
    r"(?P<name>[a-z.]+)=(?:(?P<count>[0-9]{1,6})\*)?(?:(?P<percent>[0-9]{1,3}(?:\.[0-9]{1,4})?)%)?"
    r"(?P<kind>sleep\((?P<seconds>[0-9]{1,3}(?:\.[0-9]{1,4})?)\)|error|memory|exit)",
    re.ASCII,
)
_SEED: Final = re.compile(r"seed=(?P<seed>[0-9]{1,10})", re.ASCII)
_COMPUTING: Final = ("step.", "finish.")
_RETRY_AFTER_SECONDS: Final = 0.1

_log = logging.getLogger(__name__)


class Failpoint(StrEnum):
    """A transition of a request's state, and a side of it.

    A service passes those that it has: every one admits calls; image generation takes steps and finishes
    images by decoding them; the gateway passes on events, stores images and finishes requests.
    """

    ADMISSION_BEFORE = "admission.before"
    ADMISSION_AFTER = "admission.after"
    STEP_BEFORE = "step.before"
    STEP_AFTER = "step.after"
    STORE_BEFORE = "store.before"
    STORE_AFTER = "store.after"
    EVENT_BEFORE = "event.before"
    EVENT_AFTER = "event.after"
    FINISH_BEFORE = "finish.before"
    FINISH_AFTER = "finish.after"


@dataclass(slots=True)
class Action:
    """What happens at a failpoint.

    Attributes:
        kind: ``sleep``, ``error`` (as if a service could not be reached), ``memory`` (`MemoryError`) or
            ``exit`` (SIGKILL).
        seconds: Time to sleep.
        probability: Probability that it happens when the place is passed.
        remaining: How often it may still happen; `None` for any number of times.
    """

    kind: str
    seconds: float = 0.0
    probability: float = 1.0
    remaining: int | None = None


class Failpoints:
    """The failpoints of a service; by default none does anything.

    Args:
        actions: What happens at which of them.
        seed: Seed of the draws.
    """

    def __init__(self, actions: Mapping[Failpoint, Action] | None = None, *, seed: int = 0) -> None:
        self._actions: Final = dict(actions or {})
        self._random = random.Random(seed)  # noqa: S311 - of faults, not of secrets

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the failpoints at which something may happen."""
        return tuple(name.value for name in self._actions)

    async def reach(self, name: Failpoint) -> None:
        """Pass a failpoint on an event loop, which goes on while this task sleeps.

        Raises:
            UnavailableError: The action is ``error``.
            MemoryError: It is ``memory``.
        """
        if self._actions and (action := self._drawn(name)) is not None:
            await asyncio.sleep(action.seconds)
            _fail(name, action)

    def reach_blocking(self, name: Failpoint) -> None:
        """Pass a failpoint in a thread, which sleeps; it raises what `reach` raises."""
        if self._actions and (action := self._drawn(name)) is not None:
            time.sleep(action.seconds)
            _fail(name, action)

    def _drawn(self, name: Failpoint) -> Action | None:
        """Return what happens at a failpoint this time."""
        action = self._actions.get(name)
        if action is None or action.remaining == 0 or self._random.random() >= action.probability:
            return None
        if action.remaining is not None:
            action.remaining -= 1
        return action


NO_FAILPOINTS: Final = Failpoints()


def parse_failpoints(text: str) -> Failpoints:
    """Return the failpoints that a text arms; an empty one arms none.

    Raises:
        ValueError: The text cannot be read, or names an unknown failpoint.
    """
    actions: dict[Failpoint, Action] = {}
    seed = 0
    for item in filter(None, (part.strip() for part in text.split(";"))):
        if seeded := _SEED.fullmatch(item):
            seed = int(seeded["seed"])
            continue
        match = _ITEM.fullmatch(item)
        if match is None:
            raise ValueError(
                f"{item!r} is no failpoint: write name=[count*][percent%]action, where the action is "
                "sleep(seconds), error, memory or exit"
            )
        if match["name"] not in set(Failpoint):
            raise ValueError(f"{match['name']!r} is no failpoint; known are {', '.join(Failpoint)}")
        kind = match["kind"].partition("(")[0]
        if kind == "memory" and not match["name"].startswith(_COMPUTING):
            raise ValueError(f"{item!r}: memory is for step and finish alone, where models compute")
        actions[Failpoint(match["name"])] = Action(
            kind,
            seconds=float(match["seconds"] or 0),
            probability=float(match["percent"] or 100) / 100,
            remaining=None if match["count"] is None else int(match["count"]),
        )
    return Failpoints(actions, seed=seed)


def _fail(name: Failpoint, action: Action) -> None:
    if action.kind == "exit":
        _log.warning("a failpoint ends the process", extra={"failpoint": name.value})
        os.kill(os.getpid(), signal.SIGKILL)
    if action.kind == "error":
        raise UnavailableError(
            Reason.BACKEND_UNAVAILABLE,
            f"The failpoint {name.value} refused this work.",
            retry_after_seconds=_RETRY_AFTER_SECONDS,
        )
    if action.kind == "memory":
        raise MemoryError(f"the failpoint {name.value} leaves no memory")
