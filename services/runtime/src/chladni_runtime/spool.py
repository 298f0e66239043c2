"""Files that arrive in pieces and are too large to be kept in memory: they wait on disk, within limits."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from chladni_contract.errors import (
    ChladniError,
    DeadlineExceededError,
    InvalidInputError,
    QueueFullError,
    Reason,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from chladni_runtime.execution.deadlines import Clock

_BLOCK_BYTES: Final = 1024 * 1024
_GRACE_SECONDS: Final = 10.0
_DRAIN_SECONDS: Final = 5.0
_RETRY_AFTER_SECONDS: Final = 10.0
_MEBIBYTE: Final = 1024 * 1024
_PREFIX: Final = "chladni-upload-"
_SETTLING_SECONDS: Final = 60.0
"""Time before a file without a lock counts as left behind: a new one is locked a moment later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolLimits:
    """What may wait on disk.

    Attributes:
        max_bytes: Largest file.
        max_files: Files at a time.
        max_seconds: Time for a file to arrive.
        min_bytes_per_second: Rate at which it must arrive, after its first seconds.
        min_free_bytes: Space that stays free on the disk.
    """

    max_bytes: int = 200 * _MEBIBYTE
    max_files: int = 4
    max_seconds: float = 1800.0
    min_bytes_per_second: int = 4096
    min_free_bytes: int = 256 * _MEBIBYTE

    def too_large(self, field: str) -> InvalidInputError:
        """Return the error that the file in a field of a request is larger than the limit."""
        return InvalidInputError(
            Reason.FILE_TOO_LARGE,
            f"{field} is larger than {self.max_bytes / _MEBIBYTE:g} MiB, the limit of large files; cut it, "
            "or compress it, for example as OGG.",
            field=field,
            metadata={"max_bytes": self.max_bytes},
        )


class Spool:
    """A bounded number of files on disk, each gone as soon as it is not needed. One event loop owns it.

    A file is locked while it is held. What a killed process left has no lock, and is removed by the next one.

    Args:
        limits: What may wait.
        folder: Where; `None` for the system's folder of temporary files.
        clock: Monotonic clock in seconds.
    """

    def __init__(
        self, limits: SpoolLimits, *, folder: Path | None = None, clock: Clock = time.monotonic
    ) -> None:
        self.limits: Final = limits
        self._folder = folder
        self._clock = clock
        self._file_count = 0
        self._files: set[SpooledFile] = set()

    @asynccontextmanager
    async def hold(self, *, field: str) -> AsyncIterator[SpooledFile]:
        """Hold a file while the context lasts.

        Args:
            field: Field of the request that its errors name.

        Raises:
            QueueFullError: There are as many files as may be.
            UnavailableError: The disk is full or fails.
        """
        if self._file_count >= self.limits.max_files:
            raise QueueFullError(
                f"{self._file_count} large files are arriving already, the limit. Try again later.",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
                metadata={"count": self._file_count, "maximum": self.limits.max_files},
            )
        self._file_count += 1
        try:
            try:
                file = await asyncio.to_thread(self._open)
            except OSError as error:
                raise _disk_error(error) from error
            spooled = SpooledFile(file, self.limits, field=field, clock=self._clock)
            self._files.add(spooled)
            try:
                yield spooled
            finally:
                self._files.discard(spooled)
                await asyncio.to_thread(file.close)  # Which removes it.
        finally:
            self._file_count -= 1

    def _open(self) -> IO[bytes]:
        folder = self._folder or Path(tempfile.gettempdir())
        _remove_left_files(folder)
        # Those that are opened at this moment, this one among them, and what is to come of the others.
        coming_bytes = self._file_count * self.limits.max_bytes
        coming_bytes -= sum(min(file.size_bytes, self.limits.max_bytes) for file in tuple(self._files))
        free_bytes = shutil.disk_usage(folder).free
        if free_bytes < self.limits.min_free_bytes + coming_bytes:
            raise OSError(f"{free_bytes} bytes are free")
        file = tempfile.NamedTemporaryFile(prefix=_PREFIX, dir=folder)  # noqa: SIM115 - the caller closes it
        with suppress(OSError):  # A file system without locks, on which nobody removes it either.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file


class SpooledFile:
    """A file that arrives. Its methods are not to be called at the same time."""

    def __init__(self, file: IO[bytes], limits: SpoolLimits, *, field: str, clock: Clock) -> None:
        self._file = file
        self._limits = limits
        self._field = field
        self._clock = clock
        self._started_at = clock()
        self._digest = hashlib.sha256()
        self._waiting = bytearray()
        self.size_bytes = 0

    @property
    def path(self) -> Path:
        """Where it is, while it is held."""
        return Path(self._file.name)

    @property
    def sha256(self) -> str:
        """SHA-256 of what arrived, in hexadecimal digits."""
        return self._digest.hexdigest()

    @property
    def due_in_seconds(self) -> float:
        """Time until which the next piece must come; 0 or less if that is over."""
        limits = self._limits
        allowed = _GRACE_SECONDS + self.size_bytes / limits.min_bytes_per_second
        return self._started_at + min(allowed, limits.max_seconds) - self._clock()

    async def write(self, piece: bytes | bytearray | memoryview) -> None:
        """Add a piece.

        Raises:
            InvalidInputError: The file is larger than the limit.
            DeadlineExceededError: It came too slowly.
            UnavailableError: The disk is full or fails.
        """
        if self.due_in_seconds <= 0:
            raise self.too_slow()
        self.size_bytes += len(piece)
        if self.size_bytes > self._limits.max_bytes:
            raise self._limits.too_large(self._field)
        self._waiting += piece
        if len(self._waiting) >= _BLOCK_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Write what waits, so that others can read the file by its path.

        Raises:
            UnavailableError: The disk is full or fails.
        """
        waiting, self._waiting = self._waiting, bytearray()
        try:
            await asyncio.to_thread(self._write, waiting)
        except OSError as error:
            raise _disk_error(error) from error

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the file from its beginning."""
        await self.flush()
        position = 0
        while piece := await asyncio.to_thread(os.pread, self._file.fileno(), _BLOCK_BYTES, position):
            position += len(piece)
            yield piece

    def too_slow(self) -> DeadlineExceededError:
        """Return the error that it came too slowly."""
        limits = self._limits
        return DeadlineExceededError(
            f"{self._field} came at less than {limits.min_bytes_per_second} bytes a second, or took more "
            f"than {limits.max_seconds:g} s, the limits; cut the recording before you send it.",
            metadata={"timeout_seconds": limits.max_seconds},
        )

    def _write(self, content: bytearray) -> None:
        self._file.write(content)
        self._file.flush()
        self._digest.update(content)


@asynccontextmanager
async def draining(messages: AsyncIterator[object]) -> AsyncIterator[None]:
    """Read for a moment what a client still sends after an error in the context, so that it gets the error.

    A client of gRPC whose message cannot be delivered may report that instead of the status of its call.
    """
    try:
        yield
    except ChladniError:
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                async for _ in messages:
                    pass
        raise


def _remove_left_files(folder: Path) -> None:
    """Remove files of processes that were killed."""
    for path in folder.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # It may be locked, gone, a link, or another user's.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if time.time() - os.fstat(descriptor).st_mtime > _SETTLING_SECONDS:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
            finally:
                os.close(descriptor)


def _disk_error(error: OSError) -> UnavailableError:
    return UnavailableError(
        Reason.STORAGE_UNAVAILABLE,
        f"The server cannot keep a large file: {error.strerror or error}. Try again later, or cut the "
        "recording before you send it.",
    )
