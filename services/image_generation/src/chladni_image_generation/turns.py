"""Whose turn it is: a fair order of the requests that share a model.

Fair queueing (Demers, Keshav and Shenker 1989, "Analysis and simulation of a fair queueing algorithm") with
the work of denoising in the place of packets. The virtual time of the model is the work that each caller
would have got by now if all had been served side by side; a caller's own is what it did get. A request's
virtual finish is its caller's virtual time plus the caller's work up to its end, and the earliest finish goes
first. So

* callers share the model evenly, however many requests each has;
* of one caller's requests the shortest goes first, and so a short one overtakes a long one at once;
* requests of equal length run one after the other instead of all ending late together;
* nobody starves: whoever comes begins at the model's virtual time, which passes the finish of those who wait.

This module is the policy alone: no clock, no threads, no event loop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, Protocol, TypeVar


class Priority(StrEnum):
    """How urgent a request is."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request's place depends on besides its length.

    Attributes:
        caller: Who asks; callers share the model evenly.
        priority: How urgent it is.
    """

    caller: str = ""
    priority: Priority = Priority.INTERACTIVE


class Contender(Protocol):
    """A request as the policy sees it."""

    @property
    def claim(self) -> Claim:
        """Who asks, and how urgently."""

    @property
    def arrived_at(self) -> float:
        """When it came, in seconds."""

    @property
    def remaining_work(self) -> float:
        """Work to its end, in rows of the model's native size."""


ContenderT = TypeVar("ContenderT", bound=Contender)

_Flow = tuple[str, Priority]
"""A caller's requests of one priority."""

_SHARES: Final = {Priority.INTERACTIVE: 1.0, Priority.BATCH: 0.25}
"""How the model is shared: a batch request beside an interactive one gets a fifth of it."""


class Turns(Protocol[ContenderT]):
    """An order of the requests that share a model."""

    def join(self, contender: ContenderT) -> None:
        """Takes a request in."""

    def leave(self, contender: ContenderT) -> None:
        """Forgets a request that ended or was given up."""

    def charge(self, contender: ContenderT, work: float) -> None:
        """Counts work that was done for a request."""

    def order(self, now: float, work_per_second: float) -> Sequence[ContenderT]:
        """Returns all requests, the one whose turn it is first.

        Args:
            now: Seconds on the clock of `Contender.arrived_at`.
            work_per_second: How much work the model does in a second; 0 while unknown.
        """


class FairTurns(Generic[ContenderT]):
    """The fair order.

    Args:
        ageing: How many seconds a request counts as shorter for each second that it has waited. Among one
            caller's requests this bounds how long short ones may overtake a long one.
        promotion_seconds: A batch request that has waited so long counts as interactive.
    """

    def __init__(self, *, ageing: float = 0.25, promotion_seconds: float = 60.0) -> None:
        self._ageing = ageing
        self._promotion_seconds = promotion_seconds
        self._contenders: dict[ContenderT, _Flow] = {}
        self._virtual_times: dict[_Flow, float] = {}
        self._virtual_now = 0.0

    def join(self, contender: ContenderT) -> None:
        """Takes a request in."""
        self._enter(contender, (contender.claim.caller, contender.claim.priority))

    def leave(self, contender: ContenderT) -> None:
        """Forgets a request; unknown ones are none's business."""
        self._contenders.pop(contender, None)

    def charge(self, contender: ContenderT, work: float) -> None:
        """Counts work that was done for a request."""
        flow = self._contenders[contender]
        self._virtual_times[flow] += work / _SHARES[flow[1]]
        self._virtual_now += work / sum(_SHARES[priority] for _, priority in set(self._contenders.values()))

    def order(self, now: float, work_per_second: float) -> list[ContenderT]:
        """Returns all requests by their virtual finish, earlier arrivals first among equals."""
        self._promote(now)
        self._forget_idle_flows()
        flows: dict[_Flow, list[ContenderT]] = {}
        for contender, flow in self._contenders.items():
            flows.setdefault(flow, []).append(contender)
        credit_per_second = self._ageing * work_per_second
        finishes: list[tuple[float, float, int, ContenderT]] = []
        for flow, contenders in flows.items():
            contenders.sort(
                key=lambda contender: (
                    contender.remaining_work - credit_per_second * (now - contender.arrived_at),
                    contender.arrived_at,
                )
            )
            finish = self._virtual_times[flow]
            for contender in contenders:
                finish += contender.remaining_work / _SHARES[flow[1]]
                finishes.append((finish, contender.arrived_at, len(finishes), contender))
        return [contender for *_, contender in sorted(finishes)]

    def _enter(self, contender: ContenderT, flow: _Flow) -> None:
        # Who was away has saved nothing up.
        if flow not in self._contenders.values():
            self._virtual_times[flow] = max(self._virtual_times.get(flow, 0.0), self._virtual_now)
        self._contenders[contender] = flow

    def _promote(self, now: float) -> None:
        for contender, (caller, priority) in list(self._contenders.items()):
            if priority is Priority.BATCH and now - contender.arrived_at >= self._promotion_seconds:
                self._enter(contender, (caller, Priority.INTERACTIVE))

    def _forget_idle_flows(self) -> None:
        busy = set(self._contenders.values())
        self._virtual_times = {
            flow: time
            for flow, time in self._virtual_times.items()
            if flow in busy or time > self._virtual_now
        }
