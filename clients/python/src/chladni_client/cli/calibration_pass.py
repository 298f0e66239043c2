"""The pass over the recordings of a calibration, and its progress. Needs NumPy."""

from collections.abc import Sequence
from contextlib import ExitStack
from math import prod
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chladni_client.calibration.extraction import LatentExtraction, RawLatents, Skipped
from chladni_client.calibration.latent_rows import LatentRows
from chladni_client.calibration.moments import Moments
from chladni_client.calibration.recordings import Shard, find_recordings
from chladni_client.calibration.writing import Plan, Written, write_pass
from chladni_client.client import Client
from chladni_client.errors import InvalidInputError
from chladni_client.types.initial_latents import InitialLatentsOptions, LatentBasis

_LINES: Final = 10


def calibrate_recordings(
    client: Client,
    folders: Sequence[Path],
    plan: Plan,
    *,
    shape: tuple[int, ...],
    basis: LatentBasis,
    worker_count: int,
    shard: str,
    is_strict: bool,
    is_quiet: bool,
) -> tuple[Written, list[Skipped]]:
    """Computes and writes the calibration of recordings.

    Raises:
        InvalidInputError: There are no recordings, none can be used, or one cannot and `is_strict`.
        ChladniError: The server cannot do it, or cannot be reached.
        OSError: A file cannot be read, with `is_strict`, or written.
    """
    recordings = _recordings_of(folders, shard)
    extraction = LatentExtraction(
        client, InitialLatentsOptions(shape, basis, is_unscaled=True), worker_count=worker_count
    )
    moments = Moments.empty(prod(shape))
    skipped: list[Skipped] = []
    with ExitStack() as stack:
        rows: LatentRows | None = None
        if plan.latents_path is not None:
            rows = stack.enter_context(LatentRows(plan.latents_path.resolve().parent, prod(shape)))
        progress = stack.enter_context(_PassProgress(len(recordings), is_quiet=is_quiet))
        for outcome in extraction.outcomes(recordings):
            if isinstance(outcome, RawLatents):
                moments = moments.with_vector(outcome.values)
                if rows is not None:
                    rows.append(outcome.values, name=str(outcome.path), sha256=outcome.sha256)
            elif is_strict:
                raise _unusable(outcome)
            else:
                skipped.append(outcome)
            progress.advance(skipped_count=len(skipped))
        if moments.count == 0:
            raise InvalidInputError(
                f"None of {len(skipped)} recordings could be used; the first is {skipped[0].path}: "
                f"{skipped[0].reason}",
                reason="INVALID_AUDIO",
            )
        return write_pass(plan, moments, shape=shape, basis=basis, rows=rows), skipped


def _recordings_of(folders: Sequence[Path], shard: str) -> Sequence[Path]:
    recordings = find_recordings(folders)
    chosen = Shard.parse(shard).of(recordings) if shard else recordings
    if not chosen:
        found = f"{len(recordings)} recordings" if recordings else "no recordings (WAV, MP3, FLAC, OGG)"
        raise InvalidInputError(
            f"There is nothing to calibrate from: {', '.join(map(str, folders))} "
            f"{'has' if len(folders) == 1 else 'have'} {found}.",
            reason="EMPTY_AUDIO",
        )
    return chosen


def _unusable(skipped: Skipped) -> InvalidInputError:
    return InvalidInputError(f"{skipped.path} cannot be used: {skipped.reason}", reason="INVALID_AUDIO")


class _PassProgress:
    """A bar on a terminal; elsewhere a line for every tenth of the recordings."""

    def __init__(self, total: int, *, is_quiet: bool) -> None:
        self._total = total
        self._done = 0
        self._console = Console(stderr=True, quiet=is_quiet)
        self._bar = Progress(
            TextColumn("[bold]calibrating"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.description}"),
            console=self._console,
            disable=is_quiet or not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def advance(self, *, skipped_count: int) -> None:
        """Counts a recording that is done."""
        self._done += 1
        skipped = f"{skipped_count} skipped" if skipped_count else ""
        self._bar.update(self._task, completed=self._done, description=skipped)
        is_tenth = self._done * _LINES // self._total > (self._done - 1) * _LINES // self._total
        if self._bar.disable and is_tenth:
            text = f"{self._done} of {self._total} recordings" + (f", {skipped}" if skipped else "")
            self._console.print(text, markup=False, highlight=False)
