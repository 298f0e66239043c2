"""Failures as one sentence and an exit status."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Final

import typer
from rich.console import Console

from chladni_client.cli.display.text import in_words_of_options, shown
from chladni_client.errors import (
    CallCancelledError,
    ChladniError,
    DeadlineExceededError,
    InvalidInputError,
    NotAllowedError,
    NotFoundError,
    NotInstalledError,
    NotOfferedError,
    RecipeUnavailableError,
    TemporaryError,
    UnavailableError,
)


class ExitStatus(IntEnum):
    """Exit statuses of the command; 2 is a wrong use of the command itself."""

    SUCCESS = 0
    FAULT = 1
    USAGE = 2
    INVALID_INPUT = 3
    UNAVAILABLE = 4
    DEADLINE_EXCEEDED = 5
    NOT_FOUND = 6
    FILE = 7
    NOT_ALLOWED = 8
    INTERRUPTED = 130


EXIT_STATUS_MEANINGS: Final = {
    ExitStatus.SUCCESS: "done",
    ExitStatus.FAULT: "the server failed, or an image could not be made again the same",
    ExitStatus.USAGE: "the command was used wrongly",
    ExitStatus.INVALID_INPUT: "a sound, an image or a parameter was refused",
    ExitStatus.UNAVAILABLE: "the server cannot be reached or is busy, or something that is needed is missing",
    ExitStatus.DEADLINE_EXCEEDED: "no result in time",
    ExitStatus.NOT_FOUND: "no such recipe, image or job (any more)",
    ExitStatus.FILE: "a file could not be read or written",
    ExitStatus.NOT_ALLOWED: "the server wants a token (--token), or the one that was sent is not enough",
    ExitStatus.INTERRUPTED: "interrupted; the server stopped its work, too",
}

_STATUS_OF_ERROR: Final = (
    (InvalidInputError, ExitStatus.INVALID_INPUT),
    (NotFoundError, ExitStatus.NOT_FOUND),
    (NotAllowedError, ExitStatus.NOT_ALLOWED),
    (TemporaryError, ExitStatus.UNAVAILABLE),
    (RecipeUnavailableError, ExitStatus.UNAVAILABLE),
    (NotOfferedError, ExitStatus.UNAVAILABLE),
    (NotInstalledError, ExitStatus.UNAVAILABLE),
    (DeadlineExceededError, ExitStatus.DEADLINE_EXCEEDED),
    (CallCancelledError, ExitStatus.INTERRUPTED),
)


def exit_status_of(error: ChladniError | OSError) -> ExitStatus:
    """Return the exit status of an error."""
    if isinstance(error, OSError):
        return ExitStatus.FILE
    return next((status for kind, status in _STATUS_OF_ERROR if isinstance(error, kind)), ExitStatus.FAULT)


def report(
    error: ChladniError | OSError, *, subject: str = "", subject_key: str = "audio", as_json: bool = False
) -> None:
    """Report an error to people on standard error, and to programs on standard output.

    Args:
        error: What went wrong.
        subject: What it went wrong with, such as a file; empty if there is only one.
        subject_key: What the subject is called for programs.
        as_json: Whether to report to programs.
    """
    if isinstance(error, OSError):
        reason, stage, fields = "FILE", "", []
        filename = os.fsdecode(error.filename) if isinstance(error.filename, bytes | str) else ""
        message = f"{error.strerror or error}: {filename}" if filename else str(error)
    else:
        reason, stage = error.reason, error.stage
        message = in_words_of_options(error.message, [item.field for item in error.violations])
        fields = [{"field": item.field, "description": item.description} for item in error.violations]
    prefix = f"{shown(subject)}: " if subject else ""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"[bold red]Error:[/] {prefix}{shown(message)}")
    if isinstance(error, UnavailableError) and reason == "UNAVAILABLE":
        console.print(
            "[dim]Is it running? Start one on this machine with `make up`, or name another with --target "
            "or CHLADNI_CLIENT_TARGET.[/]"
        )
    if as_json:
        body = {"reason": reason, "message": message, "stage": stage, "violations": fields}
        line = {"error": body} | ({subject_key: subject} if subject else {})
        sys.stdout.write(json.dumps(line) + "\n")


@contextmanager
def reported_failures(*, as_json: bool = False) -> Iterator[None]:
    """End the command with one sentence and its exit status if something goes wrong."""
    try:
        yield
    except (ChladniError, OSError) as error:
        report(error, as_json=as_json)
        raise typer.Exit(exit_status_of(error)) from None
    except KeyboardInterrupt:
        Console(stderr=True).print("[yellow]Interrupted.[/]")
        raise typer.Exit(ExitStatus.INTERRUPTED) from None
