"""Records of what a study has done, so that one that was killed goes on where it stopped.

Each piece of work ends with a record of its own, which is written under another name and then renamed: it is
there whole or not at all. The files for readers are written from the records, in the order of the clips and
without dates, so that a study that was killed ends with the same files as one that was not.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import platform
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from chladni_client.async_client import AsyncClient
from chladni_client.errors import ChladniError

Record: TypeAlias = dict[str, Any]
ItemT = TypeVar("ItemT")
OnProgress: TypeAlias = Callable[[int, int], object]
"""Called with the number of pieces of work that are done, and of all."""

_FOLDER: Final = ".records"
_HOST: Final = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
_PARTIAL: Final = re.compile(r"\..+\.(?P<host>[0-9a-f]{8})-(?P<process>[0-9]{1,9})\.part")
_DAY_SECONDS: Final = 24 * 3600.0
_OF_THE_ITEM: Final = frozenset(
    {
        "UNSUPPORTED_AUDIO_FORMAT",
        "EMPTY_AUDIO",
        "CORRUPT_AUDIO",
        "AUDIO_TOO_SHORT",
        "AUDIO_TOO_LONG",
        "FILE_TOO_LARGE",
        "UNSUPPORTED_AUDIO_LAYOUT",
        "NON_FINITE_AUDIO",
        "PROMPT_REFUSED",
        "IMAGE_WITHHELD",
        "NON_FINITE_OUTPUT",
    }
)
"""Reasons that are the fault of one clip or prompt, which is skipped; any other one ends the study."""
_FILE: Final = "FILE"
"""Reason of a file that could not be read, which the next run tries again."""


class Records:
    """The records of one phase, in a folder beside its results.

    Args:
        folder: Where the results are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _FOLDER

    def get(self, name: str, key: str) -> Record | None:
        """Return the record of a piece of work; `None` if there is none, or it is of other work.

        Args:
            name: Name of the piece of work.
            key: Digest of all that it depends on.
        """
        try:
            record: Record = json.loads((self._folder / f"{name}.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return record if record.pop("key", None) == key else None

    def has(self, name: str) -> bool:
        """Return whether there is a record of a piece of work, whatever it depends on."""
        return (self._folder / f"{name}.json").exists()

    def put(self, name: str, key: str, record: Record) -> None:
        """Keep the record of a piece of work."""
        write_json(self._folder / f"{name}.json", {"key": key} | record)


def key_of(*parts: Any) -> str:
    """Return the digest of what a piece of work depends on."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:32]


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, whole or not at all."""
    write_file(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def write_file(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all; a part of one is left under another name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Shards on several machines may share the folder, and processes of containers have the same numbers.
    partial = path.with_name(f".{path.name}.{_HOST}-{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def remove_partial_files(folder: Path) -> None:
    """Remove what processes left that were killed while they wrote a file; of other hosts, after a day."""
    for partial in folder.rglob(".*.part"):
        named = _PARTIAL.fullmatch(partial.name)
        if named is None:
            continue  # A file of another program.
        if named["host"] == _HOST:
            is_left = not _is_running(int(named["process"]))
        else:
            is_left = _age_seconds(partial) > _DAY_SECONDS
        if is_left:
            partial.unlink(missing_ok=True)


def fault_of(error: ChladniError | OSError) -> Record | None:
    """Return what is recorded of an error that is the fault of one item; `None` if it ends the study."""
    if isinstance(error, OSError):
        return {"reason": _FILE, "message": error.strerror or type(error).__name__}
    if error.reason in _OF_THE_ITEM:
        return {"reason": error.reason, "message": error.message}
    return None


def is_done(record: Record | None) -> bool:
    """Return whether a piece of work need not be done: it has a result, or cannot have one."""
    return record is not None and record.get("error", {}).get("reason") != _FILE


@asynccontextmanager
async def _opened(client: AsyncClient | None) -> AsyncIterator[AsyncClient]:
    """Give a client, which stays open, or one of its own in its absence, which is closed."""
    if client is not None:
        yield client
        return
    async with AsyncClient() as own:
        yield own


async def work_through(
    items: Sequence[ItemT],
    work: Callable[[AsyncClient, ItemT], Awaitable[object]],
    *,
    client: AsyncClient | None,
    total: int,
    concurrency: int,
    on_progress: OnProgress | None = None,
) -> None:
    """Do a piece of work for each item that is left, a few at a time; the first error ends all.

    Args:
        items: The items that are left; without any, no client is opened.
        work: The work.
        client: Client to use; one of its own if absent.
        total: Items in all, those that were done before included.
        concurrency: How many at a time.
        on_progress: Called after each.
    """
    if not items:
        return
    remaining = iter(items)
    done = total - len(items)

    async def worker(client: AsyncClient) -> None:
        nonlocal done
        for item in remaining:
            await work(client, item)
            done += 1
            if on_progress is not None:
                on_progress(done, total)

    try:
        async with _opened(client) as used, asyncio.TaskGroup() as group:
            for _ in range(min(concurrency, len(items))):
                group.create_task(worker(used))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


def mean(values: Iterable[float | None]) -> float:
    """Return the mean of values, without those that are `None`; 0 without any."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else 0.0


def _age_seconds(file: Path) -> float:
    try:
        return time.time() - file.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return process != os.getpid()
