"""Where sets of normal operation are kept: in memory, or in a folder."""

from __future__ import annotations

import logging
import os
import re
import stat
import threading
from contextlib import suppress
from dataclasses import replace as replace_fields
from pathlib import Path
from typing import Final

from chladni_contract.errors import (
    ChladniError,
    FieldViolation,
    NotFoundError,
    Reason,
    UnavailableError,
)
from chladni_runtime.files import remove_abandoned, write_whole
from chladni_similarity.anomaly.normal_set import (
    NAME_PATTERN,
    LoadEncoder,
    NormalSet,
    NormalSetFileError,
    NormalSetInfo,
    from_bytes,
    to_bytes,
)

DEFAULT_NAME: Final = "default"

_SUFFIX: Final = ".safetensors"
_MAX_SHOWN: Final = 5

_log = logging.getLogger(__name__)


class NormalSetStore:
    """Keeps normal sets in memory or in a folder, a file each. Safe to use from any thread.

    Files that others put into the folder, such as `chladni-train anomaly`, are found. Several processes may
    share a folder.

    Args:
        folder: Folder; `None` for memory.
        max_sets: Normal sets at most.
        load_encoder: Returns encoders for sets that are read from files.
    """

    def __init__(self, folder: Path | None, *, max_sets: int, load_encoder: LoadEncoder) -> None:
        self._folder = folder
        self._max_sets = max_sets
        self._load_encoder = load_encoder
        self._lock = threading.Lock()
        self._sets: dict[str, NormalSet] = {}
        self._versions: dict[str, tuple[int, int]] = {}

    def list(self) -> list[NormalSetInfo]:
        """Return what there is, by name."""
        with self._lock:
            self._refresh()
            return [self._sets[name].info for name in sorted(self._sets)]

    def get(self, name: str) -> NormalSet:
        """Return a normal set; for the empty name the only one, or the one called "default".

        Raises:
            NotFoundError: There is none of this name.
        """
        with self._lock:
            self._refresh()
            found = self._sets.get(name) if name else self._default()
            if found is None:
                raise _unknown(name, sorted(self._sets))
            return found

    def check_room(self, name: str, *, replace: bool) -> None:
        """Check that a normal set of a name may be added.

        Raises:
            ChladniError: There is one of this name already, or there are as many as there may be.
        """
        with self._lock:
            self._refresh()
            self._check_room(name, replace=replace)

    def put(self, normal_set: NormalSet, *, replace: bool) -> None:
        """Add a normal set.

        Raises:
            ChladniError: There is one of this name already, there are as many as there may be, or the folder
                cannot be written to.
        """
        name = normal_set.info.name
        with self._lock:
            self._refresh()
            self._check_room(name, replace=replace)
            if self._folder is not None:
                self._write(self._folder, name, to_bytes(normal_set))
            self._sets[name] = normal_set

    def delete(self, name: str) -> bool:
        """Delete a normal set; return whether there was one."""
        with self._lock:
            self._refresh()
            if self._sets.pop(name, None) is None:
                return False
            self._versions.pop(name, None)
            if self._folder is not None:
                try:
                    (self._folder / f"{name}{_SUFFIX}").unlink(missing_ok=True)
                except OSError as error:
                    raise _storage_error() from error
            return True

    def _default(self) -> NormalSet | None:
        if len(self._sets) == 1:
            return next(iter(self._sets.values()))
        return self._sets.get(DEFAULT_NAME)

    def _check_room(self, name: str, *, replace: bool) -> None:
        if name in self._sets:
            if replace:
                return
            message = f"There is a normal set {name!r} already. Set `replace`, or choose another name."
            raise ChladniError(
                Reason.NORMAL_SET_EXISTS,
                message,
                violations=[FieldViolation("name", message)],
                metadata={"normal_set": name},
            )
        if len(self._sets) >= self._max_sets:
            raise ChladniError(
                Reason.NORMAL_SETS_FULL,
                f"This server keeps at most {self._max_sets} normal sets and has as many. Delete one first.",
                metadata={"count": len(self._sets), "maximum": self._max_sets},
            )

    def _refresh(self) -> None:
        """Read what is new in the folder, and forget what is gone."""
        if self._folder is None:
            return
        try:
            found: dict[str, os.stat_result] = {}
            for path in self._folder.glob(f"*{_SUFFIX}"):
                if re.fullmatch(NAME_PATTERN, path.stem):
                    with suppress(FileNotFoundError):  # another process deletes it now
                        status = path.stat()
                        if stat.S_ISREG(status.st_mode):
                            found[path.stem] = status
        except OSError as error:
            raise _storage_error() from error
        for name in self._versions.keys() - found.keys():
            self._sets.pop(name, None)
            del self._versions[name]
        for name, status in found.items():
            version = (status.st_mtime_ns, status.st_size)
            if self._versions.get(name) == version:
                continue
            self._versions[name] = version
            self._sets.pop(name, None)
            try:
                read = from_bytes((self._folder / f"{name}{_SUFFIX}").read_bytes(), self._load_encoder)
                # A file that was copied or renamed goes by its new name.
                self._sets[name] = replace_fields(read, info=replace_fields(read.info, name=name))
            except (OSError, NormalSetFileError) as error:
                _log.warning("normal set left out: %s", error, extra={"normal_set": name})

    def _write(self, folder: Path, name: str, content: bytes) -> None:
        path = folder / f"{name}{_SUFFIX}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            remove_abandoned(folder)
            write_whole(path, content)
            status = path.stat()
        except OSError as error:
            raise _storage_error() from error
        self._versions[name] = (status.st_mtime_ns, status.st_size)


def _unknown(name: str, known: list[str]) -> NotFoundError:
    names = ", ".join(known[:_MAX_SHOWN]) + (", ..." if len(known) > _MAX_SHOWN else "")
    if not known:
        message = "There is no normal set here yet; make one of a minute of normal audio by CreateNormalSet."
    elif not name:
        message = f"There are several normal sets; name one of them: {names}."
    else:
        message = f"There is no normal set {name!r} here; there are {names}."
    return NotFoundError(
        Reason.UNKNOWN_NORMAL_SET,
        message,
        violations=[FieldViolation("normal_set", message)],
        metadata={"normal_set": name},
    )


def _storage_error() -> UnavailableError:
    return UnavailableError(
        Reason.STORAGE_UNAVAILABLE,
        "The folder of the normal sets cannot be used now. Try again later.",
        retry_after_seconds=2.0,
    )
