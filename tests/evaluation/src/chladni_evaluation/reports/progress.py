"""Progress on the terminal, for work on several items at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class ProgressDisplay:
    """Shows the progress of work.

    Args:
        console: Where to show it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def each(
        self,
        label: str,
        items: Sequence[ItemT],
        work: Callable[[ItemT], ResultT],
        *,
        at_once: int = 1,
    ) -> list[ResultT]:
        """Return the results of work on every item, in order.

        Shows a bar on a terminal and prints a line elsewhere. The first error ends it; work that has not
        begun is then skipped.

        Args:
            label: Description of the work.
            items: What to work on.
            work: The work; called in several threads where `at_once` is more than 1.
            at_once: How many items are worked on at a time.
        """
        columns = (
            TextColumn("  {task.description:<44}"),
            BarColumn(24),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
        )
        with (
            Progress(
                *columns, console=self._console, transient=True, disable=not self._console.is_terminal
            ) as progress,
            ThreadPoolExecutor(at_once) as pool,
        ):
            if not self._console.is_terminal:
                self._console.print(f"  {label} ({len(items)})", highlight=False)
            task = progress.add_task(label, total=len(items))
            futures = [pool.submit(work, item) for item in items]
            results = []
            try:
                for future in futures:
                    results.append(future.result())
                    progress.advance(task)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
        return results
