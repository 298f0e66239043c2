"""Dynamic batching: requests that arrive while the model is busy share its next run.

`BatchQueue` is the policy alone, without clock, threads or event loop; `DynamicBatcher` drives it. An
idle model never waits for company unless a delay is configured; a full batch starts at once.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

from chladni_runtime.cancellation import CancellationToken
from chladni_runtime.deadlines import Clock
from chladni_runtime.errors import ChladniError, QueueFullError

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Limits of a batch queue.

    Attributes:
        max_batch_size: Items in a batch at most.
        max_delay_seconds: How long an item may wait for company while the model is idle.
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
    """Groups items by key (such as an image's shape) and says when a batch is due.

    Groups take turns by the age of their oldest item, so none starves.

    Args:
        limits: Limits of size, delay and length.
        is_abandoned: Whether an item needs no result any more; such an item never takes a place in a
            batch.
    """

    def __init__(self, limits: BatchLimits, *, is_abandoned: Callable[[ItemT], bool]) -> None:
        self._limits = limits
        self._is_abandoned = is_abandoned
        self._groups: OrderedDict[Hashable, deque[_Queued[ItemT]]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, key: Hashable, item: ItemT, now: float) -> None:
        """Appends an item.

        Raises:
            QueueFullError: Too many items wait already.
        """
        if self._length >= self._limits.max_queued_items:
            self._drop_abandoned()
        if self._length >= self._limits.max_queued_items:
            raise QueueFullError(
                f"{self._length} requests wait already, the limit. Try again later.",
                retry_after_seconds=0.5,
            )
        self._groups.setdefault(key, deque()).append(_Queued(item, now))
        self._length += 1

    def due_in_seconds(self, now: float) -> float | None:
        """Returns how long until a batch is due: 0 for now, `None` while nothing waits."""
        if not self._groups:
            return None
        if any(len(group) >= self._limits.max_batch_size for group in self._groups.values()):
            return 0.0
        oldest = min(group[0].arrived_at for group in self._groups.values())
        return max(0.0, oldest + self._limits.max_delay_seconds - now)

    def take(self, now: float) -> list[ItemT]:
        """Removes and returns the batch that is due; empty where none is."""
        self._drop_abandoned()
        if self.due_in_seconds(now) != 0.0:
            return []
        full = [key for key, group in self._groups.items() if len(group) >= self._limits.max_batch_size]
        key = min(full or self._groups, key=lambda name: self._groups[name][0].arrived_at)
        group = self._groups[key]
        batch = [group.popleft().item for _ in range(min(len(group), self._limits.max_batch_size))]
        self._length -= len(batch)
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


@dataclass(frozen=True, slots=True)
class _Job(Generic[ItemT, ResultT]):
    item: ItemT
    token: CancellationToken
    future: "asyncio.Future[ResultT]"

    @property
    def is_abandoned(self) -> bool:
        return self.future.done() or self.token.should_stop


class DynamicBatcher(Generic[ItemT, ResultT]):
    """Runs a function on batches, one batch at a time, on a thread of its own.

    Use as an asynchronous context manager on one event loop.

    Args:
        compute: Takes the items of a batch, returns one result or one exception for each, in order. An
            exception that it raises instead fails the whole batch.
        limits: Limits of the queue.
        clock: Monotonic clock in seconds.
        observe_batch: Told the size of every batch.
    """

    def __init__(
        self,
        compute: Callable[[list[ItemT]], Sequence[ResultT | Exception]],
        *,
        limits: BatchLimits,
        clock: Clock,
        observe_batch: Callable[[int], None],
    ) -> None:
        self._compute = compute
        self._clock = clock
        self._observe_batch = observe_batch
        self._queue: BatchQueue[_Job[ItemT, ResultT]] = BatchQueue(
            limits, is_abandoned=lambda job: job.is_abandoned
        )
        self._arrival = asyncio.Event()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="batcher")
        self._driver: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._driver = asyncio.create_task(self._drive())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._driver is not None:
            self._driver.cancel()
            await asyncio.gather(self._driver, return_exceptions=True)
        await asyncio.to_thread(self._executor.shutdown)

    @property
    def queued_items(self) -> int:
        """Number of items that wait."""
        return len(self._queue)

    async def submit(self, key: Hashable, item: ItemT, token: CancellationToken) -> ResultT:
        """Returns the result of an item.

        Args:
            key: Items of different keys never share a batch.
            item: What to compute.
            token: Says when nobody waits for the result any more.

        Raises:
            QueueFullError: Too many items wait already.
            DeadlineExceededError: The deadline passed before the item's turn came.
            Exception: Whatever `compute` returned for the item.
        """
        token.check("before the request was queued")
        future: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        self._queue.add(key, _Job(item, token, future), self._clock())
        self._arrival.set()
        try:
            async with asyncio.timeout(token.deadline.remaining_seconds):
                return await future
        except TimeoutError:
            token.check("while the request waited for its batch")
            raise

    async def _drive(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_in_seconds = self._queue.due_in_seconds(self._clock())
            if due_in_seconds != 0.0:
                self._arrival.clear()
                try:
                    async with asyncio.timeout(due_in_seconds):
                        await self._arrival.wait()
                except TimeoutError:
                    pass
                continue
            batch = self._queue.take(self._clock())
            if not batch:
                continue
            self._observe_batch(len(batch))
            items = [job.item for job in batch]
            try:
                results = await loop.run_in_executor(self._executor, self._compute, items)
            except Exception as error:  # noqa: BLE001 - belongs to whoever waits for the batch
                results = [error] * len(batch)
            for job, result in zip(batch, results, strict=True):
                _settle(job.future, result)


def _settle(future: "asyncio.Future[ResultT]", result: ResultT | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(_own_copy(result))
    else:
        future.set_result(result)


def _own_copy(error: Exception) -> Exception:
    """Returns an error for one waiter; several waiters of one failed batch must not share a traceback."""
    return error.with_traceback(None) if isinstance(error, ChladniError) else error
