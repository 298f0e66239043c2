"""What must hold of histories, whatever happened meanwhile."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

from chladni_robustness.history import End, History

_TERMINAL: Final = frozenset({"created"})
_REFUSALS: Final = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"})
"""How an honest request may end without an image: never as INTERNAL, and never as if it were wrong."""
_CANCEL_SECONDS: Final = 5.0
"""Time in which steps that were on their way may still arrive after a cancellation."""


def faults_of(histories: Iterable[History], *, patience: float = 1.0) -> list[str]:
    """Return every breach of the rules, in words; empty if there is none.

    Args:
        histories: What clients did and saw.
        patience: Factor of the limits of time, for machines that are slow.
    """
    known = list(histories)
    faults = [
        f"{history.client}: {fault}" for history in known for fault in _faults_of_one(history, patience)
    ]
    digests: dict[str, set[str]] = defaultdict(set)
    for history in known:
        if history.digest:
            digests[history.content].add(history.digest)
    different = {content: len(found) for content, found in digests.items() if len(found) > 1}
    return faults + [f"{content} gave {count} different images" for content, count in different.items()]


def _faults_of_one(history: History, patience: float) -> Iterator[str]:
    yield from _faults_of_end(history, patience)
    names = [event.name for event in history.seen]
    if names and names[0] != "accepted":
        yield f"the first event was {names[0]}"
    steps = [event.step for event in history.seen if event.name == "progress"]
    if any(later <= earlier for earlier, later in pairwise(steps)):
        yield f"the steps did not rise: {steps}"
    if history.cancelled_at is not None:
        limit = history.cancelled_at + patience * _CANCEL_SECONDS
        late = [event for event in history.seen if event.at > limit]
        if late:
            yield f"{late[0].name} came long after the request was cancelled"


def _faults_of_end(history: History, patience: float) -> Iterator[str]:
    names = [event.name for event in history.seen]
    ends = [name for name in names if name in _TERMINAL]
    if history.end is None:
        yield "the request never ended"
    if len(ends) > 1:
        yield f"{len(ends)} terminal events came"
    if ends and names[-1] not in _TERMINAL:
        yield f"{names[-1]} came after the terminal event"
    if history.end is End.CREATED and not ends:
        yield "the call ended well without an image"
    if ends and history.end is End.REFUSED:
        yield f"an error ({history.code}) came after the image"
    if history.code == "RESOURCE_EXHAUSTED" and history.must_be_refused_after is not None:
        late_seconds = history.ended_at - history.started_at - patience * history.must_be_refused_after
        if late_seconds > 0:
            yield f"it was refused {late_seconds:.1f} s too late"
    if history.end is End.REFUSED and history.code not in _REFUSALS:
        yield f"it failed with {history.code}: {history.detail}"
