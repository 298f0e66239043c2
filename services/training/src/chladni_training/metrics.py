"""Figures of a run as CSV, as JSON and for TensorBoard; they stop and go on with it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from torch.utils.tensorboard import SummaryWriter

from chladni_training.files import write_json, write_whole

Row = Mapping[str, float]
_KEYS: Final = frozenset({"epoch", "step"})


class MetricsLog:
    """The figures of a run: one row every so many steps, and one for each epoch.

    `metrics.csv` has the rows of epochs, `steps.csv` those of steps, `metrics.json` both; `tensorboard` is a
    folder of events. The rows belong to the run's state: what was written after its last checkpoint is
    written again.

    Args:
        folder: Where the files are written; `None` for none, in processes that do not lead.
        state: What `state` returned, of a run that goes on.
    """

    def __init__(self, folder: Path | None, state: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.steps: list[dict[str, float]] = [dict(row) for row in state["steps"]] if state else []
        self.epochs: list[dict[str, float]] = [dict(row) for row in state["epochs"]] if state else []
        self._events: SummaryWriter | None = None
        if folder is not None:
            last = max((int(row["step"]) for row in (*self.steps, *self.epochs)), default=0)
            self._events = SummaryWriter(folder / "tensorboard", purge_step=last + 1)

    def __enter__(self) -> Self:
        """Return the log itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the folder of events."""
        if self._events is not None:
            self._events.close()

    @property
    def state(self) -> dict[str, Any]:
        """All rows so far, for a checkpoint."""
        return {"steps": [dict(row) for row in self.steps], "epochs": [dict(row) for row in self.epochs]}

    def add_step(self, row: Row) -> None:
        """Add a row of some steps; it has a `step`."""
        self.steps.append(dict(row))
        self._add_events("step", row)

    def add_epoch(self, row: Row) -> None:
        """Add the row of an epoch; it has an `epoch` and a `step`."""
        self.epochs.append(dict(row))
        self._add_events("epoch", row)

    def write(self) -> None:
        """Write all rows to the folder.

        Raises:
            StorageError: A file cannot be written.
        """
        if self.folder is None or self._events is None:
            return
        write_whole(self.folder / "metrics.csv", _csv(self.epochs))
        write_whole(self.folder / "steps.csv", _csv(self.steps))
        write_json(self.folder / "metrics.json", self.state)
        self._events.flush()

    def _add_events(self, group: str, row: Row) -> None:
        if self._events is None:
            return
        for name, value in row.items():
            if name not in _KEYS:
                self._events.add_scalar(f"{group}/{name}", value, int(row["step"]))


def _csv(rows: Sequence[Row]) -> bytes:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
