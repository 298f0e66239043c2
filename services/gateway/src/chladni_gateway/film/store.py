"""Films on disk: a folder each, with the song, what was found in it, the segments made so far, and the files.

Whatever is written appears under its name when it is whole, so that a film can go on after its gateway was
killed.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import numpy as np

from chladni_gateway.domain.films.song import Section, Song
from chladni_gateway.film.planning import FilmOptions, FilmPart

_RECORD: Final = "film.json"
_SONG: Final = "song"
_ANALYSIS: Final = "analysis.npz"
_LOCK: Final = "lock"
_BLOCK_BYTES: Final = 2**20
_MIN_FREE_BYTES: Final = 512 * 2**20
"""Space that new songs leave free on the disk, so that films in progress can end."""

_SETTLING_SECONDS: Final = 3600.0
"""Time after which a folder without a record is no new one."""


class FilmState(StrEnum):
    """How far a film is."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing happens by itself any more."""
        return self not in {FilmState.QUEUED, FilmState.RUNNING}


@dataclass(frozen=True, slots=True)
class FilmError:
    """Why a film failed.

    Attributes:
        reason: Name of the reason.
        message: What is wrong, for people.
        metadata: Facts of the message.
    """

    reason: str
    message: str
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FilmFile:
    """A file of a film.

    Attributes:
        part: Which part it is.
        size_bytes: Its size.
        sha256: SHA-256 of it, in hexadecimal.
    """

    part: FilmPart
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmRecord:
    """A film, as its folder keeps it.

    Attributes:
        film_id: Identifier.
        owner: Whose film it is.
        caller: Who asked for it, for the fair share.
        options: How it is made.
        created_at: When it was asked for.
        display_name: Name of the song, for people.
        request_id: Identifier that the caller chose; `None` for none.
        song_sha256: SHA-256 of the song.
        state: How far it is.
        ended_at: When it ended.
        song_seconds: Length of the song, once it is known.
        files: The files that are made.
        error: Why it failed.
    """

    film_id: UUID
    owner: str
    caller: str
    options: FilmOptions
    created_at: datetime
    song_sha256: str
    display_name: str = ""
    request_id: UUID | None = None
    state: FilmState = FilmState.QUEUED
    ended_at: datetime | None = None
    song_seconds: float | None = None
    files: tuple[FilmFile, ...] = ()
    error: FilmError | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return fields | {
            "film_id": str(self.film_id),
            "options": self.options.to_json(),
            "created_at": self.created_at.isoformat(),
            "request_id": None if self.request_id is None else str(self.request_id),
            "ended_at": None if self.ended_at is None else self.ended_at.isoformat(),
            "files": [asdict(file) for file in self.files],
            "error": None if self.error is None else asdict(self.error),
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> FilmRecord:
        """Return the record that JSON holds.

        Raises:
            ValueError: It is no record, or one of another version.
        """
        try:
            return cls(
                **fields
                | {
                    "film_id": UUID(fields["film_id"]),
                    "options": FilmOptions.from_json(fields["options"]),
                    "created_at": datetime.fromisoformat(fields["created_at"]),
                    "request_id": UUID(fields["request_id"]) if fields["request_id"] else None,
                    "state": FilmState(fields["state"]),
                    "ended_at": datetime.fromisoformat(fields["ended_at"]) if fields["ended_at"] else None,
                    "files": tuple(
                        FilmFile(**file | {"part": FilmPart(file["part"])}) for file in fields["files"]
                    ),
                    "error": FilmError(**fields["error"]) if fields["error"] else None,
                }
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"the record of a film is damaged: {error}") from error


class FilmFolder:
    """The folder of one film.

    Args:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path

    @property
    def song(self) -> Path:
        """The file of the song."""
        return self.path / _SONG

    def file(self, part: FilmPart) -> Path:
        """Return where the file of a part is."""
        return self.path / part.file_name

    def audio_file(self, part: FilmPart) -> Path:
        """Return where the sound of a moving part is, encoded."""
        return self.path / f"{part.value}-sound.m4a"

    def segment(self, part: FilmPart, number: int) -> Path:
        """Return where a segment of a moving part is."""
        return self.path / part.value / f"{number:05}.mp4"

    def limiter_state(self, part: FilmPart, number: int) -> Path:
        """Return where the state of the flash limiter after a segment is."""
        return self.path / part.value / f"{number:05}.npz"

    def write_record(self, record: FilmRecord) -> None:
        """Keep a record."""
        _write(self.path / _RECORD, json.dumps(record.to_json(), ensure_ascii=False).encode())

    def read_record(self) -> FilmRecord:
        """Return the record.

        Raises:
            OSError: There is none.
            ValueError: It is damaged.
        """
        return FilmRecord.from_json(json.loads((self.path / _RECORD).read_bytes()))

    def write_analysis(self, song: Song) -> None:
        """Keep what was found in the song."""
        partial = self.path / f"{_ANALYSIS}.partial"
        with partial.open("wb") as file:
            np.savez(
                file,
                sha256=np.array(song.sha256),
                seconds=np.array([song.duration_seconds, song.segment_seconds, song.interval_seconds]),
                course=song.course,
                descriptors=song.descriptors,
                beats=np.array(song.beats),
                downbeats=np.array(song.downbeats),
                onsets=np.array(song.onsets),
                sections=np.array([(s.start_seconds, s.end_seconds, s.kind) for s in song.sections]),
            )
        partial.replace(self.path / _ANALYSIS)

    def read_analysis(self) -> Song | None:
        """Return what was found in the song; `None` if it is not analysed yet."""
        path = self.path / _ANALYSIS
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as arrays:
            duration, segment, interval = map(float, arrays["seconds"])
            return Song(
                sha256=str(arrays["sha256"]),
                duration_seconds=duration,
                segment_seconds=segment,
                course=arrays["course"],
                interval_seconds=interval,
                descriptors=arrays["descriptors"],
                beats=tuple(map(float, arrays["beats"])),
                downbeats=tuple(map(float, arrays["downbeats"])),
                onsets=tuple(map(float, arrays["onsets"])),
                sections=tuple(
                    Section(float(start), float(end), int(kind))
                    for start, end, kind in arrays["sections"].reshape(-1, 3)
                ),
            )

    def describe(self, part: FilmPart) -> FilmFile:
        """Return the size and the digest of the file of a part."""
        digest, size = hashlib.sha256(), 0
        with self.file(part).open("rb") as opened:
            while block := opened.read(_BLOCK_BYTES):
                digest.update(block)
                size += len(block)
        return FilmFile(part, size, digest.hexdigest())

    def remove_segments(self, part: FilmPart) -> None:
        """Remove the segments of a part whose file is made."""
        shutil.rmtree(self.path / part.value, ignore_errors=True)

    def remove_working_files(self) -> None:
        """Remove the song, its sound and segments, of a film of which nothing is left to be made."""
        for path in (self.song, *map(self.audio_file, FilmPart)):
            path.unlink(missing_ok=True)
        for part in FilmPart:
            self.remove_segments(part)

    def remove(self) -> None:
        """Remove the film with all of its files."""
        shutil.rmtree(self.path, ignore_errors=True)

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Hold the lock of the film; yield whether no other gateway holds it."""
        descriptor = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)


