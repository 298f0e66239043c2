"""Which of the waiting items run next, and when: the policy of dynamic batching.

It uses no clock, thread or event loop; `chladni_runtime.batching.batcher` drives it. An idle model never
waits for a batch to fill unless a delay is configured; a full batch starts at once.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from chladni_contract.errors import QueueFullError

ItemT = TypeVar("ItemT")

_EXPECTED_SECONDS_PER_ITEM: Final = 0.05  # until the first batches have been measured
_SMOOTHING: Final = 0.1  # weight of the newest batch in the running mean


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Limits of a batch queue.

    Attributes:
        max_batch_size: Items in a batch at most.
        max_delay_seconds: How long an item may wait for its batch to fill while the model is idle.
        max_queued_items: Items that may wait in all.
    """

    max_batch_size: int = 16
    max_delay_seconds: float = 0.0
    max_queued_items: int = 256

    def __post_init__(self) -> None:
        if self.max_batch_size < 1 or self.max_queued_items < 1 or self.max_delay_seconds < 0:
            raise ValueError("batch size and queue length must be at least 1, the delay at least 0")


@dataclass(frozen=True, slots=True)
class _Queued(Generic[ItemT]):
    item: ItemT
    arrived_at: float


class BatchQueue(Generic[ItemT]):
    """Waiting items, grouped by batch key (such as an image's shape).

    Only items of one key share a batch. Groups take turns by the age of their oldest item, so none starves.

    Args:
        limits: Limits of size, delay and length.
        is_abandoned: Whether the result of an item is no longer wanted; such an item never takes a place in
            a batch.
    """

    def __init__(self, limits: BatchLimits, *, is_abandoned: Callable[[ItemT], bool]) -> None:
        self._limits = limits
        self._is_abandoned = is_abandoned
        self._groups: OrderedDict[Hashable, deque[_Queued[ItemT]]] = OrderedDict()
        self._length = 0
        self._seconds_per_item = _EXPECTED_SECONDS_PER_ITEM

    def __len__(self) -> int:
        return self._length

    def add(self, items: Sequence[tuple[Hashable, ItemT]], now: float) -> None:
        """Append items, each with its batch key: all of them or none.

        Raises:
            QueueFullError: There is no room for all. Its retry delay is the time that the items that wait now
                will take, at the pace of the last batches.
        """
        if self._length + len(items) > self._limits.max_queued_items:
            self._drop_abandoned()
        if self._length + len(items) > self._limits.max_queued_items:
            raise QueueFullError(
                f"{self._length} of at most {self._limits.max_queued_items} items are waiting already; there "
                f"is no room for {len(items)} more. Try again later.",
                retry_after_seconds=self._length * self._seconds_per_item,
                metadata={
                    "count": self._length,
                    "requested": len(items),
                    "maximum": self._limits.max_queued_items,
                },
            )
        for key, item in items:
            self._groups.setdefault(key, deque()).append(_Queued(item, now))
        self._length += len(items)

    def due_in_seconds(self, now: float) -> float | None:
        """Return the seconds until a batch is due: 0 if one is due now, `None` while nothing waits."""
        if not self._groups:
            return None
        if any(len(group) >= self._limits.max_batch_size for group in self._groups.values()):
            return 0.0
        oldest = min(group[0].arrived_at for group in self._groups.values())
        return max(0.0, oldest + self._limits.max_delay_seconds - now)

    def take(self, now: float) -> list[ItemT]:
        """Remove and return the batch that is due; empty if none is."""
        while self.due_in_seconds(now) == 0.0:
            full = [key for key, group in self._groups.items() if len(group) >= self._limits.max_batch_size]
            key = min(full or self._groups, key=lambda name: self._groups[name][0].arrived_at)
            if batch := self._take_from(key):
                return batch
        return []

    def learn_pace(self, seconds_per_item: float) -> None:
        """Record how long an item of the last batch took; the retry delays of refusals follow from it."""
        self._seconds_per_item += _SMOOTHING * (seconds_per_item - self._seconds_per_item)

    def _take_from(self, key: Hashable) -> list[ItemT]:
        """Remove a batch from a group, and the abandoned items that precede its end."""
        group = self._groups[key]
        batch: list[ItemT] = []
        while group and len(batch) < self._limits.max_batch_size:
            item = group.popleft().item
            self._length -= 1
            if not self._is_abandoned(item):
                batch.append(item)
        if not group:
            del self._groups[key]
        return batch

    def _drop_abandoned(self) -> None:
        for key, group in list(self._groups.items()):
            kept = deque(entry for entry in group if not self._is_abandoned(entry.item))
            self._length -= len(group) - len(kept)
            if kept:
                self._groups[key] = kept
            else:
                del self._groups[key]
