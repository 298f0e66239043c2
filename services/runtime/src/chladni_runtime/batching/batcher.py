"""Dynamic batching: requests that arrive while the model is busy share its next run.

A thread that computes takes its next batch itself, as soon as it has finished the last one. So a batch grows
until it starts, the model never waits for the event loop, and the loop is notified once for a whole batch.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Self, TypeVar

from chladni_contract.errors import ChladniError, DeadlineExceededError, FaultError, Reason
from chladni_runtime.batching.queue import BatchLimits, BatchQueue
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.deadlines import Clock
from chladni_runtime.telemetry.scope import Telemetry, current_telemetry

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


@dataclass(slots=True, eq=False)
class _Submission(Generic[ResultT]):
    """Items that one caller waits for."""

    token: CancellationToken
    future: asyncio.Future[list[ResultT]]
    item_count: int
    queued_at: float
    telemetry: Telemetry = field(default_factory=current_telemetry)
    results: dict[int, ResultT] = field(default_factory=dict)

    @property
    def is_abandoned(self) -> bool:
        return self.future.done() or self.token.should_stop

    def settle(self, position: int, result: ResultT | Exception) -> None:
        """Accept the result of an item; the last one, or the first failure, answers the caller."""
        if self.future.done():
            return
        if isinstance(result, Exception):
            self.future.set_exception(_own_copy(result))
            return
        self.results[position] = result
        if len(self.results) == self.item_count:
            self.future.set_result([self.results[index] for index in range(self.item_count)])

    def expire(self) -> None:
        """Give up waiting: the deadline has passed."""
        if not self.future.done():
            message = "The deadline passed while the request waited for its batch."
            self.future.set_exception(DeadlineExceededError(message))


@dataclass(frozen=True, slots=True, eq=False)
class _Job(Generic[ItemT, ResultT]):
    item: ItemT
    position: int
    submission: _Submission[ResultT]


class DynamicBatcher(Generic[ItemT, ResultT]):
    """Batches of items from many requests, computed on threads of its own.

    Use as an asynchronous context manager on one event loop.

    Args:
        compute: Takes the items of a batch, returns one result or one exception for each, in order. A batch
            for which it raises MemoryError is tried again in halves; any other exception that it raises fails
            the whole batch.
        batch_key_of: Returns the batch key of an item; items of different keys never share a batch.
        limits: Limits of the queue.
        clock: Monotonic clock in seconds.
        observe_batch: Called with the size of every batch, on the batcher's threads.
        thread_count: Batches computed at a time.
        queue: Name of its queue, under which waiting times are counted.
    """

    def __init__(
        self,
        compute: Callable[[list[ItemT]], Sequence[ResultT | Exception]],
        *,
        batch_key_of: Callable[[ItemT], Hashable],
        limits: BatchLimits,
        clock: Clock,
        observe_batch: Callable[[int], None],
        thread_count: int = 1,
        queue: str = "batches",
    ) -> None:
        self._compute = compute
        self._queue_name = queue
        self._key_of = batch_key_of
        self._clock = clock
        self._observe_batch = observe_batch
        self._queue: BatchQueue[_Job[ItemT, ResultT]] = BatchQueue(
            limits, is_abandoned=lambda job: job.submission.is_abandoned
        )
        self._changed = threading.Condition()  # guards the queue and _is_closing
        self._is_closing = False
        self._threads = [
            threading.Thread(target=self._work, name=f"batcher-{number}", daemon=True)
            for number in range(thread_count)
        ]
        self._loop: asyncio.AbstractEventLoop

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        for thread in self._threads:
            thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    @property
    def queued_items(self) -> int:
        """Number of items that wait."""
        return len(self._queue)

    async def submit(self, items: Sequence[ItemT], token: CancellationToken) -> list[ResultT]:
        """Return the results of items, in order.

        Those of one group fill batches together, in their order and without others between them.

        Args:
            items: What to compute.
            token: Says whether the results are still wanted.

        Raises:
            QueueFullError: Too many items wait already; none of these was queued.
            DeadlineExceededError: The deadline passed before all items had their turn.
            Exception: What `compute` returned for one of the items; the others are abandoned.
        """
        if not items:
            return []
        token.check("before the request was queued")
        submission: _Submission[ResultT] = _Submission(
            token, self._loop.create_future(), len(items), self._clock()
        )
        jobs = [(self._key_of(item), _Job(item, position, submission)) for position, item in enumerate(items)]
        with self._changed:
            self._queue.add(jobs, self._clock())
            self._changed.notify()
        remaining_seconds = token.deadline.remaining_seconds
        if remaining_seconds is None:
            return await submission.future
        expiry = self._loop.call_later(remaining_seconds, submission.expire)
        try:
            return await submission.future
        finally:
            expiry.cancel()

    def _work(self) -> None:
        while batch := self._next_batch():
            started_at = self._clock()
            self._observe_batch(len(batch))
            for submission in dict.fromkeys(job.submission for job in batch):
                submission.telemetry.record_wait(self._queue_name, submission.queued_at, started_at)
            results = self._results_of([job.item for job in batch])
            self._loop.call_soon_threadsafe(_settle, batch, results)
            with self._changed:
                seconds_per_item = (self._clock() - started_at) / len(batch)
                self._queue.learn_pace(seconds_per_item / len(self._threads))

    def _next_batch(self) -> list[_Job[ItemT, ResultT]]:
        """Wait for the batch that is due and remove it from the queue; empty once the batcher closes."""
        with self._changed:
            while not self._is_closing:
                if batch := self._queue.take(self._clock()):
                    if len(self._queue):
                        self._changed.notify()  # what is left may be work for another thread
                    return batch
                self._changed.wait(self._queue.due_in_seconds(self._clock()))
        return []

    def _results_of(self, items: list[ItemT]) -> Sequence[ResultT | Exception]:
        try:
            return self._compute(items)
        except MemoryError:
            pass  # tried again below, when the exception no longer holds the frames that hold the memory
        except Exception as error:  # noqa: BLE001 - passed on to those who wait for the batch
            return [error] * len(items)
        if len(items) == 1:
            return [FaultError(Reason.OUT_OF_MEMORY, "The server has too little memory for this request.")]
        middle = len(items) // 2
        return [*self._results_of(items[:middle]), *self._results_of(items[middle:])]


def _settle(batch: Sequence[_Job[ItemT, ResultT]], results: Sequence[ResultT | Exception]) -> None:
    for job, result in zip(batch, results, strict=True):
        job.submission.settle(job.position, result)


def _own_copy(error: Exception) -> Exception:
    """Return an error for one waiter; several waiters of one failed batch must not share a traceback."""
    return error.with_traceback(None) if isinstance(error, ChladniError) else error
