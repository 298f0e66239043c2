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
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from chladni_gateway.domain.films.options import FilmPart
from chladni_gateway.domain.films.record import FilmFile, FilmRecord, FilmState

_RECORD: Final = "film.json"
_SONG: Final = "song"
_ANALYSIS: Final = "analysis.npz"
_LOCK: Final = "lock"
_STOP: Final = "stop"
_PROGRESS: Final = "progress.json"
_PARTIAL: Final = ".partial"
_BLOCK_BYTES: Final = 2**20
_MIN_FREE_BYTES: Final = 512 * 2**20
"""Space that new songs leave free on the disk, so that films in progress can end."""

_SETTLING_SECONDS: Final = 3600.0
"""Time after which a folder without a record is no new one."""


_STOPPED: Final = frozenset({FilmState.FAILED, FilmState.CANCELLED})


@dataclass(frozen=True, slots=True)
class KeptFilm:
    """A film, as its folder keeps it.

    Attributes:
        record: Its record.
        share: How much of the work is done, 0 to 1, as far as it was written down.
        part: Part in progress; `None` before the first one.
        remaining_seconds: Time that the rest will take; `None` while unknown.
    """

    record: FilmRecord
    share: float = 0.0
    part: FilmPart | None = None
    remaining_seconds: float | None = None


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

    @property
    def analysis(self) -> Path:
        """The file of what was found in the song."""
        return self.path / _ANALYSIS

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

    def read(self) -> KeptFilm:
        """Return the record, and how far the work is.

        Raises:
            OSError: There is none.
            ValueError: It is damaged.
        """
        record, progress = self.read_record(), self._read_progress()
        return KeptFilm(
            record,
            share=float(progress.get("share", 0.0)),
            part=FilmPart(progress["part"]) if progress.get("part") else None,
            remaining_seconds=None if record.state.is_final else progress.get("remaining_seconds"),
        )

    def write_progress(self, *, share: float, part: FilmPart | None, remaining_seconds: float | None) -> None:
        """Write down how far the work is, for other gateways; a disk that fails is ignored."""
        progress = {"share": share, "part": part, "remaining_seconds": remaining_seconds}
        with suppress(OSError):
            _write(self.path / _PROGRESS, json.dumps(progress).encode())

    def _read_progress(self) -> dict[str, Any]:
        try:
            progress: dict[str, Any] = json.loads((self.path / _PROGRESS).read_bytes())
        except (OSError, ValueError):
            return {}
        return progress

    def ask_to_stop(self) -> None:
        """Ask the gateway that works on the film to stop.

        Raises:
            OSError: The film is gone, or the disk fails.
        """
        (self.path / _STOP).touch(mode=0o600)

    def forget_to_stop(self) -> None:
        """Take that back, or note that it was done."""
        (self.path / _STOP).unlink(missing_ok=True)

    def must_stop(self) -> bool:
        """Return whether the work is to stop: somebody asked for that, or removed the film."""
        return (self.path / _STOP).exists() or not (self.path / _RECORD).exists()

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
        for path in (self.song, self.path / _PROGRESS, *map(self.audio_file, FilmPart)):
            path.unlink(missing_ok=True)
        for part in FilmPart:
            self.remove_segments(part)

    def remove_partial_files(self) -> None:
        """Remove the files of a film that stopped which are not whole, and of no use when it goes on."""
        with suppress(OSError):
            for path in self.path.rglob(f"*{_PARTIAL}"):
                path.unlink(missing_ok=True)

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
        max_bytes: Bytes of all of them. Films that failed or were cancelled have what others do not need:
            the longest stopped ones go when a new song needs their room.
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
        self._make_room(min(_MIN_FREE_BYTES, self._max_bytes // 2) + song.stat().st_size)
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
        return sorted((film.record for film in self.films()), key=lambda record: record.created_at)

    def films(self) -> list[KeptFilm]:
        """Return all films; those whose records are damaged are left out."""
        films = []
        for path in self._path.iterdir():
            with suppress(OSError, ValueError):
                films.append(FilmFolder(path).read())
        return films

    def film(self, film_id: UUID) -> KeptFilm | None:
        """Return a film; `None` if there is none.

        Raises:
            OSError: The disk fails.
            ValueError: The record is damaged.
        """
        try:
            return self.folder(film_id).read()
        except FileNotFoundError:
            return None

    def missing(self, film_ids: Iterable[UUID]) -> list[UUID]:
        """Return which of these films are not there."""
        return [film_id for film_id in film_ids if not (self.folder(film_id).path / _RECORD).exists()]

    def _make_room(self, needed_bytes: int) -> None:
        """Remove films that have stopped without an end, the longest stopped first, until bytes are free.

        Nothing is removed if that would not be enough.

        Raises:
            OSError: There is no room.
        """
        missing_bytes = needed_bytes - self._free_bytes()
        if missing_bytes <= 0:
            return
        stopped = sorted(
            (record for record in self.records() if record.state in _STOPPED),
            key=lambda record: record.ended_at or datetime.now(UTC),
        )
        if sum(_bytes_below(self.folder(record.film_id).path) for record in stopped) >= missing_bytes:
            for record in stopped:
                self._remove_stopped(self.folder(record.film_id))
                if self._free_bytes() >= needed_bytes:
                    return
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _remove_stopped(self, folder: FilmFolder) -> None:
        """Remove a film, unless it has gone on meanwhile."""
        with suppress(OSError, ValueError), folder.locked() as is_locked:
            if is_locked and folder.read_record().state in _STOPPED:
                folder.remove()

    def _free_bytes(self) -> int:
        return min(shutil.disk_usage(self._path).free, self._max_bytes - _bytes_below(self._path))


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
    partial = path.with_name(f"{path.name}{_PARTIAL}")
    partial.write_bytes(content)
    partial.replace(path)