class FilmStore:
    """The folders of all films.

    Args:
        path: Where they are; made if it is not there.
        max_bytes: Bytes of all of them.
    """

    def __init__(self, path: Path, *, max_bytes: int = 16 * 2**30) -> None:
        self._path = path
        self._max_bytes = max_bytes
        path.mkdir(parents=True, exist_ok=True, mode=0o700)

    def folder(self, film_id: UUID) -> FilmFolder:
        """Return the folder of a film, which need not be there."""
        return FilmFolder(self._path / str(film_id))

    def add(self, record: FilmRecord, song: Path) -> FilmFolder:
        """Make the folder of a new film, with a copy of its song.

        Raises:
            OSError: There is no room for it, or the disk fails.
        """
        folder = self.folder(record.film_id)
        free_bytes = min(shutil.disk_usage(self._path).free, self._max_bytes - _bytes_below(self._path))
        if free_bytes < min(_MIN_FREE_BYTES, self._max_bytes // 2) + song.stat().st_size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        folder.path.mkdir(mode=0o700)
        shutil.copyfile(song, folder.song)
        for part in FilmPart:
            (folder.path / part.value).mkdir(mode=0o700)
        folder.write_record(record)
        return folder

    def remove_left_folders(self) -> None:
        """Remove the folders of films of which a gateway that was killed had only a part of the song."""
        for path in self._path.iterdir():
            if not _is_uuid(path.name) or (path / _RECORD).exists():
                continue
            with suppress(OSError):  # Another gateway may remove it, too.
                if time.time() - path.stat().st_mtime > _SETTLING_SECONDS:
                    FilmFolder(path).remove()

    def records(self) -> list[FilmRecord]:
        """Return the records of all films, the oldest first; damaged ones are left out."""
        records = []
        for path in self._path.iterdir():
            try:
                records.append(FilmFolder(path).read_record())
            except (OSError, ValueError):
                continue
        return sorted(records, key=lambda record: record.created_at)


def ended(record: FilmRecord, state: FilmState, error: FilmError | None = None) -> FilmRecord:
    """Return a record of a film that has ended now."""
    return replace(record, state=state, error=error, ended_at=datetime.now(UTC))


def _bytes_below(path: Path) -> int:
    """Return the size of all files in a folder; those that vanish meanwhile do not count."""
    size = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):
                size += Path(folder, name).stat().st_size
    return size


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)
