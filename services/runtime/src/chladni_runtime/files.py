"""Files written whole or not at all, however the process or the machine ends."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final
from uuid import uuid4

TEMPORARY_SUFFIX: Final = ".tmp"
"""Ends the names of files that are not whole yet; one that a killed process left may be removed."""

FOR_ALL: Final = 0o666
"""Mode of a file that others may read and write, as far as the process grants it."""
_OF_ITS_USER: Final = 0o600
_TEMPORARY_NAMES: Final = f".{32 * '[0-9a-f]'}{TEMPORARY_SUFFIX}"
_ABANDONED_SECONDS: Final = 3600.0  # Longer than any write takes.


def write_whole(path: Path, content: bytes) -> None:
    """Write a file of which nobody ever sees a part; what was there before stays until all of it is written.

    Raises:
        OSError: It cannot be written.
    """
    with whole_file(path) as file:
        file.write(content)


@contextmanager
def whole_file(path: Path, *, mode: int = _OF_ITS_USER) -> Iterator[BinaryIO]:
    """Open a file that takes its place at `path` when the context ends, and never if an error ends it.

    Args:
        path: Where it belongs, in a folder that exists.
        mode: Who may read and write it; its user alone by default.

    Raises:
        OSError: It cannot be written.
    """
    with _temporary_file(path.parent, mode) as (temporary, file):
        yield file
        _flush(file)
        temporary.replace(path)


def write_temporary(folder: Path, content: bytes) -> Path:
    """Write a file, for its user alone, that the caller gives a name, and return where it is.

    Raises:
        OSError: It cannot be written; nothing is left of it.
    """
    with _temporary_file(folder, _OF_ITS_USER) as (temporary, file):
        file.write(content)
        _flush(file)
    return temporary


def remove_abandoned(folder: Path) -> None:
    """Remove what killed processes left unfinished in a folder, an hour ago or earlier.

    Raises:
        OSError: The folder cannot be read, or a file cannot be removed.
    """
    for path in folder.glob(_TEMPORARY_NAMES):
        with suppress(FileNotFoundError):  # Its process ends it just now.
            if path.stat().st_mtime + _ABANDONED_SECONDS <= time.time():
                path.unlink()


@contextmanager
def _temporary_file(folder: Path, mode: int) -> Iterator[tuple[Path, BinaryIO]]:
    temporary = folder / f".{uuid4().hex}{TEMPORARY_SUFFIX}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield temporary, file
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _flush(file: BinaryIO) -> None:
    """Wait until the disk has what was written."""
    file.flush()
    os.fsync(file.fileno())
