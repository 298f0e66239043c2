"""A fair order of the requests that share a model: weighted fair queueing.

Fair queueing (Demers, Keshav and Shenker 1989, "Analysis and simulation of a fair queueing algorithm") with
the work of denoising in the place of packets. The virtual time of the model is the work that each caller
would have got by now if all had been served side by side; a caller's own is what it did get. A request's
virtual finish is its caller's virtual time plus the caller's work up to its end, and the earliest finish goes
first. So

* callers share the model evenly, however many requests each has;
* of one caller's requests the shortest goes first, and so a short one overtakes a long one at once; but a
  fifth of the caller's turns goes to the one that came first, so short ones cannot hold it up for ever;
* requests of equal length run one after the other instead of all ending late together;
* no caller starves: a new one begins at the model's virtual time, which passes the finish of those that wait.

This module is the policy alone: no clock, no threads, no event loop.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, Protocol, TypeVar


class Priority(StrEnum):
    """How urgent a request is."""

    INTERACTIVE = "interactive"
    BATCH = "batch"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class SchedulingParameters:
    """What a request's place depends on besides its length.

    Attributes:
        caller: Who asks; callers share the model evenly.
        priority: How urgent it is.
    """

    caller: str = ""
    priority: Priority = Priority.INTERACTIVE


class Schedulable(Protocol):
    """A request as the policy sees it."""

    @property
    def scheduling(self) -> SchedulingParameters:
        """Who asks, and how urgently."""

    @property
    def arrived_at(self) -> float:
        """When it came, in seconds."""

    @property
    def remaining_work(self) -> float:
        """Work to its end, in rows of the model's native size."""


SchedulableT = TypeVar("SchedulableT", bound=Schedulable)

_Flow = tuple[str, Priority]
"""A caller's requests of one priority."""

_SHARES: Final = {Priority.INTERACTIVE: 1.0, Priority.BATCH: 0.25, Priority.LIVE: 0.7}
"""How the model is shared: a batch request beside an interactive one gets a fifth of it. Live images share
theirs, however many there are: an image that someone waits for takes less than twice its time beside them."""


class Scheduler(Protocol[SchedulableT]):
    """An order of the requests that share a model."""

    def join(self, request: SchedulableT) -> None:
        """Add a request."""

    def leave(self, request: SchedulableT) -> None:
        """Remove a request that ended or was given up."""

    def charge(self, request: SchedulableT, work: float) -> None:
        """Count work that was done for a request."""

    def order(self, now: float) -> Sequence[SchedulableT]:
        """Return all requests, the one to be served next first.

        Args:
            now: Seconds on the clock of `Schedulable.arrived_at`.
        """


@dataclass(slots=True)
class _Account:
    """What a flow got.

    Attributes:
        virtual_time: Work done for it over its share of the model.
        owed: Work that its oldest request should have got and has not.
    """

    virtual_time: float
    owed: float = 0.0


class FairScheduler(Generic[SchedulableT]):
    """The fair order.

    Args:
        oldest_share: Part of a caller's turns that goes to the request that came first, 0 to 1.
        promotion_seconds: A batch request that has waited so long counts as interactive.
    """

    def __init__(self, *, oldest_share: float = 0.2, promotion_seconds: float = 60.0) -> None:
        self._oldest_share = oldest_share
        self._promotion_seconds = promotion_seconds
        self._flows: dict[SchedulableT, _Flow] = {}
        self._accounts: dict[_Flow, _Account] = {}
        self._virtual_now = 0.0

    def join(self, request: SchedulableT) -> None:
        """Add a request."""
        self._enter(request, (request.scheduling.caller, request.scheduling.priority))

    def leave(self, request: SchedulableT) -> None:
        """Remove a request; unknown ones are ignored."""
        self._flows.pop(request, None)

    def charge(self, request: SchedulableT, work: float) -> None:
        """Count work that was done for a request."""
        flow = self._flows[request]
        account = self._accounts[flow]
        flows = set(self._flows.values())
        account.virtual_time += work / _share_of(flow, flows)
        self._virtual_now += work / sum(_share_of(other, flows) for other in flows)
        paid = work if request is self._oldest_of(flow) else 0.0
        # What it got beyond its share counts for one turn at most, or it would have to wait for it later.
        account.owed = max(account.owed + self._oldest_share * work - paid, -work)

    def order(self, now: float) -> list[SchedulableT]:
        """Return all requests by their virtual finish, earlier arrivals first among equals."""
        self._promote(now)
        self._forget_idle_flows()
        members: dict[_Flow, list[SchedulableT]] = {}
        for request, flow in self._flows.items():
            members.setdefault(flow, []).append(request)
        finishes: list[tuple[float, float, int, SchedulableT]] = []
        for flow, requests in members.items():
            requests.sort(key=lambda request: (request.remaining_work, request.arrived_at))
            finish = self._accounts[flow].virtual_time
            for request in requests:
                finish += request.remaining_work / _share_of(flow, members)
                finishes.append((finish, request.arrived_at, len(finishes), request))
        return self._with_oldest_first([request for *_, request in sorted(finishes)])

    def _with_oldest_first(self, order: list[SchedulableT]) -> list[SchedulableT]:
        """Move the oldest request of the next caller to the front, if that one is due."""
        if order and self._accounts[flow := self._flows[order[0]]].owed > 0:
            oldest = self._oldest_of(flow)
            order.remove(oldest)
            order.insert(0, oldest)
        return order

    def _oldest_of(self, flow: _Flow) -> SchedulableT:
        return min(
            (request for request, its_flow in self._flows.items() if its_flow == flow),
            key=lambda request: request.arrived_at,
        )

    def _enter(self, request: SchedulableT, flow: _Flow) -> None:
        if flow not in self._flows.values():
            # Who was away has saved nothing up.
            before = self._accounts.get(flow)
            self._accounts[flow] = _Account(max(before.virtual_time if before else 0.0, self._virtual_now))
        self._flows[request] = flow

    def _promote(self, now: float) -> None:
        for request, (caller, priority) in list(self._flows.items()):
            if priority is Priority.BATCH and now - request.arrived_at >= self._promotion_seconds:
                self._enter(request, (caller, Priority.INTERACTIVE))

    def _forget_idle_flows(self) -> None:
        busy = set(self._flows.values())
        self._accounts = {
            flow: account
            for flow, account in self._accounts.items()
            if flow in busy or account.virtual_time > self._virtual_now
        }


def _share_of(flow: _Flow, flows: Collection[_Flow]) -> float:
    """Return a flow's share of the model beside other flows."""
    share = _SHARES[flow[1]]
    if flow[1] is not Priority.LIVE:
        return share
    return share / max(1, sum(priority is Priority.LIVE for _, priority in flows))
