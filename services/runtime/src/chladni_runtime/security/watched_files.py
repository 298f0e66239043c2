"""Files that are read again when they change, such as certificates and lists of tokens.

Secrets of a cluster are replaced while the service runs. A new version that cannot be used leaves the last
good one in force: a service with an old certificate is better than one without any.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from prometheus_client import Counter, Gauge

from chladni_runtime.background import repeating

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_log = logging.getLogger(__name__)

MAX_FILE_BYTES: Final = 16 * 1024 * 1024

ContentT = TypeVar("ContentT")


class FileError(Exception):
    """A file cannot be read or used.

    Args:
        part: Which of several files, such as ``key``.
        problem: What is wrong and what to do; no secret.
    """

    def __init__(self, part: str, problem: str) -> None:
        super().__init__(problem)
        self.part = part


class Outcome(StrEnum):
    """What came of a look at files."""

    UNCHANGED = "unchanged"
    LOADED = "loaded"
    REFUSED = "refused"


class WatchedFiles(Generic[ContentT]):
    """The content of files as of their last good version. May be read on any thread.

    Args:
        name: Name in logs and metrics, such as ``server certificate``.
        paths: The files, by the part that each plays.
        parse: Returns what the bytes mean, by part, or raises `FileError`.

    Raises:
        FileError: The files cannot be used now, at the begin.
    """

    def __init__(
        self, name: str, paths: Mapping[str, Path], parse: Callable[[Mapping[str, bytes]], ContentT]
    ) -> None:
        self.name = name
        self._paths = dict(paths)
        self._parse = parse
        self._seen = self._read()
        self._unreadable = ""
        self._is_refused = False
        self._state = 1, parse(self._seen)

    @property
    def content(self) -> ContentT:
        """The content of the last good version."""
        return self._state[1]

    @property
    def state(self) -> tuple[int, ContentT]:
        """Number of the last good version, and its content."""
        return self._state

    @property
    def is_refused(self) -> bool:
        """Whether the files as they were found last cannot be used: an older version is in force."""
        return self._is_refused or bool(self._unreadable)

    def refresh(self) -> Outcome:
        """Look at the files, and take them over if they have changed and can be used."""
        try:
            found = self._read()
        except FileError as error:
            is_known, self._unreadable = str(error) == self._unreadable, str(error)
            return Outcome.UNCHANGED if is_known else self._refuse(error)
        self._unreadable = ""
        if found == self._seen:
            return Outcome.UNCHANGED
        self._seen = found
        self._is_refused = True
        try:
            content = self._parse(found)
        except FileError as error:
            return self._refuse(error)
        self._is_refused = False
        self._state = self._state[0] + 1, content
        _log.info("%s read again", self.name, extra={"version": self._state[0]})
        return Outcome.LOADED

    def _refuse(self, error: FileError) -> Outcome:
        _log.error(
            "the new %s cannot be used, the last one stays in force: %s",
            self.name,
            error,
            extra={"path": str(self._paths[error.part])},
        )
        return Outcome.REFUSED

    def _read(self) -> Mapping[str, bytes]:
        return {part: read_bytes(part, path) for part, path in self._paths.items()}


def read_bytes(part: str, path: Path) -> bytes:
    """Return the content of a file.

    Raises:
        FileError: It cannot be read, or is too large.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise FileError(part, f"{path} cannot be read ({error.strerror}). Give a file that can.") from None
    if len(content) > MAX_FILE_BYTES:
        raise FileError(part, f"{path} has more than {MAX_FILE_BYTES} bytes. Give a smaller file.")
    return content


class FileMetrics:
    """Metrics of watched files.

    Args:
        registry: Registry that the metrics join.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._reloads = Counter(
            "chladni_file_reloads_total",
            "New versions of certificates and token files, by whether they were loaded or refused.",
            ["files", "outcome"],
            registry=registry,
        )
        self._refused = Gauge(
            "chladni_files_refused",
            "1 while the files cannot be used as they are, so that an older version is in force.",
            ["files"],
            registry=registry,
        )
        self._expiry = Gauge(
            "chladni_certificate_expiry_timestamp_seconds",
            "When the certificate in force ends, in seconds since 1970.",
            ["files"],
            registry=registry,
        )

    def note(self, files: WatchedFiles[Any], outcome: Outcome = Outcome.UNCHANGED) -> None:
        """Count what came of a look, and note when the certificate among the files ends, if there is one."""
        for counted in (Outcome.LOADED, Outcome.REFUSED):
            self._reloads.labels(files.name, counted.value).inc(counted is outcome)
        self._refused.labels(files.name).set(files.is_refused)
        expires_at = getattr(files.content, "expires_at", None)
        if expires_at is not None:
            self._expiry.labels(files.name).set(expires_at.timestamp())


@asynccontextmanager
async def watching(
    files: Sequence[WatchedFiles[Any]], *, interval_seconds: float, registry: CollectorRegistry
) -> AsyncIterator[None]:
    """Look at files regularly while the context lasts, and count what comes of it.

    Args:
        files: The files, with different names.
        interval_seconds: Time between two looks.
        registry: Takes the metrics.
    """
    metrics = FileMetrics(registry)
    for watched in files:
        metrics.note(watched)

    async def look() -> None:
        for watched in files:
            try:
                outcome = await asyncio.to_thread(watched.refresh)
            except Exception:  # noqa: BLE001 - one bad file must not end the looks at all of them
                _log.exception("the new %s cannot be used, the last one stays in force", watched.name)
                outcome = Outcome.REFUSED
            metrics.note(watched, outcome)

    async with repeating(look, interval_seconds=interval_seconds, at_once=False):
        yield
