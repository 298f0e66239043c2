"""Progress of a creation, on standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from chladni_client.cli.display.text import in_words_of_options, shown
from chladni_client.types import events
from chladni_client.types.audio import ServerWarning
from chladni_contract.printable import printable


class CreationDisplay(Protocol):
    """Shows how creations get on, one after the other."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def begin(self, name: str) -> None:
        """Start with the next image."""

    def show(self, event: events.CreationEvent) -> None:
        """Show an event of it."""


def creation_display(*, is_quiet: bool = False) -> CreationDisplay:
    """Return the display that suits standard error."""
    console = Console(stderr=True)
    if is_quiet:
        return NoticeDisplay(console)
    return BarDisplay(console) if console.is_terminal else LineDisplay(console)


class NoticeDisplay:
    """Nothing but what must not be missed: that a recipe takes another way than its own."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._name = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: every line has been printed."""

    def begin(self, name: str) -> None:
        """Note the name that the notices begin with."""
        self._name = name

    def show(self, event: events.CreationEvent) -> None:
        """Print a notice."""
        if isinstance(event, events.RecipeFellBack):
            print_notice(self._console, f"{self._name}: {describe(event)}")


class BarDisplay:
    """A bar for each sound, with its state, the steps and the time."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.fields[name]}", style="bold", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", style="dim", markup=False),
            console=console,
        )
        self._task = TaskID(0)
        self._name = ""

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, name: str) -> None:
        """Add a bar."""
        self._name = printable(name)
        self._task = self._progress.add_task("listening", name=self._name, total=None)

    def show(self, event: events.CreationEvent) -> None:
        """Move the current bar, which restarts with each part of a recipe."""
        match event:
            case events.RecipeFellBack():
                print_notice(self._progress.console, f"{self._name}: {describe(event)}")
            case events.Started(total_steps=total_steps):
                self._progress.update(self._task, completed=0, total=total_steps, description=describe(event))
            case events.Progress(step=step, total_steps=total_steps):
                self._progress.update(
                    self._task, completed=step, total=total_steps, description=describe(event)
                )
            case events.Retrying():
                self._progress.update(self._task, completed=0, total=None, description=describe(event))
            case _:
                self._progress.update(self._task, description=describe(event))


class LineDisplay:
    """A line for each change, for logs; of the steps only every quarter."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._name = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: every line has been printed."""

    def begin(self, name: str) -> None:
        """Note the name that the lines begin with."""
        self._name = name

    def show(self, event: events.CreationEvent) -> None:
        """Print a line."""
        if isinstance(event, events.RecipeFellBack):
            print_notice(self._console, f"{self._name}: {describe(event)}")
            return
        if isinstance(event, events.Accepted):
            return
        if isinstance(event, events.Progress):
            quarter = max(1, event.total_steps // 4)
            if event.step % quarter and event.step != event.total_steps:
                return
        self._console.print(
            f"{printable(self._name)}: {describe(event)}", markup=False, highlight=False, soft_wrap=True
        )


def print_notice(console: Console, text: str) -> None:
    """Print what must not be missed, although the work goes on."""
    console.print(f"[bold yellow]Notice:[/] {shown(text)}", highlight=False, soft_wrap=True)


def print_warnings(warnings: Iterable[ServerWarning]) -> None:
    """Print on standard error what a server warns of."""
    console = Console(stderr=True)
    for warning in warnings:
        field = warning.metadata.get("field", "")
        print_notice(console, in_words_of_options(warning.message, [field] if field else []))


def describe(event: events.CreationEvent) -> str:
    """Return an event in words, with the part of the recipe that it belongs to."""
    if isinstance(event, events.Accepted):
        return "accepted"
    part = "" if isinstance(event, events.AudioAnalyzed | events.Retrying) else event.part
    return printable(f"{part}: {_in_words(event)}" if part else _in_words(event))


def _in_words(event: events.CreationEvent) -> str:
    match event:
        case events.AudioAnalyzed(audio=audio):
            text = f"analysed {audio.duration_seconds:.1f} s of {audio.format.upper()}"
        case events.Queued(position=position):
            text = f"waiting, {position} ahead in the queue" if position else "next in the queue"
        case events.Started(seed=seed, total_steps=total_steps):
            text = f"denoising in {total_steps} steps with seed {seed}"
        case events.Progress(step=step, total_steps=total_steps, remaining_seconds=remaining_seconds):
            text = f"step {step} of {total_steps}"
            if remaining_seconds is not None:
                text += f", {remaining_seconds:.1f} s to go"
        case events.Retrying(delay_seconds=delay_seconds, error=error):
            text = f"trying again in {delay_seconds:.1f} s: {error.message}"
        case events.ImageDrafted(width_pixels=width_pixels, height_pixels=height_pixels):
            text = f"drafted {width_pixels} x {height_pixels} pixels"
        case events.RecipeFellBack(reason=reason, fallback=fallback):
            text = f"another way is taken ({fallback}): {reason}"
        case events.ImageCreated():
            text = "done"
    return text
